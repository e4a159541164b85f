"""Views of clips for DPC: one crop and one mirroring for all frames, colours frame by frame.

As in DPC's code (Han et al., 2019), where every frame is jittered by itself: otherwise colours
alone would tell which cells belong to one clip.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nda.data.augment.colour_jitter import Jitter, draw_jitter, jittered
from nda.data.augment.crops import Crops, cut, draw_crops
from nda.data.images.image_set import to_float
from nda.errors import ShapeError


@dataclass(frozen=True)
class ClipParams:
    """What was drawn for clips `(B, T, 3, H, W)`: a crop a clip, a jitter a frame (B * T)."""

    crops: Crops
    jitter: Jitter


@dataclass(frozen=True)
class ClipViews:
    """DPC's random view of each clip: uint8 `(B, T, 3, H, W)` to float32 in [-1, 1].

    Args:
        scale: smallest and largest share of the area that is cut out, alike for all frames.
        flip: share of clips that are mirrored.
        jitter: strengths for brightness, contrast, saturation and hue.
        jitter_probability: share of frames whose colours are jittered.
        grey: share of frames that lose their colour.
        alike: the same colours for all frames of a clip, in place of a draw for each.
        size: side of the result in pixels; that of the clips by default.
    """

    scale: tuple[float, float] = (0.5, 1.0)
    flip: float = 0.5
    jitter: tuple[float, float, float, float] = (0.5, 0.5, 0.5, 0.25)
    jitter_probability: float = 1.0
    grey: float = 0.5
    alike: bool = False
    size: int | None = None

    def __call__(self, clips: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        return self.replay(clips, self.draw(clips, generator))

    def draw(self, clips: Tensor, generator: torch.Generator | None = None) -> ClipParams:
        """One crop for each clip, and colours for each frame or clip."""
        _check(clips)
        B, T = clips.shape[:2]
        one = torch.empty(1, device=clips.device).expand(B, 1, *clips.shape[-2:])  # sizes alone
        crops = draw_crops(one, scale=self.scale, flip=self.flip, generator=generator)
        jitter = draw_jitter(
            B if self.alike else B * T,
            strength=self.jitter,
            probability=self.jitter_probability,
            grey=self.grey,
            generator=generator,
            device=clips.device,
        )
        return ClipParams(crops, repeated(jitter, T) if self.alike else jitter)

    def replay(self, clips: Tensor, params: ClipParams) -> Tensor:
        """The view that was drawn: float32 `(B, T, 3, size, size)` in [-1, 1]."""
        _check(clips)
        x = (to_float(clips) + 1) / 2
        # All frames of a clip lie under one grid when they are channels of one image.
        x = cut(x.flatten(1, 2), params.crops, self.size).clamp_(0, 1)  # (B, T * 3, size, size)
        frames = x.unflatten(1, clips.shape[1:3])
        if self.jitter_probability > 0 or self.grey > 0:
            frames = jittered(frames.flatten(0, 1), params.jitter).view_as(frames)
        return 2 * frames - 1


def repeated(jitter: Jitter, times: int) -> Jitter:
    """The draw of each clip for each of its frames."""
    return Jitter(
        order=jitter.order,
        strength=jitter.strength.repeat_interleave(times, dim=1),
        applied=jitter.applied.repeat_interleave(times),
        grey=jitter.grey.repeat_interleave(times),
    )


def _check(clips: Tensor) -> None:
    if clips.dim() != 5 or clips.shape[2] != 3 or clips.dtype != torch.uint8:
        raise ShapeError(
            f"Views are made of uint8 clips (B, T, 3, H, W); got {clips.dtype} of shape "
            f"{tuple(clips.shape)}."
        )
