"""The splits of folders and archives: the one asked for, and what is held out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nda.data import load_images, load_splits
from nda.errors import DataError
from tests.support.made_images import names_in, write


@pytest.mark.parametrize(
    ("splits", "asked", "chosen"),
    [
        (("train", "test"), None, "train"),
        (("train", "test"), "test", "test"),
        (("train", "test"), "TEST", "test"),
        (("Train", "Test"), None, "Train"),
        (("all", "test"), None, "all"),
        (("test",), None, "test"),
        (("train", "unlabeled"), "unlabeled", "unlabeled"),
    ],
)
def test_the_split_asked_for_or_the_natural_one(
    tmp_path: Path, splits: tuple[str, ...], asked: str | None, chosen: str
) -> None:
    names = [f"{split}/{split}{number}.png" for split in splits for number in range(3)]
    images = load_images(write(tmp_path / "d", *names), split=asked)
    wanted = [f"{chosen}{number}.png" for number in range(3)]
    assert names_in(images, [Path(name).name for name in names]) == wanted


def test_a_missing_split_is_refused_with_those_that_exist(tmp_path: Path) -> None:
    folder = write(tmp_path / "d", "train/1.png", "train/2.png", "val/3.png", "val/4.png")
    with pytest.raises(DataError, match=r"no split 'test'. Choose one that exists: train, val"):
        load_images(folder, split="test")
    with pytest.raises(DataError, match=r"no split 'test': its images do not all lie under split"):
        load_images(folder / "train", split="test")


def test_without_train_several_splits_leave_the_choice_to_the_user(tmp_path: Path) -> None:
    folder = write(tmp_path / "d", "test/1.png", "test/2.png", "val/3.png", "val/4.png")
    with pytest.raises(DataError, match=r"no train split. Choose one that exists: test, val"):
        load_images(folder)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    images = load_images(write(tmp_path / "d", "plane/1.png", "train/2.png", "test/3.png"))
    assert images.classes == ("plane", "test", "train")


def test_masks_of_the_mvtec_layout_are_no_images_of_it(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "d", "train/good/1.png", "train/good/2.png", "test/good/3.png",
        "test/hole/4.png", "ground_truth/hole/4_mask.png",
    )  # fmt: skip
    splits = load_splits(folder)
    assert splits.train.classes == splits.heldout.classes == ("good", "hole")
    assert splits.train.labels.tolist() == [0, 0]
    assert splits.heldout.labels.tolist() == [0, 1]
    assert splits.heldout_name == "test split"


@pytest.mark.parametrize("heldout", ["test", "val", "valid", "validation"])
def test_an_own_split_is_held_out(tmp_path: Path, heldout: str) -> None:
    folder = write(
        tmp_path / "d", "train/1.png", "train/2.png", f"{heldout}/3.png", f"{heldout}/4.png"
    )
    splits = load_splits(folder)
    assert names_in(splits.train, ["1.png", "2.png"]) == ["1.png", "2.png"]
    assert names_in(splits.heldout, ["3.png", "4.png"]) == ["3.png", "4.png"]
    assert splits.heldout_name == f"{heldout} split"


@pytest.mark.parametrize(
    ("holdout", "every", "name"),
    [
        (0.1, 10, "every 10th image, held out"),
        (0.5, 2, "every 2nd image, held out"),
        (1 / 3, 3, "every 3rd image, held out"),
        (1 / 11, 11, "every 11th image, held out"),
        (1 / 21, 21, "every 21st image, held out"),
    ],
)
def test_otherwise_every_kth_image_is_held_out(
    tmp_path: Path, holdout: float, every: int, name: str
) -> None:
    names = [f"{number:02d}.png" for number in range(45)]
    splits = load_splits(write(tmp_path / "d", *reversed(names)), holdout=holdout)
    assert splits.heldout_name == name
    assert names_in(splits.heldout, names) == names[::every]
    rest = [name for number, name in enumerate(names) if number % every]
    assert names_in(splits.train, names) == rest


def test_nothing_held_out_is_said_so(tmp_path: Path) -> None:
    splits = load_splits(write(tmp_path / "d", "1.png", "2.png"), holdout=0)
    assert splits.heldout is splits.train
    assert splits.heldout_name == "training images (nothing held out)"


@pytest.mark.parametrize("holdout", [-0.1, 0.6, float("nan")])
def test_an_impossible_share_is_refused(tmp_path: Path, holdout: float) -> None:
    with pytest.raises(DataError, match=r"--holdout must be 0 .* at most 0.5; got"):
        load_splits(tmp_path, holdout=holdout)


def test_splits_of_different_sizes_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "d", "train/1.png", "train/2.png")
    write(folder, "test/3.png", "test/4.png", size=(9, 9))
    with pytest.raises(DataError, match=r"training images are 8 .* \(test split\) 9.*--resolution"):
        load_splits(folder)
    assert load_splits(folder, resolution=8).heldout.images.shape == (2, 3, 8, 8)


def test_copies_are_held_out_together_and_told(tmp_path: Path) -> None:
    for row in range(9):
        pixels = np.random.default_rng(row).integers(0, 255, (8, 8, 3)).astype(np.uint8)
        for name in (f"{row}.png", f"copy of {row}.png"):
            Image.fromarray(pixels).save(tmp_path / name)
    splits = load_splits(tmp_path, holdout=1 / 3, cache=False)
    assert (len(splits.train), len(splits.heldout)) == (12, 6)
    train = {image.numpy().tobytes() for image in splits.train.images}
    assert not any(image.numpy().tobytes() in train for image in splits.heldout.images)
    (note,) = splits.train.notes
    assert note.startswith("9 of 18 images are copies or near copies of others; copies stay on one")


def test_test_images_that_were_trained_on_are_told(tmp_path: Path) -> None:
    for split, rows in (("train", range(5)), ("test", range(3, 7))):
        (tmp_path / split).mkdir()
        for row in rows:
            pixels = np.random.default_rng(row).integers(0, 255, (8, 8, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / split / f"{split}{row}.png")
    (note,) = load_splits(tmp_path, cache=False).train.notes
    assert note.startswith("2 of 4 images of the test split are copies of training images")
