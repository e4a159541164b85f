"""Data sets that torchvision can fetch, by the names `torchvision:NAME`."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from nda.data.images.image_set import ImageSet
from nda.data.reading.decode import Fit, decode_all
from nda.errors import DataError
from nda.extras import needed

# NAME: split: arguments of torchvision.datasets.NAME
_SETS: dict[str, dict[str, dict[str, Any]]] = {
    "CIFAR10": {"train": {"train": True}, "test": {"train": False}},
    "CIFAR100": {"train": {"train": True}, "test": {"train": False}},
    "MNIST": {"train": {"train": True}, "test": {"train": False}},
    "FashionMNIST": {"train": {"train": True}, "test": {"train": False}},
    "SVHN": {"train": {"split": "train"}, "test": {"split": "test"}},
    # GANs are trained on STL-10's 100,000 images without a class, as in the paper.
    "STL10": {"train": {"split": "unlabeled"}, "test": {"split": "test"}},
    "CelebA": {
        "train": {"split": "train", "target_type": []},
        "val": {"split": "valid", "target_type": []},
        "test": {"split": "test", "target_type": []},
    },
    "FakeData": {"all": {}},  # noise made on the spot, for trying things out
}
_FAKE_SIDE = 32
# Where torchvision fetches the sets, and how much there is to fetch.
_ORIGINS = {
    "CIFAR10": ("www.cs.toronto.edu", "170 MB"),
    "CIFAR100": ("www.cs.toronto.edu", "170 MB"),
    "MNIST": ("ossci-datasets.s3.amazonaws.com", "12 MB"),
    "FashionMNIST": ("fashion-mnist.s3-website.eu-central-1.amazonaws.com", "31 MB"),
    "SVHN": ("ufldl.stanford.edu", "250 MB"),
    "STL10": ("ai.stanford.edu", "2.6 GB"),
    "CelebA": ("drive.google.com", "1.5 GB"),
}
# The variable of the environment that permits to fetch a set: a person's word, which is why no
# setting of a run can give it.
PERMISSION = "NDA_DOWNLOAD"


def torchvision_splits(name: str) -> tuple[str, ...]:
    """The splits of a set; an unknown name is refused with the nearest one (`DataError`)."""
    if name not in _SETS:
        by_lower = {known.lower(): known for known in _SETS}
        near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.4)
        hint = f"Did you mean torchvision:{by_lower[near[0]]}? " if near else ""
        raise DataError(
            f"torchvision:{name} is not known. {hint}Known names: {', '.join(sorted(_SETS))}."
        )
    return tuple(_SETS[name])


def load_torchvision(
    name: str, split: str, resolution: int | None, folder: Path, fit: Fit = "crop"
) -> ImageSet:
    """One split of a known set, fetched into `folder` where that is permitted and it is not there.

    Labels keep the set's own numbering and `classes` its order of names; sets of which some
    images have no class get none. Raises `DataError` where the set cannot or may not be fetched.
    """
    data = _dataset(name, split, resolution, folder)
    labels = np.zeros(len(data), np.int64)

    def open_image(index: int) -> Image.Image:
        image, target = data[index]
        labels[index] = -1 if target is None else int(target)
        opened: Image.Image = image
        return opened

    pixels, _ = decode_all(
        open_image,
        [f"image {index}" for index in range(len(data))],
        where=f"torchvision:{name}",
        resolution=resolution,
        skip_broken=False,
        fit=fit,
        threads=1 if name == "FakeData" else None,  # it borrows torch's global generator
    )
    images = torch.from_numpy(pixels)
    if len(labels) == 0 or labels.min() < 0:
        return ImageSet.of(images)
    classes = getattr(data, "classes", None) or [str(label) for label in range(labels.max() + 1)]
    return ImageSet.of(images, torch.from_numpy(labels), classes)


def _dataset(name: str, split: str, resolution: int | None, folder: Path) -> Any:
    with needed(f"torchvision:{name} needs torchvision", "train"):
        from torchvision import datasets

    if name == "FakeData":
        side = resolution or _FAKE_SIDE
        return datasets.FakeData(size=1000, image_size=(3, side, side))
    make, arguments = getattr(datasets, name), _SETS[name][split]
    if os.environ.get(PERMISSION) != "1":
        try:
            return make(str(folder), download=False, **arguments)
        except (OSError, RuntimeError) as error:
            whence, size = _ORIGINS[name]
            raise DataError(
                f"torchvision:{name} is not in {folder}, or not whole; --download fetches it there "
                f"from {whence}, about {size}."
            ) from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return make(str(folder), download=True, **arguments)
    except (OSError, RuntimeError, ImportError) as error:  # urllib's errors are OSErrors
        raise DataError(
            f"torchvision:{name} could not be fetched ({error}). Fetching needs the network; "
            f"without it, put the files that torchvision expects into {folder}."
        ) from error
