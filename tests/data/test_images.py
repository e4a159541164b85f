"""Folders and archives as a user has them: layouts, splits, classes, hold-out and refusals."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from made_images import names_in, write, zipped
from PIL import Image

from nda.data import load_images, load_splits
from nda.errors import DataError

REAL = Path(__file__).parents[2].parent / "shared" / "data"


def test_plain_images_come_in_order_of_their_names_without_classes(tmp_path: Path) -> None:
    folder = write(tmp_path / "d", "b.png", "c.png", "a.png")
    images = load_images(folder)
    assert images.images.shape == (3, 3, 8, 8)
    assert images.images.dtype == torch.uint8
    assert names_in(images, ["a.png", "b.png", "c.png"]) == ["a.png", "b.png", "c.png"]
    assert images.labels.tolist() == [0, 0, 0]
    assert images.classes == images.skipped == ()


def test_class_folders_become_sorted_labels_and_deeper_folders_belong_to_them(
    tmp_path: Path,
) -> None:
    folder = write(tmp_path / "d", "dog/1.png", "cat/2.png", "cat/deep/er/3.png", "eel/4.png")
    images = load_images(folder)
    assert images.classes == ("cat", "dog", "eel")
    assert images.labels.tolist() == [0, 0, 1, 2]


@pytest.mark.parametrize("top", ["", "wrapper/", "./"])
def test_a_zip_is_read_like_its_folder(tmp_path: Path, top: str) -> None:
    folder = write(tmp_path / "d", "train/a/1.png", "train/b/2.png", "test/a/3.png", "test/b/4.png")
    archive = zipped(folder, top)
    for split in ("train", "test"):
        from_zip = load_images(archive, split=split)
        assert from_zip.classes == ("a", "b")
        assert from_zip.fingerprint == load_images(folder, split=split).fingerprint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d", "d.zip"]  # nothing extracted


def test_hidden_files_macos_droppings_and_other_files_are_left_out(tmp_path: Path) -> None:
    folder = write(tmp_path / "d", "cat/1.png", "dog/2.png", "__MACOSX/cat/._1.png", "cat/.x.png")
    write(folder, ".cache/3.png")
    (folder / "classes.txt").write_text("cat dog")
    for source in (folder, zipped(folder)):
        images = load_images(source)
        assert len(images) == 2
        assert images.classes == ("cat", "dog")


def test_links_are_followed_and_a_loop_ends(tmp_path: Path) -> None:
    elsewhere = write(tmp_path / "elsewhere", "1.png", "2.png")
    folder = write(tmp_path / "d", "dog/3.png")
    (folder / "cat").symlink_to(elsewhere)
    (folder / "dog" / "4.png").symlink_to(elsewhere / "1.png")
    (folder / "dog" / "back").symlink_to(folder)
    assert load_images(folder).labels.tolist() == [0, 0, 1, 1]


# --- splits


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


# --- how images are brought to size


def long_images(folder: Path) -> Path:
    """Black, with white ends that a square from the middle does not show."""
    folder.mkdir()
    for number in range(2):
        image = Image.new("L", (64, 16))
        image.paste(255, (0, 0, 8, 16))
        image.paste(255, (56, 0, 64, 16))
        image.save(folder / f"{number}.png")
    return folder


def test_stretching_shows_all_of_an_image_and_the_cache_keeps_both_fits_apart(
    tmp_path: Path, own_cache: Path
) -> None:
    folder = long_images(tmp_path / "d")
    for source in (folder, zipped(folder)):
        for _ in range(2):  # decoded, then from the cache
            assert load_images(source, resolution=16).images.max() == 0
            stretched = load_images(source, resolution=16, fit="stretch").images
            assert stretched.shape == (2, 3, 16, 16)
            assert stretched[..., 0].min() > 240
            assert stretched[..., 15].min() > 240
    assert len(list(own_cache.glob("images-*"))) == 4


def test_the_cache_keeps_what_was_there_before_there_was_a_choice(
    tmp_path: Path, own_cache: Path
) -> None:
    folder = long_images(tmp_path / "d")
    load_images(folder, resolution=16)
    (first,) = own_cache.glob("images-*")
    load_images(folder, resolution=16, fit="crop")
    assert list(own_cache.glob("images-*")) == [first]


# --- classes


def test_only_the_classes_asked_for_are_kept_and_numbered_anew(tmp_path: Path) -> None:
    folder = write(tmp_path / "d", "a/1.png", "b/2.png", "c/3.png", "c/4.png")
    images = load_images(folder, classes=["c", "a"])
    assert images.classes == ("a", "c")
    assert images.labels.tolist() == [0, 1, 1]
    assert names_in(images, ["1.png", "3.png", "4.png"]) == ["1.png", "3.png", "4.png"]


def test_an_unknown_class_is_refused_with_the_nearest_and_the_list(tmp_path: Path) -> None:
    folder = write(tmp_path / "d", "frog/1.png", "horse/2.png")
    with pytest.raises(DataError, match=r"no class 'hors'. Did you mean 'horse'\? It has frog, h"):
        load_images(folder, classes=["hors"])
    with pytest.raises(DataError, match=r"no class folders, so no class 'hors'"):
        load_images(write(tmp_path / "plain", "1.png", "2.png"), classes=["hors"])


def test_an_image_beside_the_class_folders_is_refused_by_name(tmp_path: Path) -> None:
    folder = write(tmp_path / "d", "a/1.png", "b/2.png", "loose.png", "more.png")
    with pytest.raises(DataError, match=r"loose.png and 1 more lies beside the class folders"):
        load_images(folder)


# --- what cannot be used


def test_a_missing_path_is_refused_with_its_nearest_sibling(tmp_path: Path) -> None:
    write(tmp_path / "flowers", "1.png", "2.png")
    with pytest.raises(DataError, match=r"There is no .*flowres. Did you mean .*flowers\?"):
        load_images(tmp_path / "flowres")
    with pytest.raises(DataError, match=r"There is no .*zzz. Check the path."):
        load_images(tmp_path / "nowhere" / "zzz")


def test_folders_and_zips_without_images_are_refused(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    with pytest.raises(DataError, match=r"holds no images \(.avif, .*.webp\). It is empty."):
        load_images(tmp_path / "d")
    (tmp_path / "d" / "inner.zip").write_text("")
    for source in (tmp_path / "d", zipped(tmp_path / "d")):
        with pytest.raises(DataError, match=r"holds no images .* It holds inner.zip."):
            load_images(source)


@pytest.mark.parametrize("names", [["a.png"], ["x/a.png"], ["train/a.png", "test/b.png"]])
def test_one_image_is_not_enough(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(DataError, match=r"has 1 image in .*; at least 2 are needed"):
        load_images(write(tmp_path / "d", *names))


def test_a_class_without_images_in_the_split_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "d", "train/a/1.png", "train/a/2.png", "test/b/3.png")
    with pytest.raises(DataError, match=r"0 images in the train split of class b"):
        load_images(folder, classes=["b"])


def test_a_single_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "1.png")
    with pytest.raises(DataError, match=r"1.png is a single file. Give a folder"):
        load_images(tmp_path / "1.png")


def test_a_folder_that_may_not_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "d", "cat/1.png", "cat/2.png")

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("nda.data.sources.os.scandir", refuse)
    with pytest.raises(DataError, match=r"cannot be read \(Permission denied\). Check the path"):
        load_images(folder)


# --- broken files


@pytest.fixture
def partly_broken(tmp_path: Path) -> Path:
    folder = write(tmp_path / "d", *(f"{number}.png" for number in range(6)))
    (folder / "0.png").write_bytes(b"")
    (folder / "2.png").write_text("no picture at all")
    Image.effect_noise((64, 64), 50).save(folder / "whole.jpg")
    (folder / "7.jpg").write_bytes((folder / "whole.jpg").read_bytes()[:-400])
    (folder / "whole.jpg").unlink()
    (folder / "9.png").symlink_to("nothing")
    return folder


def test_broken_files_are_refused_by_name(partly_broken: Path) -> None:
    for source in (partly_broken, str(partly_broken)):
        with pytest.raises(DataError) as refused:
            load_images(source)
        message = str(refused.value)
        assert "0.png cannot be read (an empty file) and 3 more" in message
        assert "--skip-broken" in message


def test_broken_files_are_skipped_counted_and_named(partly_broken: Path) -> None:
    images = load_images(partly_broken, skip_broken=True)
    kept = ["1.png", "3.png", "4.png", "5.png"]
    assert names_in(images, kept) == kept
    assert len(images.labels) == 4
    reasons = ["0.png: an empty file", "2.png: not an image", "7.jpg: ", "9.png: "]
    for skipped, reason in zip(images.skipped, reasons, strict=True):
        assert skipped.startswith(reason)
    assert "truncated" in images.skipped[2]
    # The cache must not let them through when they are not to be skipped.
    with pytest.raises(DataError, match="cannot be read"):
        load_images(partly_broken)


def test_when_hardly_anything_is_left_skipping_is_refused_too(tmp_path: Path) -> None:
    folder = write(tmp_path / "d", "1.png")
    (folder / "2.png").write_text("broken")
    with pytest.raises(DataError, match="only 1 of 2 images can be read"):
        load_images(folder, skip_broken=True)
    (folder / "1.png").write_text("broken")
    with pytest.raises(
        DataError, match=r"1.png cannot be read .* and 1 more. Mend it or take it away.$"
    ):
        load_images(folder, skip_broken=True)


# --- real data


@pytest.mark.skipif(not (REAL / "digits_chars74k.zip").is_file(), reason="needs the real data")
def test_real_digits() -> None:
    splits = load_splits(REAL / "digits_chars74k.zip")
    assert (len(splits.train), len(splits.heldout)) == (796, 89)
    assert splits.train.images.shape[1:] == (3, 32, 32)
    assert splits.train.classes == tuple("0123456789")
    assert splits.train.labels.unique().tolist() == splits.heldout.labels.unique().tolist()


@pytest.mark.slow
@pytest.mark.skipif(not (REAL / "cifar10.zip").is_file(), reason="needs the real data")
def test_real_cifar10_is_complete_and_quick_the_second_time(tmp_path: Path) -> None:
    archive = Path(shutil.copy(REAL / "cifar10.zip", tmp_path))
    first = load_splits(archive)
    assert (len(first.train), len(first.heldout)) == (50_000, 10_000)
    assert torch.bincount(first.train.labels).tolist() == [5000] * 10
    assert torch.bincount(first.heldout.labels).tolist() == [1000] * 10
    began = time.process_time()
    second = load_splits(archive)
    assert time.process_time() - began < 2
    assert second.train.fingerprint == first.train.fingerprint
    assert second.heldout.fingerprint == first.heldout.fingerprint


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
