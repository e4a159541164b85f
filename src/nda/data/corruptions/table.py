"""The corruptions by name, and the one function that applies them."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

import torch
from torch import Tensor

from nda.data.corruptions.blur import (
    defocus_blur,
    gaussian_blur,
    glass_blur,
    motion_blur,
    zoom_blur,
)
from nda.data.corruptions.digital import brightness, contrast, jpeg_compression, pixelate, saturate
from nda.data.corruptions.elastic import elastic_transform
from nda.data.corruptions.frost import frost
from nda.data.corruptions.noise import gaussian_noise, impulse_noise, shot_noise, speckle_noise
from nda.data.corruptions.spatter import spatter
from nda.data.corruptions.weather import fog, snow
from nda.data.images.image_set import check_images
from nda.errors import ConfigError, ShapeError

Corruption = Callable[[Tensor, int, torch.Generator], Tensor]

_TABLE: dict[str, Corruption] = {
    "gaussian_noise": gaussian_noise,
    "shot_noise": shot_noise,
    "impulse_noise": impulse_noise,
    "speckle_noise": speckle_noise,
    "defocus_blur": defocus_blur,
    "glass_blur": glass_blur,
    "motion_blur": motion_blur,
    "zoom_blur": zoom_blur,
    "gaussian_blur": gaussian_blur,
    "snow": snow,
    "frost": frost,
    "fog": fog,
    "brightness": brightness,
    "spatter": spatter,
    "contrast": contrast,
    "elastic_transform": elastic_transform,
    "pixelate": pixelate,
    "jpeg_compression": jpeg_compression,
    "saturate": saturate,
}

CORRUPTIONS: tuple[str, ...] = tuple(_TABLE)
SEVERITIES: tuple[int, ...] = (1, 2, 3, 4, 5)

_CHUNK = 500  # images worked on at once: some 100 MB of work space at 32 pixels
_SMALLEST = 8  # pixels a side: below, the borders of the filters meet


def corrupt(images: Tensor, name: str, severity: int, *, generator: torch.Generator) -> Tensor:
    """Images under one corruption of CIFAR-10-C, uint8 of the same shape.

    The constants are CIFAR's own, for 32 pixels. At other sizes `elastic_transform`, `zoom_blur`,
    `pixelate` and `fog` scale with the image, as in the original; all other lengths (of blurs,
    flakes, drops and ice) stay the same number of pixels and weigh less on larger images.
    `frost` is a stand-in: its texture is drawn and not photographed.

    Args:
        images: uint8 `(N, 3, H, W)`, sides of 8 pixels or more; they are not modified.
        name: one of `CORRUPTIONS`.
        severity: 1 (weakest) to 5.
        generator: the only source of chance; every image has draws of its own.

    Raises:
        ConfigError: unknown name or severity.
        ShapeError: other shapes and types.
    """
    check_name(name)
    check_severity(severity)
    _check_images(images)
    work, on = _TABLE[name], images.device
    chunks = images.cpu().contiguous().split(_CHUNK) if len(images) else ()
    corrupted = [work(chunk, severity, generator) for chunk in chunks]
    return torch.cat(corrupted).to(on) if corrupted else images.clone()


def check_name(name: str) -> None:
    """Refuse a corruption that does not exist, with the nearest one (`ConfigError`)."""
    if name not in _TABLE:
        near = get_close_matches(name, CORRUPTIONS, n=1, cutoff=0.4)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(
            f"There is no corruption {name!r}; {meant}known are: {', '.join(CORRUPTIONS)}."
        )


def check_severity(severity: int) -> None:
    """Refuse a severity that does not exist (`ConfigError`)."""
    if severity not in SEVERITIES:
        raise ConfigError(f"Severity {severity!r} does not exist; give a whole number from 1 to 5.")


def _check_images(images: Tensor) -> None:
    check_images(images, "Images to corrupt")
    if min(images.shape[-2:]) < _SMALLEST:
        raise ShapeError(
            f"Images to corrupt must have sides of at least {_SMALLEST} pixels; got "
            f"{images.shape[-2]} x {images.shape[-1]} (height x width). Enlarge them first."
        )
