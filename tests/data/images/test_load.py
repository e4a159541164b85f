"""Folders and archives as a user has them: their layouts, classes and sizes."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from nda.data import load_images, load_splits
from nda.errors import DataError
from tests.support.made_images import names_in, write, zipped

REAL = Path(__file__).parents[3].parent / "shared" / "data"


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
    began = time.process_time()
    first = load_splits(archive)
    taken = time.process_time() - began
    assert (len(first.train), len(first.heldout)) == (50_000, 10_000)
    assert torch.bincount(first.train.labels).tolist() == [5000] * 10
    assert torch.bincount(first.heldout.labels).tolist() == [1000] * 10
    began = time.process_time()
    second = load_splits(archive)
    assert time.process_time() - began < taken / 2  # decoded once only
    assert second.train.fingerprint == first.train.fingerprint
    assert second.heldout.fingerprint == first.heldout.fingerprint
