"""Translating images with a generator: of a run at work, or of a checkpoint without its data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from nda.data import to_float, to_uint8
from nda.errors import CheckpointError, ConfigError
from nda.networks.pix2pix import Generator
from nda.runtime.seeding import key


@torch.no_grad()
def translate(generator: Generator, images: Tensor, names: Sequence[str], *, seed: int) -> Tensor:
    """Translations of uint8 images `(N, 3, R, R)`, likewise uint8, on the CPU.

    Dropout stays on, as published, and is drawn from the seed and the image's name; every image
    goes through by itself, so that its normalisation is its own. What comes out of an image thus
    does not depend on what else is translated.
    """
    device = next(generator.parameters()).device
    before = generator.training
    generator.train()
    cards = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(cards):
        parts = [
            _one(generator, image.to(device), seed, name) for image, name in _pairs(images, names)
        ]
    generator.train(before)
    return torch.cat(parts) if parts else images.clone()


def _pairs(images: Tensor, names: Sequence[str]) -> Iterator[tuple[Tensor, str]]:
    return zip(images, names, strict=True)


def _one(generator: Generator, image: Tensor, seed: int, name: str) -> Tensor:
    torch.manual_seed(key(seed, 0, 0, f"translate {name}"))
    return to_uint8(generator(to_float(image[None]))).cpu()


def generator_of(checkpoint: Mapping[str, Any], where: str) -> Generator:
    """The generator that a checkpoint of a pix2pix run holds (`CheckpointError` for another)."""
    config = checkpoint["config"]
    try:
        generator = Generator(config["resolution"], width=config["width"], norm=config["norm"])
        generator.load_state_dict(checkpoint["state"]["generator"])
    except (KeyError, RuntimeError, ConfigError) as error:
        raise CheckpointError(
            f"The checkpoint of {where} does not hold the generator of a pix2pix run ({error})."
        ) from error
    return generator
