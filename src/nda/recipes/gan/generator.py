"""A run's generator, read from its newest checkpoint without the data it was trained on."""

from __future__ import annotations

from typing import Any

import torch

from nda.errors import CheckpointError, ConfigError
from nda.networks.fit import refuse_misfit
from nda.recipes import recipe_of
from nda.recipes.gan.load import GANS, shapes_of
from nda.recipes.gan.sampler import Sampler
from nda.recipes.gan.train import build_generator
from nda.training.run_folder import RunFolder
from nda.training.start import newest_content

# Of the recipes that generate nothing: what to do with their runs.
INSTEAD = {
    "anomaly": "score images with 'nda score {run} IMAGES'",
    "pix2pix": "it translates; say what: 'nda sample {run} IMAGES --out DIR'",
    "moco": "evaluate its encoder with 'nda train linear-probe --encoder {run}'",
    "linear-probe": "its figures are in {run}/report.html",
    "detection": "what it finds in the test images stands in {run}/report.html",
    "dpc": "classify actions with 'nda train action --encoder {run}'",
    "action": "'nda evaluate {run}' measures it",
}


def load_sampler(
    folder: RunFolder, device: torch.device | str = "cpu"
) -> tuple[Sampler, dict[str, Any]]:
    """What draws images of a run of gan or numerosity, and the checkpoint it is from.

    Classes are drawn evenly, as how frequent they were is known to the data alone.

    Raises `ConfigError` for a run of a recipe that generates nothing, and `CheckpointError` for one
    without a checkpoint, or with one that is damaged or holds no such generator.
    """
    recipe = folder.config()["recipe"]
    recipe_of(recipe)  # refuses an unknown one
    if recipe not in GANS:
        instead = INSTEAD[recipe.replace("_", "-")].format(run=folder.path)
        raise ConfigError(
            f"{folder.path} is a run of {recipe}, which generates no images; {instead}."
        )
    checkpoint = newest_content(folder)
    try:
        settings, state = checkpoint["config"], checkpoint["state"]
        network, latent_dim = settings["network"], settings["latent_dim"]
        resolution, classes = shapes_of(network, state["discriminator"])
        with torch.random.fork_rng(devices=[]):  # the caller's random state stays as it is
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
