"""Folders and archives of images whose colours tell which file they came from."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from nda.data import ImageSet
from nda.data.images.stream import StreamedBatch, open_stream

STREAMED = [f"{kind}/{number:02d}.png" for kind in ("a", "b") for number in range(20)]


def colour_of(name: str) -> tuple[int, int, int]:
    """A colour that tells which file an image came from."""
    red, green, blue = (
        np.random.default_rng(list(name.encode("utf-8", "surrogateescape")))
        .integers(0, 256, 3)
        .tolist()
    )
    return red, green, blue


def write(folder: Path, *names: str, size: tuple[int, int] = (8, 8)) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, colour_of(path.name)).save(path.with_suffix(".png"))
        path.with_suffix(".png").rename(path)
    return folder


def zipped(folder: Path, top: str = "") -> Path:
    archive = folder.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*"), reverse=True):
            file.write(path, top + str(path.relative_to(folder)))
    return archive


def names_in(images: ImageSet, candidates: list[str]) -> list[str]:
    """The files whose colours the images have, in order."""
    by_colour = {colour_of(name): name for name in candidates}
    colours = [tuple(image[:, 0, 0].tolist()) for image in images.images]
    return [by_colour[colour] for colour in colours]


def streamed_folder(root: Path) -> Path:
    """40 images of many sizes, `STREAMED`, and masks; beside it an archive of the same."""
    for index, name in enumerate([*STREAMED, "ground_truth/a/00.png"]):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draws = np.random.default_rng(index)
        height, width = draws.integers(8, 40, 2)
        pixels = draws.integers(0, 256, (height, width, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(path)
    with zipfile.ZipFile(root.with_suffix(".zip"), "w") as archive:
        for name in reversed([*STREAMED, "ground_truth/a/00.png"]):
            archive.write(root / name, name)
    return root


def read_stream(source: Path, size: int = 16, *, fit: str = "stretch") -> list[StreamedBatch]:
    with open_stream(source) as stream:
        return list(stream.batches(size, 24, "crop" if fit == "crop" else "stretch"))
