"""The files of the published CIFAR-10-C: `NAME.npy` for each corruption, and `labels.npy`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nda.data.corruptions.table import SEVERITIES, check_name, check_severity
from nda.errors import DataError
from nda.runtime.files import StrPath

_IMAGES = 10_000  # of the CIFAR-10 test set, once a severity


def load_corrupted(folder: StrPath, name: str, severity: int) -> Tensor:
    """The 10,000 test images under one corruption, uint8 `(10000, 3, 32, 32)`.

    `folder` holds the published files; of `NAME.npy` only the rows of this severity are read.

    Raises:
        ConfigError: unknown `name` or `severity`.
        DataError: the file is missing, is not a `.npy` of numbers, or is of another shape.
    """
    check_name(name)
    check_severity(severity)
    path = Path(folder) / f"{name}.npy"
    images = _mapped(path, (_IMAGES * len(SEVERITIES), 32, 32, 3))
    rows = images[(severity - 1) * _IMAGES : severity * _IMAGES]
    return torch.from_numpy(np.ascontiguousarray(rows.transpose(0, 3, 1, 2)))


def load_labels(folder: StrPath) -> Tensor:
    """The classes of the 10,000 images of every severity, int64 `(10000,)`.

    Raises:
        DataError: `labels.npy` is missing, is not a `.npy` of numbers, is of another shape, or
            differs between severities.
    """
    path = Path(folder) / "labels.npy"
    labels = _mapped(path, (_IMAGES * len(SEVERITIES),))
    first = labels[:_IMAGES]
    if not (labels.reshape(-1, _IMAGES) == first).all():
        raise DataError(
            f"{path} gives the severities different labels, where CIFAR-10-C repeats the same "
            "10,000 five times; fetch the file again."
        )
    return torch.from_numpy(first.astype(np.int64))


def _mapped(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A `.npy` file mapped into memory; nothing in it is ever unpickled."""
    if not path.is_file():
        raise DataError(
            f"{path} does not exist; give the folder of the unpacked CIFAR-10-C.tar, "
            "which holds one .npy file a corruption and labels.npy."
        )
    try:
        array: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read as a .npy file of numbers ({error}); fetch it again."
        ) from error
    if array.dtype != np.uint8 or array.shape != shape:
        raise DataError(
            f"{path} holds {array.dtype} of shape {array.shape}, where CIFAR-10-C has uint8 of "
            f"shape {shape}; give the original file."
        )
    return array
