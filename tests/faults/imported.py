"""Everything that a command may import, imported by the parent before it forks."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil

import torch

import nda
from nda.recipes import RECIPES

LATE = (  # imported by torch and others only once they are used
    "torch._dynamo", "torch.utils.tensorboard", "matplotlib.pyplot", "jinja2", "torchvision",
    "lightning_fabric", "torch.optim", "scipy.stats", "scipy.optimize", "scipy.ndimage",
    "torchmetrics", "av", "faster_coco_eval",
)  # fmt: skip


def import_everything() -> None:
    """The package whole, and what it imports late. What is not installed stays away."""
    torch.set_num_threads(1)
    for module in pkgutil.walk_packages(nda.__path__, "nda."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in LATE:
        if importlib.util.find_spec(name.split(".")[0]):
            importlib.import_module(name)
    for entry in RECIPES.values():
        entry.recipe()
