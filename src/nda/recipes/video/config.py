"""What the recipes of videos share in their settings: which videos, and which frames of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from nda.errors import ConfigError
from nda.training.config import FREE, PATH, RunConfig
from nda.validators import at_least, from_zero_to_one


@dataclass(frozen=True, kw_only=True)
class ClipConfig(RunConfig):
    """Videos and the clips that are taken of them.

    Args:
        data: folder or .zip of videos, or of folders of frames
        split_file: file or folder that says which videos train and which test, as UCF101's
        fold: which of several splits the files describe is used
        fit: how frames become squares: crop (their middle) or stretch (all of them)
        resolution: side of the frames in pixels
        blocks: blocks in a clip
        frames: frames in a block
        stride: frames of the video from one frame of a clip to the next
        short: a video that ends before its clip: loop it, or pad it with its last frame
        crop_low: smallest share of the area that training clips show; the same for all frames
        jitter_probability: share of training frames whose colours are jittered
        grey: share of training frames that lose their colour
        jitter_alike: change colours alike in all frames of a clip, not frame by frame
        cache: keep decoded frames on disk, so that no later epoch decodes
        batch_size: clips a process draws for one update
        holdout: share of videos held out where the data has no test split
        skip_broken: skip and count unreadable videos in place of refusing them
    """

    samples_are: ClassVar[str] = "clips"

    split_file: str | None = field(default=None, metadata=PATH)
    fold: int = 1
    fit: Literal["crop", "stretch"] = "crop"
    resolution: int | None = 128
    blocks: int = 8
    frames: int = 5
    stride: int = 3
    short: Literal["loop", "pad"] = "loop"
    crop_low: float = 0.5
    jitter_probability: float = 1.0
    grey: float = 0.5
    jitter_alike: bool = False
    cache: bool = field(default=True, metadata=FREE)

    def check(self) -> None:
        super().check()
        for name in ("fold", "blocks", "frames", "stride"):
            at_least(self, name, 1)
        at_least(self, "batch_size", 2)
        if self.resolution is None:
            raise ConfigError("resolution is not set; give the side of the frames, such as 128.")
        at_least(self, "resolution", 32)
        from_zero_to_one(self, "jitter_probability", "grey")
        if not 0 < self.crop_low <= 1:
            raise ConfigError(
                f"crop_low is {self.crop_low}; it must be above 0 and at most 1, where clips "
                "show whole frames."
            )
