from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from PIL import Image
from torchvision import datasets

from nda.cli import main
from nda.data import load_images, load_splits
from nda.data.images import torchvision as torchvision_sets
from nda.errors import DataError


class Stub:
    """Stands in for a torchvision set: image i has grey level i; `targets` are given."""

    targets: tuple[int | None, ...] = (1, 0, 2, 1)
    arguments: dict[str, Any]

    def __init__(self, root: str, **arguments: object) -> None:
        type(self).arguments = {"root": root, **arguments}

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Image.Image, int | None]:
        return Image.new("RGB", (8, 8), (index, index, index)), self.targets[index]


class Named(Stub):
    classes = ("T-shirt", "Trouser", "Bag")


class Unlabelled(Stub):
    classes = ("airplane", "bird")
    targets = (1, -1, 0, -1)


class Faces(Stub):
    targets = (None, None)


@pytest.fixture(autouse=True)
def permitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NDA_DOWNLOAD", "1")


def test_without_permission_nothing_is_fetched_and_a_sentence_says_what_would_be(
    monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    monkeypatch.delenv("NDA_DOWNLOAD")
    said = rf"not in {own_cache}/torchvision, .*--download fetches it there from .*, about \d"
    for name in torchvision_sets._ORIGINS:
        with pytest.raises(DataError, match=said):
            load_images(f"torchvision:{name}", split="test")
    assert not list(own_cache.rglob("*.gz"))
    monkeypatch.setattr(datasets, "FashionMNIST", Named)  # as one that is there
    assert len(load_images("torchvision:FashionMNIST")) == 4
    assert Named.arguments["download"] is False


@pytest.mark.parametrize("given", [True, False])
def test_the_command_line_permits_it_for_a_command_alone(
    given: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own_cache: Path
) -> None:
    monkeypatch.delenv("NDA_DOWNLOAD")
    monkeypatch.setattr(datasets, "FashionMNIST", Named)
    words = ["preview", "torchvision:FashionMNIST", "--out", str(tmp_path / "p.png")]
    assert main([*words, *["--download"] * given]) == 0
    assert Named.arguments["download"] is given
    assert "NDA_DOWNLOAD" not in os.environ


def test_fake_data_need_no_network_and_stay_the_same() -> None:
    state = torch.get_rng_state()
    images = load_images("torchvision:FakeData", cache=False)
    assert torch.equal(torch.get_rng_state(), state)
    assert images.images.shape == (1000, 3, 32, 32)
    assert images.classes == tuple("0123456789")
    assert images.fingerprint == load_images("torchvision:FakeData").fingerprint
    assert load_images("torchvision:FakeData", resolution=16).images.shape[2:] == (16, 16)


def test_fake_data_have_no_test_split_so_a_part_is_held_out() -> None:
    splits = load_splits("torchvision:FakeData", resolution=8, holdout=0.2)
    assert (len(splits.train), len(splits.heldout)) == (800, 200)
    assert splits.heldout_name == "every 5th image, held out"
    whole = load_splits("torchvision:FakeData", resolution=8, holdout=0)
    assert whole.train is whole.heldout


def test_labels_keep_the_numbering_of_the_set(
    monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    monkeypatch.setattr(datasets, "FashionMNIST", Named)
    images = load_images("torchvision:FashionMNIST")
    assert images.classes == ("T-shirt", "Trouser", "Bag")
    assert images.labels.tolist() == [1, 0, 2, 1]
    root = str(own_cache / "torchvision")
    assert Named.arguments == {"root": root, "train": True, "download": True}


def test_classes_that_are_kept_are_numbered_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "FashionMNIST", Named)
    images = load_images("torchvision:FashionMNIST", classes=["Bag", "Trouser"])
    assert images.classes == ("Trouser", "Bag")
    assert images.labels.tolist() == [0, 1, 0]
    assert images.images[:, 0, 0, 0].tolist() == [0, 2, 3]
    with pytest.raises(DataError, match=r"no class 'bag'. Did you mean 'Bag'"):
        load_images("torchvision:FashionMNIST", classes=["bag"])


def test_the_second_time_comes_from_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "SVHN", Stub)
    first = load_images("torchvision:SVHN", split="test")
    assert Stub.arguments["split"] == "test"
    assert first.classes == ("0", "1", "2")
    monkeypatch.setattr(datasets, "SVHN", None)
    assert load_images("torchvision:SVHN", split="test").fingerprint == first.fingerprint


def test_stl10_trains_on_its_unlabelled_images_as_the_paper_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(datasets, "STL10", Unlabelled)
    images = load_images("torchvision:STL10")
    assert Unlabelled.arguments["split"] == "unlabeled"
    assert images.classes == ()
    assert images.labels.tolist() == [0, 0, 0, 0]


def test_faces_have_no_classes_and_a_test_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "CelebA", Faces)
    splits = load_splits("torchvision:CelebA", resolution=4)
    assert splits.train.classes == ()
    assert splits.heldout_name == "test split"
    assert Faces.arguments["split"] == "test"
    assert Faces.arguments["target_type"] == []


def test_sets_of_tall_pictures_are_cropped_or_stretched(
    monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    class Tall(Faces):
        def __getitem__(self, index: int) -> tuple[Image.Image, int | None]:
            picture = Image.new("L", (8, 24))
            picture.paste(255, (0, 0, 8, 6))  # above the middle
            return picture, None

    monkeypatch.setattr(datasets, "CelebA", Tall)
    for _ in range(2):  # made, then from the cache
        assert load_images("torchvision:CelebA", resolution=8).images.max() == 0
        stretched = load_images("torchvision:CelebA", resolution=8, fit="stretch").images
        assert stretched[:, :, 0].min() > 240
    assert len(list(own_cache.glob("images-*"))) == 2


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(DataError, match=r"torchvision:cifar10 .*Did you mean torchvision:CIFAR10"):
        load_images("torchvision:cifar10")
    with pytest.raises(DataError, match=r"torchvision:Qqq is not known. Known names: CIFAR10, C"):
        load_images("torchvision:Qqq")


def test_a_missing_split_is_refused() -> None:
    with pytest.raises(DataError, match=r"CIFAR10 has no split 'val'.*exists: train, test"):
        load_images("torchvision:CIFAR10", split="val")


@pytest.mark.parametrize(
    "error",
    [URLError("no route"), RuntimeError("File not found or corrupted"), ImportError("gdown")],
)
def test_what_cannot_be_fetched_says_where_to_put_it(
    monkeypatch: pytest.MonkeyPatch, own_cache: Path, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(datasets, "CIFAR10", fail)
    with pytest.raises(DataError, match=r"CIFAR10 could not be fetched .* needs the network") as it:
        load_images("torchvision:CIFAR10")
    assert str(own_cache / "torchvision") in str(it.value)
