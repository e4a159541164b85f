"""A run's discriminator, read from its newest checkpoint without the data it was trained on.

The settings may leave the resolution to the data, and never hold the number of classes; both are
read from the shapes of the weights.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from nda.errors import CheckpointError, ConfigError
from nda.networks import biggan
from nda.networks.fit import refuse_misfit
from nda.networks.heads.structure import StructureHead
from nda.networks.heads.third_class import ThreeClasses
from nda.recipes import recipe_of
from nda.recipes.gan.networks import Discriminator, build_discriminator, build_generator
from nda.recipes.gan.sampler import Sampler
from nda.runtime.seeding import seeded
from nda.training.checkpoint import load_latest
from nda.training.run_folder import RunFolder

Weights = dict[str, Tensor]
M = TypeVar("M", bound=nn.Module)


def load_discriminator(folder: RunFolder, device: torch.device | str = "cpu") -> Discriminator:
    """The discriminator of a run of gan or numerosity, in eval mode and without gradients.

    It takes images float32 (B, 3, R, R) in [-1, 1] and, where its `classes` are more than one,
    labels int64 (B,); it gives logits (B,), high for real images. Its attribute `resolution` is R.

    Raises `CheckpointError` for a run of another recipe, without a checkpoint, or with one that is
    damaged or does not hold such a discriminator.
    """
    recipe = folder.config()["recipe"]
    if recipe_of(recipe).samples != "draws":
        raise CheckpointError(
            f"{folder.path} is a run of {recipe}, which has no GAN's discriminator; give a run of "
            "'nda train gan'."
        )
    return discriminator_of(load_latest(folder), folder).to(device)


def discriminator_of(checkpoint: dict[str, Any], folder: RunFolder) -> Discriminator:
    """The discriminator that a checkpoint of the run in `folder` holds, on the CPU."""
    try:
        settings, weights = checkpoint["config"], checkpoint["state"]["discriminator"]
        network, width = settings["network"], settings["width"]
        with seeded(0):  # the caller's random state stays as it is
            resolution, classes = shapes_of(network, weights)
            refuse_misfit(lambda: build_discriminator(network, resolution, width, classes), weights)
            discriminator = build_discriminator(network, resolution, width, classes)
        discriminator.load_state_dict(weights)
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"The newest checkpoint of {folder.path} does not hold the discriminator of its "
            f"settings ({' '.join(str(error).split())[:200]}). Take a run that nda trained."
        ) from error
    discriminator.to(memory_format=torch.channels_last)
    return discriminator.eval().requires_grad_(False)


def structure_head_of(
    checkpoint: dict[str, Any], discriminator: Discriminator, folder: RunFolder
) -> StructureHead | None:
    """The structure head that a checkpoint of the run in `folder` holds beside its discriminator.

    On the discriminator's device, in eval mode; None in a run that has none. It reads
    `discriminator.features(images)` and gives logits (B,), high where the structure is whole.
    """
    if not checkpoint["config"].get("structure_head"):
        return None
    linear: Any = discriminator.linear
    with seeded(0):  # the caller's random state stays as it is
        head = StructureHead(linear.in_features)
    return _with_weights(head, "structure_head", checkpoint, linear.weight.device, folder)


def three_classes_of(
    checkpoint: dict[str, Any], discriminator: Discriminator, folder: RunFolder
) -> ThreeClasses | None:
    """The discriminator with its third class, likewise; None in a run of another objective."""
    if checkpoint["config"].get("objective") != "three_class":
        return None
    linear: Any = discriminator.linear
    with seeded(0):
        three = ThreeClasses(discriminator)
    _with_weights(three.negative, "negative_class", checkpoint, linear.weight.device, folder)
    return three.eval()


def _with_weights(
    head: M, name: str, checkpoint: dict[str, Any], device: torch.device, folder: RunFolder
) -> M:
    """`head` with the weights that the checkpoint has under `name`."""
    try:
        head.load_state_dict(checkpoint["state"][name])
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise CheckpointError(
            f"The newest checkpoint of {folder.path} does not hold the {name.replace('_', ' ')} of "
            f"its settings ({' '.join(str(error).split())[:200]}). Take a run that nda trained."
        ) from error
    return head.to(device).eval().requires_grad_(False)


def shapes_of(network: str, weights: Weights) -> tuple[int, int]:
    """Resolution and number of classes of a run whose discriminator has these weights."""
    return _resolution(network, weights), _classes(weights)


def _classes(weights: Weights) -> int:
    """One row of the class embedding a class; the small network has none and is unconditional."""
    embedding = weights.get("embedding.parametrizations.weight.original")
    return 1 if embedding is None else len(embedding)


def _resolution(network: str, weights: Weights) -> int:
    """The side of the images that weights of these shapes are for."""
    if network in (
        "dcgan",
        "dcgan_dense",
    ):  # a linear map sees all places, at an eighth of the side
        layer = "linear" if network == "dcgan" else "dense"
        inputs = weights[f"{layer}.parametrizations.weight.original"].shape[1]
        return 8 * math.isqrt(inputs // len(weights["convs.2.bias"]))
    if network == "wgan_gp":  # a block a halving, down to 4 pixels
        return 4 << len({name.split(".")[1] for name in weights if name.startswith("blocks.")})
    for resolution in biggan.RESOLUTIONS:  # each has layers of its own, whatever their width
        if biggan.Discriminator(resolution, width=8).state_dict().keys() == weights.keys():
            return resolution
    raise KeyError(f"weights of no {network} discriminator")


def load_sampler(
    folder: RunFolder, device: torch.device | str = "cpu"
) -> tuple[Sampler, dict[str, Any]]:
    """What draws images of a run of gan or numerosity, and the checkpoint it is from.

    Classes are drawn evenly, as how frequent they were is known to the data alone.

    Raises `ConfigError` for a run of a recipe that generates nothing, and `CheckpointError` for one
    without a checkpoint, or with one that is damaged or holds no such generator.
    """
    recipe = folder.config()["recipe"]
    entry = recipe_of(recipe)
    if entry.samples != "draws":
        instead = entry.instead.format(run=folder.path)
        raise ConfigError(
            f"{folder.path} is a run of {recipe}, which generates no images; {instead}."
        )
    checkpoint = load_latest(folder)
    try:
        settings, state = checkpoint["config"], checkpoint["state"]
        network, latent_dim = settings["network"], settings["latent_dim"]
        resolution, classes = shapes_of(network, state["discriminator"])
        with seeded(0):  # the caller's random state stays as it is
            shape = network, resolution, settings["width"], latent_dim, classes
            refuse_misfit(lambda: build_generator(*shape), state["ema"])
            generator = build_generator(*shape)
        generator.load_state_dict(state["ema"])
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"The newest checkpoint of {folder.path} does not hold the generator of its settings "
            f"({' '.join(str(error).split())[:200]}). Take a run that nda trained."
        ) from error
    generator.requires_grad_(False).to(device).to(memory_format=torch.channels_last)
    labels = torch.arange(classes, device=device)
    return Sampler(generator, latent_dim, labels, settings["seed"]), checkpoint
