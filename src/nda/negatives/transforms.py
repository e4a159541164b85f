"""A negative as a transform of torchvision v2 that gives an image and the mask of what was done.

Data sets and trainers take images one at a time, as pictures or as tensors in [0, 1]; a negative
takes batches, and floats in [-1, 1].
"""

from __future__ import annotations

import math
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from nda.errors import ConfigError, ShapeError
from nda.extras import needed
from nda.negatives.base import Negative, per_sample

with needed("nda.PerImage and nda.WithMask are transforms of torchvision", "train"):
    from torchvision import tv_tensors
    from torchvision.transforms import v2
    from torchvision.transforms.v2 import functional

_MODES = ("L", "RGB")  # pictures whose numbers are light alone
_NO_IMAGES = (tv_tensors.Mask, tv_tensors.BoundingBoxes)  # numbers that are no light
_SLACK = 1 / 8  # of the range: a sharp resize overshoots by less, a normalised image by more


class WithMask(v2.Transform):  # type: ignore[misc]  # torchvision has no types
    """`image -> (image, mask)`: a negative of an image, and where it is one.

        v2.Compose([v2.Resize((256, 256)), nda.WithMask(nda.Crack(), probability=0.5)])(picture)

    The image is a picture of Pillow (L or RGB), a `tv_tensors.Image` or a plain tensor, `(C, H, W)`
    or a batch `(B, C, H, W)` of which each image has a draw of its own; uint8, or floating in
    [0, 1]. The result has the same type, dtype and device. The mask is a `tv_tensors.Mask`, which
    is a float32 tensor `(1, H, W)` or `(B, 1, H, W)` in [0, 1]: transforms that follow move both
    alike. With a chance of 1 - `probability` an image stays as it is, its mask all 0. Numbers are
    drawn from the global generator of torch, as other transforms do.

    anomalib's models take it in place of their `PerlinAnomalyGenerator`.

    Args:
        negative: what to make of the images; single ones need one that mixes no two of a batch
        probability: share of the images that are changed
        value_range: what is black and what is white in floating images

    Raises:
        ConfigError: unless 0 < probability <= 1 and black is below white, both finite, and for what
            is no negative.
        ShapeError: for what is no such image, a mask or boxes among them, whose floats leave the
            range, or which the negative cannot take.

    Examples:
        >>> image, mask = nda.WithMask(nda.Crack())(torch.rand(3, 64, 64))
        >>> image.shape, mask.shape
        (torch.Size([3, 64, 64]), torch.Size([1, 64, 64]))
    """

    def __init__(
        self,
        negative: Negative,
        *,
        probability: float = 1.0,
        value_range: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        super().__init__()
        if not isinstance(negative, Negative):
            raise ConfigError(
                f"{type(self).__name__} "
                f"was given {negative!r}; expected a negative, such as nda.Crack() "
                "(of a name: nda.negative_from_name('crack'))"
            )
        if not 0 < probability <= 1:
            raise ConfigError(
                f"{type(self).__name__} "
                f"was given probability={probability:g}; expected a share of the images "
                "above 0 and at most 1"
            )
        if len(value_range) != 2 or not -math.inf < value_range[0] < value_range[1] < math.inf:
            raise ConfigError(
                f"{type(self).__name__} "
                f"was given value_range={value_range}; expected two finite numbers, black below "
                "white, such as (0, 1)"
            )
        black, white = value_range
        self.negative = negative
        self.probability = probability
        self.value_range = (float(black), float(white))

    def forward(self, image: Any, *others: Any) -> Any:
        if others:
            raise ShapeError(
                f"{type(self).__name__} "
                f"was given {1 + len(others)} arguments; expected one image, of which "
                "it makes a pair with a mask (labels beside it: nda.PerImage)"
            )
        return self._pair(image)

    def _pair(self, image: Any) -> tuple[Any, tv_tensors.Mask]:
        if isinstance(image, Image.Image):
            if image.mode not in _MODES:
                raise ShapeError(
                    f"{type(self).__name__} "
                    f"was given a picture of mode {image.mode}; expected "
                    f"{' or '.join(_MODES)} (convert it with picture.convert('RGB'))"
                )
            found, mask = self._changed(functional.pil_to_tensor(image))
            return functional.to_pil_image(found, mode=image.mode), mask
        if not isinstance(image, Tensor) or isinstance(image, _NO_IMAGES):
            raise ShapeError(
                f"{type(self).__name__} "
                f"was given {type(image).__name__}; expected one image: a picture of "
                "Pillow or a tensor (C, H, W) or (B, C, H, W) (labels beside it: nda.PerImage)"
            )
        found, mask = self._changed(image.as_subclass(Tensor))
        return (tv_tensors.wrap(found, like=image) if type(image) is not Tensor else found), mask

    def _changed(self, image: Tensor) -> tuple[Tensor, tv_tensors.Mask]:
        """Of plain tensors `(C, H, W)` or `(B, C, H, W)`."""
        if image.dim() not in (3, 4):
            raise ShapeError(
                f"{type(self).__name__} "
                f"was given a tensor of shape {tuple(image.shape)}; expected an image "
                "(C, H, W) or a batch (B, C, H, W)"
            )
        batch = image if image.dim() == 4 else image[None]
        if not batch.is_floating_point() and batch.dtype != torch.uint8:
            raise ShapeError(
                f"{type(self).__name__} "
                f"was given a tensor of type {batch.dtype}; expected torch.uint8 or floats in "
                "[0, 1] (convert numbers of 0 to 255 with x.to(torch.uint8))"
            )
        x = self._in_our_range(batch)
        params = self.negative.draw(x)
        negative, mask = self.negative.replay(x, params), self.negative.mask(x, params)
        # What was not touched stays as it is to the last bit, whatever the ranges' rounding.
        found = torch.where(negative == x, batch, self._in_their_range(negative))
        if self.probability < 1:
            chosen = torch.rand(len(batch), device=batch.device) < self.probability
            found = torch.where(per_sample(chosen, batch), found, batch)
            mask = torch.where(per_sample(chosen, mask), mask, 0)
        if image.dim() == 3:
            found, mask = found[0], mask[0]
        return found, tv_tensors.Mask(mask)

    def _in_our_range(self, batch: Tensor) -> Tensor:
        """Floats as negatives take them; refuses those that leave the range."""
        if not batch.is_floating_point() or batch.numel() == 0:
            return batch
        black, white = self.value_range
        slack = _SLACK * (white - black)
        low, high = (float(end) for end in batch.aminmax())
        if not (black - slack <= low and high <= white + slack):
            raise ShapeError(
                f"{type(self).__name__} "
                f"was given floats from {low:.3g} to {high:.3g}; expected them in "
                f"[{black:g}, {white:g}] (put it before a normalisation, or give value_range)"
            )
        return (batch - black) * (2 / (white - black)) - 1

    def _in_their_range(self, x: Tensor) -> Tensor:
        if not x.is_floating_point():
            return x
        black, white = self.value_range
        return (x + 1) * ((white - black) / 2) + black

    def extra_repr(self) -> str:
        return f"probability={self.probability:g}, value_range={self.value_range}"


class PerImage(WithMask):
    """`image -> image` or `(image, label, ...) -> (image, label, ...)`: a negative of the image.

        v2.Compose([nda.PerImage(nda.Jigsaw()), v2.RandomHorizontalFlip()])(picture, label)

    What `WithMask` gives without the mask; whatever stands behind the image, in a tuple or as
    arguments of its own, goes through as it is. Arguments and errors are those of `WithMask`.

    Examples:
        >>> image, label = nda.PerImage(nda.Jigsaw())(torch.rand(3, 32, 32), 7)
        >>> image.shape, label
        (torch.Size([3, 32, 32]), 7)
    """

    def forward(self, *given: Any) -> Any:
        sample = given[0] if len(given) == 1 and isinstance(given[0], tuple | list) else given
        image, *others = sample
        made, _ = self._pair(image)
        return (made, *others) if others else made
