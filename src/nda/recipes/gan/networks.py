"""The networks of a GAN: which generator and discriminator a name stands for."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from nda.data import ImageSet
from nda.errors import ConfigError
from nda.networks import biggan, dcgan, wgan_gp
from nda.networks.heads.structure import TwoHeads
from nda.networks.heads.third_class import ThreeClasses
from nda.recipes.gan.config import GanConfig

Discriminator = biggan.Discriminator | dcgan.Discriminator | wgan_gp.Discriminator

# Of each unconditional network: its generator and its discriminator.
UNCONDITIONAL: dict[str, tuple[Any, Any]] = {
    "dcgan": (dcgan.Generator, dcgan.Discriminator),
    "dcgan_dense": (dcgan.Generator, dcgan.DenseDiscriminator),
    "wgan_gp": (wgan_gp.Generator, wgan_gp.Discriminator),
}


def build_networks(config: GanConfig, train: ImageSet) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator for the images, with weights that follow from the seed.

    A structure head or a third class is drawn last, so that the others begin as they do without.
    """
    if config.conditional and len(train.classes) < 2:
        raise ConfigError(
            f"--conditional needs images of at least two classes, and {config.data} has "
            f"{len(train.classes) or 'no'} class folders. Sort the images into one folder a "
            "class, or leave --conditional out."
        )
    resolution, width = train.images.shape[-1], config.width
    classes = len(train.classes) if config.conditional else 1
    torch.manual_seed(config.seed)
    generator = build_generator(config.network, resolution, width, config.latent_dim, classes)
    discriminator: nn.Module = build_discriminator(config.network, resolution, width, classes)
    if config.structure_head:
        discriminator = TwoHeads(discriminator)
    if config.objective == "three_class":
        discriminator = ThreeClasses(discriminator)
    # Convolutions of few channels run up to half again as fast in this memory format.
    channels_last = {"memory_format": torch.channels_last}
    return generator.to(**channels_last), discriminator.to(**channels_last)


def build_generator(
    network: str, resolution: int, width: int, latent_dim: int, classes: int
) -> nn.Module:
    if network in UNCONDITIONAL:
        generator: nn.Module = UNCONDITIONAL[network][0](
            resolution, width=width, latent_dim=latent_dim
        )
        return generator
    return biggan.Generator(resolution, width=width, classes=classes, latent_dim=latent_dim)


def build_discriminator(network: str, resolution: int, width: int, classes: int) -> Discriminator:
    """The discriminator; it keeps `resolution` and `classes` as attributes."""
    if network in UNCONDITIONAL:
        discriminator: Discriminator = UNCONDITIONAL[network][1](resolution, width=width)
        return discriminator
    return biggan.Discriminator(resolution, width=width, classes=classes)
