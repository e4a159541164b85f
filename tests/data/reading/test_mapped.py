"""Large arrays are files that the system maps, and hold what any others would."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nda.data import load_splits
from nda.data.reading import mapped
from nda.data.reading.mapped import room, taken


@pytest.fixture
def files(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """From here on all arrays are large; their sizes in bytes where they became files."""
    sizes: list[int] = []
    usual: Callable[[int], NDArray[np.uint8]] = mapped._on_disk

    def on_disk(size: int) -> NDArray[np.uint8]:
        found = usual(size)
        sizes.append(size)
        return found

    monkeypatch.setattr(mapped, "_on_disk", on_disk)
    monkeypatch.setattr(mapped, "LARGE", 1)
    assert not any(own_cache.iterdir())
    return sizes


def test_small_arrays_are_in_memory(files: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "LARGE", 13)
    assert room(3, 4).shape == (3, 4)
    assert files == []
    assert room(13).shape == (13,)
    assert files == [13]


def test_large_arrays_are_files_without_a_name(files: list[int], own_cache: Path) -> None:
    array = room(2, 3, 5)
    assert array.shape == (2, 3, 5)
    assert array.dtype == np.uint8
    assert files == [30]
    assert not any(own_cache.iterdir())
    array[:] = np.arange(30).reshape(2, 3, 5)
    assert int(array.sum()) == 435


@pytest.mark.parametrize("rows", [torch.tensor([4, 0, 4]), torch.tensor([True, False] * 3)])
def test_rows_are_taken_as_by_an_index(files: list[int], rows: torch.Tensor) -> None:
    images = torch.randint(256, (6, 3, 4, 4), generator=torch.Generator().manual_seed(0)).byte()
    assert torch.equal(taken(images, rows), images[rows])
    assert files == [3 * 48]


def test_without_room_on_the_disk_memory_is_taken(
    files: list[int], own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    assert room(2, 3).shape == (2, 3)
    assert files == []
    assert not any(own_cache.iterdir())


def test_a_large_set_is_split_as_a_small_one(image_folder: Path, files: list[int]) -> None:
    def fingerprints() -> list[str]:
        found = load_splits(image_folder / "train", holdout=0.2, cache=False)
        return [each.fingerprint for each in (found.train, found.heldout)]

    large = fingerprints()
    assert files == [count * 3 * 32 * 32 for count in (40, 32, 8)]  # all, then those of each side
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapped, "LARGE", 2**30)
        assert fingerprints() == large
    assert len(files) == 3
