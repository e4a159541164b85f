"""Room for more than memory holds: a large array is a file that the system maps.

What is not in use then lies on the disk, and memory stays as it was. The file has no name, so it is
gone with the process however that ends.
"""

from __future__ import annotations

import os
import tempfile
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nda.runtime.files import cache_folder

LARGE = 2**30  # bytes from which on an array is a file


def room(*shape: int) -> NDArray[np.uint8]:
    """An array of bytes to be filled.

    Raises `MemoryError` where there is no room on the disk or in memory.
    """
    size = prod(shape)
    if size < LARGE:
        return np.empty(shape, np.uint8)
    try:
        return _on_disk(size).reshape(shape)
    except OSError:
        return np.empty(shape, np.uint8)


def taken(images: Tensor, rows: Tensor) -> Tensor:
    """The uint8 images `rows`, int64 `(M,)` or bool `(N,)`, as a tensor of their own."""
    index = rows.nonzero()[:, 0] if rows.dtype == torch.bool else rows
    found = torch.from_numpy(room(len(index), *images.shape[1:]))
    return torch.index_select(images, 0, index, out=found)


def _on_disk(size: int) -> NDArray[np.uint8]:
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        # All of it now: with a disk that fills up later the process would die of a signal.
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)
        return np.memmap(file, np.uint8, mode="r+", shape=(size,))
