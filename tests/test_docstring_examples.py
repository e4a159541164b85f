"""Every public name has an example in its docstring, and it gives what it says."""

from __future__ import annotations

import doctest
import inspect
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import nda


def photos(folder: Path, count: int = 240) -> None:
    """Bright discs on grounds of many colours, 32 x 32."""
    folder.mkdir()
    rows, columns = np.mgrid[:32, :32]
    for index in range(count):
        draws = np.random.default_rng(index)
        pixels = np.tile(draws.uniform(0, 120, 3), (32, 32, 1)) + draws.uniform(0, 20, (32, 32, 3))
        row, column = draws.uniform(6, 26, 2)
        pixels[(rows - row) ** 2 + (columns - column) ** 2 < 25] += 110
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{index:03d}.png")


@pytest.fixture(scope="module")
def beside_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    photos(folder / "photos")
    return folder


def example_of(name: str) -> doctest.DocTest:
    """What the docstring shows; images and torch are at hand, all else it brings itself."""
    text = inspect.getdoc(getattr(nda, name)) or ""
    known = {"nda": nda, "torch": torch, "math": math}
    return doctest.DocTestParser().get_doctest(text, known, f"nda.{name}", None, 0)


@pytest.mark.parametrize("name", nda.__all__)
def test_examples_run_and_give_what_they_say(
    name: str,
    beside_photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").symlink_to(beside_photos / "photos")
    torch.manual_seed(0)
    example = example_of(name)
    assert example.examples, f"nda.{name} shows no example"
    said: list[str] = []
    doctest.DocTestRunner().run(example, out=said.append)
    assert not said, "".join(said)
