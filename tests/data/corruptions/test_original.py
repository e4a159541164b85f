from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nda.data.corruptions import SEVERITIES, load_corrupted, load_labels
from nda.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of the published form: every value tells its severity, row, line and channel."""
    place = tmp_path_factory.mktemp("CIFAR-10-C")
    images = np.lib.format.open_memmap(
        place / "fog.npy", mode="w+", dtype=np.uint8, shape=(50_000, 32, 32, 3)
    )
    for severity in SEVERITIES:
        images[(severity - 1) * 10_000 : severity * 10_000] = 40 * severity
    images[10_007, 3, 5] = (1, 2, 3)
    images.flush()
    np.save(place / "labels.npy", np.tile(np.arange(10_000) % 10, 5).astype(np.uint8))
    return place


def test_a_severity_is_its_ten_thousand_rows_channels_first(folder: Path) -> None:
    for severity in (1, 2, 5):
        images = load_corrupted(folder, "fog", severity)
        assert images.shape == (10_000, 3, 32, 32)
        assert images.dtype == torch.uint8
        assert images.is_contiguous()
        assert int(images[0, 0, 0, 0]) == int(images[-1, 2, 31, 31]) == 40 * severity
    images = load_corrupted(folder, "fog", 2)
    assert images[7, :, 3, 5].tolist() == [1, 2, 3]
    assert int((images != 80).sum()) == 3
    images[0] = 0  # a copy, so that the file stays as it is
    assert int(load_corrupted(folder, "fog", 2)[0, 0, 0, 0]) == 80


def test_labels_are_those_of_one_severity(folder: Path) -> None:
    labels = load_labels(folder)
    assert labels.dtype == torch.int64
    assert torch.equal(labels, torch.arange(10_000) % 10)


def test_labels_that_differ_between_severities_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "labels.npy", np.arange(50_000).astype(np.uint8))
    with pytest.raises(DataError, match=r"labels\.npy gives the severities different labels"):
        load_labels(tmp_path)


def test_a_missing_file_is_named_with_what_the_folder_should_be(folder: Path) -> None:
    with pytest.raises(DataError, match=r"snow\.npy does not exist; give the folder of the unpack"):
        load_corrupted(folder, "snow", 1)


def test_unknown_names_and_severities_are_refused_before_any_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'snow'"):
        load_corrupted(tmp_path, "snows", 1)
    with pytest.raises(ConfigError, match="Severity 6 does not exist; give a whole number from 1"):
        load_corrupted(tmp_path, "snow", 6)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (
            np.zeros((10, 32, 32, 3), np.uint8),
            r"uint8 of shape \(10, 32, 32, 3\), where CIFAR-10-C",
        ),
        (np.zeros((50_000, 1), np.float32), r"float32 of shape \(50000, 1\)"),
    ],
)
def test_another_shape_or_type_is_refused(tmp_path: Path, array: NDArray[Any], said: str) -> None:
    np.save(tmp_path / "fog.npy", array)
    with pytest.raises(DataError, match=said):
        load_corrupted(tmp_path, "fog", 1)


class Trap:
    """Unpickling it would call `pytest.fail`."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return pytest.fail, ("the file was unpickled",)


def test_nothing_is_ever_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "fog.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    (tmp_path / "snow.npy").write_bytes(pickle.dumps(Trap()))
    for name in ("fog", "snow"):
        with pytest.raises(DataError, match=rf"{name}\.npy cannot be read as a \.npy file of num"):
            load_corrupted(tmp_path, name, 1)


@pytest.mark.parametrize("size", [0, 7, 90, 100_000])
def test_a_file_cut_short_is_refused(tmp_path: Path, folder: Path, size: int) -> None:
    with (folder / "fog.npy").open("rb") as whole:
        (tmp_path / "fog.npy").write_bytes(whole.read(size))
    with pytest.raises(DataError, match=r"fog\.npy cannot be read as a \.npy file of numbers"):
        load_corrupted(tmp_path, "fog", 1)
