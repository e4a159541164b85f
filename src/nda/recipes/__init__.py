"""Recipes: published experiments, each in a file that reads from top to bottom.

This table is the only place where a recipe is named by a string.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from nda.errors import CheckpointError


@dataclass(frozen=True)
class Entry:
    """Where a recipe and its settings live; nothing is imported until it is asked for."""

    summary: str
    config_module: str
    config_name: str
    module: str
    outliers: str = ""  # where its detector is measured, for a recipe that has one

    def config_class(self) -> Any:
        return getattr(importlib.import_module(self.config_module), self.config_name)

    def recipe(self) -> Any:
        return importlib.import_module(self.module)


RECIPES = {
    "gan": Entry(
        "a GAN whose discriminator also learns what the data is not",
        "nda.recipes.gan.config",
        "GanConfig",
        "nda.recipes.gan.train",
        "nda.recipes.gan.outliers",
    ),
    "numerosity": Entry(
        "a GAN that should draw a given number of objects, and how well it counts",
        "nda.recipes.numerosity.config",
        "NumerosityConfig",
        "nda.recipes.numerosity.train",
    ),
    "anomaly": Entry(
        "a detector of anomalous images that learns from normal ones alone",
        "nda.recipes.anomaly.config",
        "AnomalyConfig",
        "nda.recipes.anomaly.train",
    ),
    "pix2pix": Entry(
        "a translation of images whose discriminator also learns what targets are not",
        "nda.recipes.pix2pix.config",
        "Pix2PixConfig",
        "nda.recipes.pix2pix.train",
    ),
    "moco": Entry(
        "an encoder of images by MoCo-v2 whose queries also learn what their image is not",
        "nda.recipes.moco.config",
        "MocoConfig",
        "nda.recipes.moco.train",
    ),
    "detection": Entry(
        "a detector of objects on an encoder: how well the encoder's features transfer",
        "nda.recipes.detection.config",
        "DetectionConfig",
        "nda.recipes.detection.train",
    ),
    "linear-probe": Entry(
        "linear evaluation of an encoder: classes from its frozen features",
        "nda.recipes.linear_probe.config",
        "LinearProbeConfig",
        "nda.recipes.linear_probe.train",
    ),
    "dpc": Entry(
        "an encoder of videos that predicts their future cells, also against negative clips",
        "nda.recipes.dpc.config",
        "DpcConfig",
        "nda.recipes.dpc.train",
    ),
    "action": Entry(
        "a classifier of actions in videos, on the encoder of a dpc run or from scratch",
        "nda.recipes.action.config",
        "ActionConfig",
        "nda.recipes.action.train",
    ),
}


def recipe_of(name: str) -> Entry:
    """The entry of a recipe that a run folder names."""
    name = str(name).replace("_", "-")  # as runs of earlier versions wrote it
    if name not in RECIPES:
        raise CheckpointError(
            f"The run's recipe {name!r} is not known; this version of nda has "
            f"{', '.join(RECIPES)}. Install the version that wrote the run."
        )
    return RECIPES[name]
