"""The archive of dots: what it holds, that the seed decides, and that it is whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nda.data import draw_dots, load_images
from nda.data.dots import write_dots_archive
from nda.errors import DataError
from nda.evaluation.counting.dots import count_dots


def write(path: Path, images: dict[int, int], seed: int = 0) -> bytes:
    write_dots_archive(path, images, 32, generator=torch.Generator().manual_seed(seed))
    return path.read_bytes()


def test_each_folder_holds_images_of_its_count(tmp_path: Path) -> None:
    write(tmp_path / "new" / "dots.zip", {3: 5, 1: 4})
    loaded = load_images(tmp_path / "new" / "dots.zip")
    assert loaded.classes == ("1", "3")
    assert count_dots(loaded.images).tolist() == [1] * 4 + [3] * 5


def test_images_are_those_that_the_generator_draws(tmp_path: Path) -> None:
    write(tmp_path / "dots.zip", {2: 1030}, seed=4)  # more than are drawn at once
    drawn = draw_dots(torch.full((1030,), 2), 32, generator=torch.Generator().manual_seed(4))
    assert torch.equal(load_images(tmp_path / "dots.zip").images, drawn)


def test_equal_seeds_make_equal_files(tmp_path: Path) -> None:
    first = write(tmp_path / "a.zip", {2: 6})
    assert write(tmp_path / "b.zip", {2: 6}) == first
    assert write(tmp_path / "c.zip", {2: 6}, seed=1) != first


def test_counts_that_cannot_be_placed_are_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    with pytest.raises(DataError, match=r"40 dots of radius .* do not fit into 32 x 32"):
        write(tmp_path / "dots.zip", {2: 10**9, 40: 1})
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def draw(counts: torch.Tensor, size: int, *, generator: torch.Generator) -> torch.Tensor:
        calls.append(len(counts))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return draw_dots(counts, size, generator=generator)

    monkeypatch.setattr("nda.data.dots.draw_dots", draw)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "dots.zip", {2: 1030})
    assert list(tmp_path.iterdir()) == []
