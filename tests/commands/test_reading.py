"""What reads images reads as many as were asked for, however many there are."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nda.cli import main
from nda.data import load_images
from nda.data.images import source as images
from nda.data.images.outlier_sets import load_outlier_set, some_of
from nda.data.reading.open import open_member
from nda.data.reading.source import Source

ALL = 260


@pytest.fixture
def many(tmp_path: Path) -> Path:
    draws = np.random.default_rng(3)
    for index in range(ALL):
        path = tmp_path / "many" / f"{index % 65:02d}" / f"{index:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = draws.integers(0, 256, (16, 16, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(path)
    return tmp_path / "many"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> Counter[str]:
    """How often each image was opened."""
    inner, found = open_member, Counter[str]()

    def counting(source: Source, name: str) -> Image.Image:
        found[name] += 1
        return inner(source, name)

    monkeypatch.setattr(images, "open_member", counting)
    return found


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["preview", "", "--negatives", "stitch", "--count", "6"], 6),
        (["check", "", "--negatives", "stitch", "--steps", "1", "--count", "201"], 201),
        (["probe", "torchvision:shufflenet_v2_x0_5", "", "--negatives", "stitch", "--count", "6",
          "--input_size", "32"], 6),
    ],
)  # fmt: skip
def test_no_more_images_are_opened_than_asked_for(
    words: list[str],
    asked: int,
    many: Path,
    opened: Counter[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(many.parent)
    assert main([word if word else "many" for word in words]) == 0
    assert len(opened) == asked
    assert sum(opened.values()) <= asked + 1  # the first once more, for the size


def test_images_from_elsewhere_are_drawn_before_they_are_read(
    many: Path, opened: Counter[str]
) -> None:
    found = load_outlier_set("many", str(many), resolution=16, samples=7)
    assert len(opened) == 7
    assert torch.equal(found.images, some_of(load_images(many).images, 7))


@pytest.mark.parametrize("most", [7, ALL, ALL + 5])
def test_the_same_are_drawn_as_of_all(many: Path, own_cache: Path, most: int) -> None:
    whole = load_images(many, cache=False)
    rng = torch.Generator().manual_seed(4)
    rows = torch.randperm(ALL, generator=rng)[:most]
    after = torch.rand(3, generator=rng)
    for _ in range(2):  # the second time from the cache
        rng = torch.Generator().manual_seed(4)
        some = load_images(many, most=most, generator=rng)
        assert torch.equal(some.images, whole.images[rows])
        assert torch.equal(some.labels, whole.labels[rows])
        assert some.classes == whole.classes
        assert some.taken == whole.taken
        assert torch.equal(torch.rand(3, generator=rng), after)
    others = load_images(many, most=most, generator=torch.Generator().manual_seed(5))
    assert not torch.equal(others.images, some.images)
    assert torch.equal(load_images(many).images, whole.images)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders")
def test_a_pipe_among_the_images_is_passed_over_and_told(many: Path, own_cache: Path) -> None:
    os.mkfifo(many / "00" / "pipe.png")
    found = load_images(many)
    assert len(found) == ALL
    assert found.taken.endswith("are taken; passed over: pipes or devices 1.")
