"""Data sets whose class folders are named by the number of objects in their images."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from nda.data.images.image_set import ImageSet
from nda.data.reading.layout import parse_layout
from nda.data.reading.source import open_source
from nda.errors import DataError
from nda.runtime.files import StrPath
from nda.validators import count_of


def counts_in(source: StrPath) -> list[int]:
    """The counts that name the class folders of `source`, in order, without decoding an image.

    Raises `DataError` where `source` cannot be read, has no class folders, or has one whose name is
    no count.
    """
    if str(source).startswith("torchvision:"):
        raise DataError(
            f"{source} is not sorted by numbers of objects; give a folder or a .zip with one "
            "folder a count, such as 'nda data dots' writes."
        )
    with open_source(Path(source).expanduser()) as opened:
        names = {entry.label for entry in parse_layout(opened.stamps, opened.where)} - {""}
    if not names:
        raise DataError(
            f"{source} has no class folders; sort its images into one folder a count, named 0, 1, "
            "2, ..., as 'nda data dots' does."
        )
    return sorted(_count(name, str(source)) for name in sorted(names))


def counts_by_class(images: ImageSet) -> Tensor:
    """The number of objects of each image, int64 `(N,)`, by the names of its classes."""
    counts = torch.tensor([_count(name, "The data") for name in images.classes])
    return counts[images.labels]


def _count(name: str, where: str) -> int:
    count = count_of(name)
    if count is None:
        raise DataError(
            f"{where} has a folder {name!r}, which is no count; name the folders by the number of "
            "objects in their images: 0, 1, 2, ..."
        )
    return count
