"""What several folders of tests share: caches of their own, and a folder of small images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session", autouse=True)
def own_caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or fills the caches of the person who runs it."""
    folder = tmp_path_factory.mktemp("caches")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NDA_CACHE", str(folder / "nda"))
        patch.setenv("TORCH_HOME", str(folder / "torch"))
        yield


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 PNGs of 32 x 32: train/{dark,light} with 20 each, test/{dark,light} with 10 each."""
    folder = tmp_path_factory.mktemp("data") / "images"
    write_split(folder / "train", 20)
    write_split(folder / "test", 10)
    return folder


def write_split(folder: Path, count: int, *, size: int = 32) -> None:
    """`count` images in each of the two classes of a split."""
    for label, mean in (("dark", 80), ("light", 170)):
        (folder / label).mkdir(parents=True)
        for index in range(count):
            draws = np.random.default_rng([mean, count, index])
            pixels = draws.integers(mean - 60, mean + 60, (size, size, 3))
            Image.fromarray(pixels.astype(np.uint8)).save(folder / label / f"{index:03d}.png")
