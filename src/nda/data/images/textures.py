"""Textures of a folder for the negative that covers images with foreign texture."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from nda.data.images.source import ImageSource
from nda.errors import ConfigError
from nda.negatives import Negative, Texture

MOST = 1000  # textures: 49 MB at 128 pixels


def give_textures(path: str | None, negatives: Iterable[Negative], side: int) -> str:
    """Let every texture among the negatives, also within a `OneOf`, take its patches from `path`.

    At most 1,000 images of the folder or .zip are read, each brought to `side` pixels (the middle
    of it). Gives a digest of them; without a `path` nothing is done, and it is empty.

    Raises:
        ConfigError: where none of the negatives is a texture.
        DataError: for what cannot be read.
    """
    if path is None:
        return ""
    taking = [part for each in negatives for part in each.modules() if isinstance(part, Texture)]
    if not taking:
        raise ConfigError(
            f"--texture {path} is where the negative texture takes its patches from, and there is "
            "none here; name it among the negatives, or leave --texture out."
        )
    rng = torch.Generator().manual_seed(0)
    found = ImageSource(path, resolution=side).load(most=MOST, generator=rng)
    for negative in taking:
        negative.take(found.images)
    return found.fingerprint
