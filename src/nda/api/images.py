"""The images that `nda check` and `nda preview` look at."""

from __future__ import annotations

from typing import Any

import torch

from nda.api.settings import CheckOptions, PreviewOptions
from nda.data import ImageSet, load_images
from nda.data.images.given import image_set_of
from nda.data.reading.layout import class_names


def drawn_images(
    options: CheckOptions | PreviewOptions, rng: torch.Generator, images: Any = None
) -> ImageSet:
    """At most as many as the options say, in random order: `images` at hand, or those named."""
    if images is not None:
        return image_set_of(images, resolution=options.resolution).drawn(options.count, rng)
    return load_images(
        options.images,
        resolution=options.resolution,
        classes=class_names(options.classes),
        skip_broken=options.skip_broken,
        bit_depth=options.bit_depth,
        most=options.count,
        generator=rng,
    )
