"""Archives of PNGs: what was handed over is in them, as a whole or not at all."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from nda.data.archive import write_png_archive


def pictures(count: int) -> list[tuple[str, Tensor]]:
    rng = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 3, 5, 4), generator=rng, dtype=torch.uint8)
    return [(f"train/{i}.png", each.permute(1, 2, 0)) for i, each in enumerate(pixels)]


def test_the_images_are_there_under_their_names(tmp_path: Path) -> None:
    made = pictures(3)
    write_png_archive(tmp_path / "new" / "a.zip", made, 3)
    with zipfile.ZipFile(tmp_path / "new" / "a.zip") as archive:
        assert archive.namelist() == [name for name, _ in made]
        for name, pixels in made:
            read = np.asarray(Image.open(io.BytesIO(archive.read(name))))
            assert np.array_equal(read, pixels.numpy())


def test_equal_images_make_an_equal_file(tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        write_png_archive(tmp_path / name, pictures(2), 2)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[tuple[str, Tensor]]:
        yield from pictures(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_png_archive(tmp_path / "a.zip", broken(), 2)
    assert list(tmp_path.iterdir()) == []
