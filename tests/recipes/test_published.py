"""The lengths of the published runs, and that every configuration and default holds them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from nda.recipes import RECIPES, published
from nda.recipes.published import TEST_IMAGES, Length
from nda.recipes.shipped import FOLDER

LENGTHS: dict[tuple[str, str], Length] = {
    (recipe, data): length
    for recipe in ("gan", "moco", "linear-probe", "pix2pix", "dpc", "action")
    for data, length in getattr(published, recipe.replace("-", "_").upper()).items()
}

# Of no published length: narrow ones, and data sets that are made or not the paper's.
FILES = [
    path
    for path in sorted(FOLDER.glob("*/*.yaml"))
    if not path.stem.startswith(("cpu-", "magnetic-", "dots", "clevr", "voc"))
]
GAN = [path for path in FILES if path.parent.name == "gan"]


def settings(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded


@pytest.mark.parametrize(
    ("run", "epoch", "steps"),
    [
        (("gan", "cifar10"), 195, 97_500),
        (("gan", "cifar100"), 195, 97_500),
        (("gan", "celeba64"), 635, 317_500),
        (("gan", "stl10"), 390, 117_000),
        (("moco", "cifar10"), 195, 195_000),
        (("moco", "imagenet100"), 989, 197_800),
        (("linear-probe", "cifar10"), 176, 17_600),
        (("linear-probe", "imagenet100"), 446, 44_600),
        (("pix2pix", "cityscapes"), 2_975, 595_000),
        (("dpc", "ucf101"), 149, 29_800),
        (("action", "ucf101"), 134, 26_800),
        (("action", "hmdb51"), 50, 10_000),
    ],
)
def test_epochs_in_updates(run: tuple[str, str], epoch: int, steps: int) -> None:
    assert (LENGTHS[run].updates_an_epoch, LENGTHS[run].steps) == (epoch, steps)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_configuration_is_as_long_as_published(path: Path) -> None:
    given = settings(path)
    length = LENGTHS[given["recipe"], path.stem.split("-")[0]]
    assert given["steps"] == length.steps
    assert given["batch_size"] * given.get("d_steps", 1) == length.batch
    said = re.search(r"^steps: \d+  # .*?([\d,]+) epochs of ([\d,]+)", path.read_text(), re.M)
    assert said is not None
    epochs, each = (int(number.replace(",", "")) for number in said.groups())
    assert (epochs, each) == (length.epochs, length.updates_an_epoch)
    if given["recipe"] == "moco":
        assert given["evaluate_every"] == 10 * length.updates_an_epoch


@pytest.mark.parametrize("path", GAN, ids=lambda path: path.stem)
def test_a_gan_is_measured_and_weighted_as_published(path: Path) -> None:
    given, data = settings(path), path.stem.split("-")[0]
    assert given["evaluation_samples"] == TEST_IMAGES[data]
    head = " ".join(line.removeprefix("# ") for line in path.read_text().splitlines()[:6])
    real = f"{TEST_IMAGES[data]:,}"
    assert f"{real} generated against the {real} test images" in head
    if given["negative"] != "none":
        assert given["fake_weight"] == (0.5 if data == "cifar100" else 0.25)


def test_narrow_configurations_of_the_probe_are_as_long_as_the_others() -> None:
    narrow = settings(FOLDER / "linear-probe" / "cpu-cifar10.yaml")
    assert narrow["steps"] == LENGTHS["linear-probe", "cifar10"].steps


@pytest.mark.parametrize(
    "run",
    [
        ("gan", "cifar10"),
        ("moco", "cifar10"),
        ("linear-probe", "cifar10"),
        ("dpc", "ucf101"),
        ("action", "ucf101"),
        ("pix2pix", "cityscapes"),
    ],
)
def test_defaults_are_as_long_as_published_and_their_help_says_so(run: tuple[str, str]) -> None:
    config_class = RECIPES[run[0]].config_class()
    needed = {"encoder": "none"} if run[0] == "linear-probe" else {}
    config = config_class(data="", out="", **needed)
    assert config.steps == LENGTHS[run].steps
    assert f"{config.steps:,}" in str(config_class.__doc__)
