"""Folders and archives that cannot be used, and files that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from nda.data import load_images
from nda.errors import DataError
from tests.support.made_images import names_in, write, zipped


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

    monkeypatch.setattr("nda.data.reading.source.os.scandir", refuse)
    with pytest.raises(DataError, match=r"cannot be read \(Permission denied\). Check the path"):
        load_images(folder)


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
