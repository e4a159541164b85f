"""Recipes: published experiments. A folder each, read in this order: config, train, evaluate.

This table is the only place where a recipe is named by a string. It says what the command line
asks of a recipe before anything heavy is imported, and puts its functions together.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from nda.errors import CheckpointError

if TYPE_CHECKING:
    from nda.recipes.narrow import Narrow
    from nda.training.engine import Recipe


@dataclass(frozen=True)
class Entry:
    """What is known of a recipe; nothing of it is imported until it is asked for.

    `samples` says what `nda sample` does with a run, and `instead`, where that is nothing, what to
    do with it; `scores` what `nda score` takes; `probed` what of it `nda probe` looks into;
    `encodes` what its encoder takes, on which other recipes build; `model` and `exports` what
    `nda export` writes, by format, the usual one first.
    """

    package: str
    summary: str
    settings: str  # the class of its settings, in its file config
    samples: Literal["draws", "translates", "nothing"] = "nothing"
    instead: str = ""
    scores: Literal["images", "videos", "nothing"] = "nothing"
    probed: Literal["discriminator", "detector", "encoder", "video encoder", "nothing"] = "nothing"
    encodes: Literal["images", "videos", "nothing"] = "nothing"
    model: str = ""
    exports: Mapping[str, str] = field(default_factory=dict)  # formats and names of their files
    outliers: bool = False  # whether its detector is measured on images from elsewhere

    def config_class(self) -> Any:
        """The dataclass of its settings, free of torch."""
        return getattr(self.module("config"), self.settings)

    @property
    def narrow(self) -> Narrow | None:
        """What it is trained at where there is no card, if its published size is hopeless there."""
        narrow: Narrow | None = getattr(self.module("config"), "NARROW", None)
        return narrow

    def at_hand(self, typed: Collection[str]) -> dict[str, object]:
        """What a new run takes beside the settings that were typed, by what is installed."""
        choose = getattr(self.module("config"), "at_hand", None)
        return choose(typed) if choose else {}

    def recipe(self) -> Recipe[Any, Any]:
        """Its functions, for the engine."""
        from nda.training.engine import Recipe

        train, evaluate = self.module("train"), self.module("evaluate")
        return Recipe(train.build, train.step, evaluate.evaluate, evaluate.draw_samples)

    def module(self, name: str) -> Any:
        """One of its files."""
        return importlib.import_module(f"{self.package}.{name}")


RECIPES = {
    "gan": Entry(
        "nda.recipes.gan",
        "a GAN whose discriminator also learns what the data is not",
        "GanConfig",
        samples="draws",
        probed="discriminator",
        outliers=True,
    ),
    "numerosity": Entry(
        "nda.recipes.numerosity",
        "a GAN that should draw a given number of objects, and how well it counts",
        "NumerosityConfig",
        samples="draws",
    ),
    "anomaly": Entry(
        "nda.recipes.anomaly",
        "a detector of anomalous images that learns from normal ones alone",
        "AnomalyConfig",
        instead="score images with 'nda score {run} IMAGES'",
        scores="images",
        probed="detector",
        model="detector",
        exports={
            "onnx": "detector.onnx",
            "openvino": "detector.xml",
            "safetensors": "exported.safetensors",
        },
    ),
    "pix2pix": Entry(
        "nda.recipes.pix2pix",
        "a translation of images whose discriminator also learns what targets are not",
        "Pix2PixConfig",
        samples="translates",
        instead="it translates; say what: 'nda sample {run} IMAGES --out DIR'",
    ),
    "moco": Entry(
        "nda.recipes.moco",
        "an encoder of images by MoCo-v2 whose queries also learn what their image is not",
        "MocoConfig",
        instead="evaluate its encoder with 'nda train linear-probe --encoder {run}'",
        probed="encoder",
        encodes="images",
        model="encoder",
        exports={
            "safetensors": "encoder.safetensors",
            "timm": "encoder-timm.safetensors",
            "torchvision": "encoder-torchvision.pth",
        },
    ),
    "detection": Entry(
        "nda.recipes.detection",
        "a detector of objects on an encoder: how well the encoder's features transfer",
        "DetectionConfig",
        instead="what it finds in the test images stands in {run}/report.html",
    ),
    "linear-probe": Entry(
        "nda.recipes.linear_probe",
        "linear evaluation of an encoder: classes from its frozen features",
        "LinearProbeConfig",
        instead="its figures are in {run}/report.html",
    ),
    "dpc": Entry(
        "nda.recipes.dpc",
        "an encoder of videos that predicts their future cells, also against negative clips",
        "DpcConfig",
        instead="classify actions with 'nda train action --encoder {run}'",
        scores="videos",
        probed="video encoder",
        encodes="videos",
    ),
    "action": Entry(
        "nda.recipes.action",
        "a classifier of actions in videos, on the encoder of a dpc run or from scratch",
        "ActionConfig",
        instead="'nda evaluate {run}' measures it",
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


def names_of(able: Callable[[Entry], object]) -> str:
    """The recipes that can do something, for a message: "moco", "gan or anomaly"."""
    return " or ".join(name for name, entry in RECIPES.items() if able(entry))
