"""Folders as people have them: wrappers, splits of other names, folders that systems make."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, features

from nda.data import load_images
from nda.data.images.stream import open_stream
from nda.data.reading.layout import parse_layout, split_of
from nda.errors import DataError
from tests.support.made_images import write, zipped

MVTEC = ("train/good/1.png", "train/good/2.png", "test/good/3.png", "test/bad/4.png")


@pytest.mark.parametrize("below", ["", "set/", "a/b/c/"])
@pytest.mark.parametrize("form", ["folder", "zip", "wrapped zip"])
def test_lone_folders_around_splits_are_looked_through(
    tmp_path: Path, form: str, below: str
) -> None:
    source = write(tmp_path / "d", *(below + name for name in MVTEC))
    if form != "folder":
        source = zipped(source, "top/" if form == "wrapped zip" else "")
    images = load_images(source)
    assert len(images) == 2
    assert images.classes == ("bad", "good")


def test_a_lone_class_folder_of_a_folder_stays_a_class(tmp_path: Path) -> None:
    assert load_images(write(tmp_path / "d", "cat/1.png", "cat/2.png")).classes == ("cat",)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("Training", "train"),
        ("TESTING", "test"),
        ("test_public", "test"),
        ("dev", "val"),
        ("Valid", "valid"),
        ("test_private", "test_private"),
        ("trains", ""),
    ],
)
def test_split_names(name: str, split: str) -> None:
    assert split_of(name) == split


def test_a_split_may_be_asked_for_by_its_own_name(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "d", "Training/1.png", "Training/2.png", "Testing/3.png", "Testing/4.png"
    )
    for split in ("Testing", "test"):
        assert len(load_images(folder, split=split)) == 2


def test_masks_inside_a_split_are_no_images(tmp_path: Path) -> None:
    names = (
        *("train/good/1.png", "validation/good/1.png", "test_private/1.png"),
        *("test_public/good/1.png", "test_public/bad/1.png"),
        "test_public/ground_truth/bad/1_mask.png",
    )
    found = {(entry.split, entry.label) for entry in parse_layout(names)}
    assert found == {
        *(("train", "good"), ("validation", "good"), ("test_private", "")),
        *(("test", "good"), ("test", "bad")),
    }
    with open_stream(write(tmp_path / "d", *names)) as stream:
        assert stream.count == 5


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("train/a/1.png", "extra/a/1.png"), r"splits \(train\) beside what is none \(extra\)"),
        (("train/a/1.png", "1.png"), r"\(train\) beside what is none \(loose images\)"),
        (("bottle/train/1.png", "cable/test/1.png"), r"\(bottle/train, cable/test\)"),
        (("bottle/1.png", "cable/ground_truth/1.png"), r"\(cable/ground_truth\)"),
    ],
)
def test_splits_among_other_folders_are_refused(names: tuple[str, ...], told: str) -> None:
    with pytest.raises(DataError, match=told):
        parse_layout(names)


@pytest.mark.parametrize("as_zip", [False, True])
def test_folders_that_systems_make_are_passed_over(tmp_path: Path, as_zip: bool) -> None:
    systems = ("@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found", "#recycle")
    names = [f"cat/{name}/1.png/t.png" for name in (*systems, ".Trash-1000", ".thumbnails")]
    folder = write(tmp_path / "d", "cat/1.png", "dog/2.png", *names)
    assert len(load_images(zipped(folder) if as_zip else folder)) == 2


@pytest.mark.parametrize(
    ("ending", "format_", "feature"),
    [("jfif", "JPEG", "jpg"), ("avif", "AVIF", "avif"), ("jp2", "JPEG2000", "jpg_2000")],
)
def test_pictures_of_rarer_endings_are_read(
    tmp_path: Path, ending: str, format_: str, feature: str
) -> None:
    if not features.check(feature):
        pytest.skip(f"Pillow without {feature}")
    for name in "ab":
        Image.new("RGB", (8, 8), "red").save(tmp_path / f"{name}.{ending}", format_)
    assert len(load_images(tmp_path)) == 2


def test_what_was_taken_and_passed_over_is_told(tmp_path: Path) -> None:
    for name in ("train/a/0.png", "train/a/1.png", "train/b/2.png", "test/a/3.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (int(name[-5]) * 60, 0, 0)).save(tmp_path / name)
    (tmp_path / "ground_truth").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "ground_truth" / "3.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "train" / "z.tga")
    for name in ("train/x.heic", "train/y.HEIC", "train/README"):
        (tmp_path / name).touch()
    images = load_images(tmp_path, cache=False)
    assert images.taken == (
        "3 images of split train (a 2, b 1) are taken; passed over: 1 of split test, "
        "1 in ground_truth, files of endings that are not read (.heic 2, .tga 1, no ending 1)."
    )
