"""Which figures a GAN is measured by, as its settings ask."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from nda.data.archive import write_png_archive
from nda.errors import ConfigError, DataError
from nda.evaluation.record import Evaluation
from nda.networks.pretrained.lite0 import PACKAGE
from nda.recipes.gan.evaluate import evaluate
from tests.support.made_digits import made_digits
from tests.support.tiny_gan import build, tiny
from tests.support.tiny_lite0 import install_lite0


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """60 stacks a split, in folders of their modes."""
    named = []
    for seed, split in enumerate(("train", "test")):
        images, modes = made_digits(seed=seed).stacked(60, torch.Generator().manual_seed(seed))
        for index, (pixels, mode) in enumerate(zip(images, modes.tolist(), strict=True)):
            named.append((f"{split}/{mode:03d}/{index}.png", pixels.permute(1, 2, 0)))
    write_png_archive(tmp_path / "digits.zip", named, len(named))
    return tmp_path / "digits.zip"


def names(evaluation: Evaluation) -> set[str]:
    return {each.name for each in evaluation.metrics if not each.name.startswith("gap_")}


def test_modes_are_counted_in_place_of_a_classifier_of_a_thousand(digits: Path) -> None:
    changes: dict[str, Any] = {"network": "dcgan", "negative": "none", "count_modes": True}
    evaluation = evaluate(build(tiny(digits, resolution=8, evaluation_samples=50, **changes)))
    assert names(evaluation) == {
        "generated_modes", "generated_mode_divergence", "real_modes", "real_mode_divergence",
    }  # fmt: skip
    metrics = {each.name: each for each in evaluation.metrics}
    assert metrics["generated_modes"].protocol["images"] == 50
    assert metrics["real_modes"].protocol["split"] == "test split"
    # Of 50 images drawn from 1,000 modes nearly all show one of their own.
    assert 40 <= metrics["real_modes"].value <= 50


@pytest.mark.parametrize(("features", "classifier"), [("lite0", False), ("both", True)])
def test_figures_in_lite0s_features_stand_beside_or_in_place_of_the_classifiers(
    image_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    features: str,
    classifier: bool,
) -> None:
    install_lite0(monkeypatch, tmp_path / "weights.pth")
    evaluation = evaluate(build(tiny(image_folder, features=features, evaluation_samples=20)))
    figures = ("frechet", "kernel", "kernel_error", "precision", "recall", "density", "coverage")
    expected = {f"lite0_{figure}" for figure in figures}
    assert names(evaluation) == expected | ({"classifier_frechet"} if classifier else set())
    found = {each.name: each.protocol for each in evaluation.metrics}["lite0_kernel"]
    assert found["split"] == "test split"
    assert found["weights"] == "moving average 0.5 from step 1"
    assert found["generated_images"] == 20


def test_lite0_without_its_package_is_refused_before_training(
    image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    with pytest.raises(ConfigError, match=r"^--features lite0 needs the package efficientnet"):
        tiny(image_folder, features="lite0").check()
    tiny(image_folder).check()


def test_counting_modes_of_other_images_is_refused_before_training(image_folder: Path) -> None:
    with pytest.raises(DataError, match=r"there is a folder 'dark'; make such images with 'nda"):
        build(tiny(image_folder, count_modes=True))
