"""Class folders that are named by counts."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nda.data.images.counted import counts_by_class, counts_in
from nda.data.images.image_set import ImageSet
from nda.errors import DataError


def write(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(folder / name)
    return folder


def test_counts_are_found_in_folders_and_zips_with_and_without_splits(tmp_path: Path) -> None:
    flat = write(tmp_path / "flat", "10/a.png", "9/a.png", "0/a.png")
    assert counts_in(flat) == [0, 9, 10]
    assert counts_in(write(tmp_path / "split", "train/3/a.png", "test/2/a.png")) == [2, 3]
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.write(flat / "9" / "a.png", "9/a.png")
        archive.writestr("scenes.json", "{}")
    assert counts_in(tmp_path / "some.zip") == [9]  # no folder around everything, but a class


def test_labels_become_counts_by_the_names_of_their_classes() -> None:
    images = torch.zeros(4, 3, 2, 2, dtype=torch.uint8)
    data = ImageSet.of(images, torch.tensor([0, 2, 1, 2]), ["0", "10", "9"])
    assert counts_by_class(data).tolist() == [0, 9, 10, 9]


@pytest.mark.parametrize("name", ["dark", "06", "-1", "1.5", "six"])
def test_a_folder_that_is_no_count_is_named(tmp_path: Path, name: str) -> None:
    write(tmp_path, f"{name}/a.png", "4/a.png")
    with pytest.raises(DataError, match=f"has a folder '{name}', which is no count; name the fold"):
        counts_in(tmp_path)


def test_data_without_class_folders_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no class folders; sort its images into one folder"):
        counts_in(write(tmp_path, "a.png", "b.png"))


def test_a_set_of_torchvision_is_refused() -> None:
    with pytest.raises(DataError, match="torchvision:CIFAR10 is not sorted by numbers of objects"):
        counts_in("torchvision:CIFAR10")
