"""Shards: the same bytes for the same images, read by WebDataset, and what is refused."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nda.cli import main
from nda.data import load_images
from nda.data.shards.write import write_shards
from nda.errors import ConfigError, DataError
from nda.runtime.files import sweep
from tests.support.made_images import zipped
from tests.support.made_shards import write_folder, write_set


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_set_is_listed_with_digests_and_counts(tmp_path: Path) -> None:
    shards = write_set(tmp_path)
    listed = json.loads((shards / "shards.json").read_text())
    assert (listed["images"], listed["classes"]) == (48, {"1": 24, "2": 24})
    names = [shard["name"] for shard in listed["shards"]]
    assert names[0] == "test-000000.tar"
    assert names[1:] == [f"train-{number:06d}.tar" for number in range(len(names) - 1)]
    assert len(names) > 3
    for shard in listed["shards"]:
        content = (shards / shard["name"]).read_bytes()
        assert len(content) == shard["bytes"]
        assert hashlib.sha256(content).hexdigest() == shard["sha256"]
    assert sum(shard["images"] for shard in listed["shards"]) == 48
    assert len(contents(shards)) == 1 + 2 * len(names)


def test_the_same_images_make_the_same_bytes_wherever_they_lie(tmp_path: Path) -> None:
    shards = contents(write_set(tmp_path))
    write_shards(zipped(tmp_path / "images"), tmp_path / "of_zip", most_bytes=40_000)
    assert contents(tmp_path / "of_zip") == shards
    write_shards(tmp_path / "shards", tmp_path / "of_shards", most_bytes=40_000)
    assert contents(tmp_path / "of_shards") == shards
    write_shards(tmp_path / "images", tmp_path / "other", most_bytes=40_000, seed=1)
    assert contents(tmp_path / "other") != shards


def test_they_hold_what_the_folder_holds(tmp_path: Path) -> None:
    shards = write_set(tmp_path)
    for split in ("train", "test"):
        plain = load_images(tmp_path / "images", split=split)
        found = load_images(shards, split=split)
        assert found.fingerprint == plain.fingerprint
        assert (found.names, found.told) == (plain.names, plain.told)


def test_webdataset_reads_the_files_as_they_were_with_the_numbers_of_their_classes(
    tmp_path: Path,
) -> None:
    webdataset = pytest.importorskip("webdataset")
    shards = write_set(tmp_path)
    tars = sorted(map(str, shards.glob("train-*.tar")))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves its files open
        found = list(webdataset.WebDataset(tars, shardshuffle=False).to_tuple("png", "cls"))
        gc.collect()
    files = {path.read_bytes(): path for path in (tmp_path / "images/train").rglob("*.png")}
    assert {files[content].parent.name: cls for content, cls in found} == {"1": b"0", "2": b"1"}
    assert len({content for content, _ in found}) == len(found) == len(files) == 40
    labels = [cls for _, cls in found]
    assert labels != sorted(labels)  # of all classes from the beginning on


def test_a_shard_is_no_larger_than_asked_unless_by_a_single_image(tmp_path: Path) -> None:
    write_folder(tmp_path / "images", test=0)
    assert write_shards(tmp_path / "images", tmp_path / "one", most_bytes=1).shards == 40
    assert write_shards(tmp_path / "images", tmp_path / "all").shards == 1


def test_images_without_classes_have_none(tmp_path: Path) -> None:
    write_folder(tmp_path / "images", test=0)
    write_shards(tmp_path / "images/train/1", tmp_path / "shards")
    assert (tmp_path / "shards/images-000000.tar").exists()
    assert load_images(tmp_path / "shards").classes == ()


def test_masks_stay_masks(tmp_path: Path) -> None:
    write_folder(tmp_path / "images")
    mask = tmp_path / "images/ground_truth/2/000_mask.png"
    mask.parent.mkdir(parents=True)
    Image.new("L", (16, 16)).save(mask)
    write_shards(tmp_path / "images", tmp_path / "shards")
    assert (tmp_path / "shards/ground_truth-000000.tar").exists()
    assert "1 in ground_truth" in load_images(tmp_path / "shards").taken


def test_a_broken_image_is_refused_by_name_or_left_out(tmp_path: Path) -> None:
    write_folder(tmp_path / "images", test=0)
    (tmp_path / "images/train/1/000.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"train/1/000.png cannot be read \(not an image\)"):
        write_shards(tmp_path / "images", tmp_path / "shards")
    assert [path.name for path in tmp_path.iterdir()] == ["images"]  # nothing half done
    done = write_shards(tmp_path / "images", tmp_path / "shards", skip_broken=True)
    assert (done.images, done.skipped) == (39, ("train/1/000.png (not an image)",))


def test_none_that_can_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"has no image that can be read, the first a.png \(not"):
        write_shards(tmp_path / "images", tmp_path / "shards", skip_broken=True)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folder(tmp_path / "images")
    words = ["data", "shard", str(tmp_path / "images"), "--out", str(tmp_path / "shards")]
    assert main(words) == 0
    said = capsys.readouterr()
    assert said.out.startswith("48 images in 2 shards, 0.1 MiB: ")
    assert "left out" not in said.err
    for name in ("boxes.xml", "more.xml", "clip.mp4"):
        (tmp_path / "images" / name).touch()
    assert main([*words, "--overwrite"]) == 0
    assert (
        "Shards hold images, their classes and masks; left out: files of endings that are not "
        "read (.mp4 1, .xml 2)." in capsys.readouterr().err
    )
    assert main(words) == 2
    assert "exists already and would be lost" in capsys.readouterr().err
    before = contents(tmp_path / "shards")
    assert main([*words, "--seed", "1", "--overwrite"]) == 0
    assert contents(tmp_path / "shards") != before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "shards"]


def test_what_was_killed_goes_after_a_day(tmp_path: Path) -> None:
    """A process that is killed leaves its tars behind, as large as the images."""
    old, new = (tmp_path / f".nda-{2**31 - 1}-{name}.part" for name in ("old", "new"))
    for left in (old, new):
        left.mkdir()
        (left / "train-000000.tar").write_bytes(b"half")
    os.utime(old, (0, 0))
    write_set(tmp_path)
    assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["torchvision:CIFAR10", "--out", "o"], "torchvision:CIFAR10 has no files to put into"),
        (["nowhere", "--out", "o"], "There is no nowhere."),
        (["images", "--out", "images/o"], "--out images/o lies within images"),
        (["images", "--out", "o", "--shard_mib", "0"], "shard_mib is 0; it must be at least 1."),
        (["images", "--out", "o", "--seed", "-1"], "seed is -1; it must be at least 0."),
        (["empty", "--out", "o"], "empty holds no images"),
        (["images"], "out"),
    ],
    ids=str,
)
def test_refused(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_folder(Path("images"), train=2, test=0)
    Path("empty").mkdir()
    assert main(["data", "shard", *words]) == 2
    assert message in capsys.readouterr().err
    assert not Path("o").exists()


def test_a_set_that_is_replaced_is_never_left_to_a_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = write_set(tmp_path)
    before, rename = contents(shards), Path.rename

    def killed(self: Path, target: Path) -> Path:
        if self != shards:  # the new set, once the old one is out of its way
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        write_shards(tmp_path / "images", shards)
    sweep(tmp_path)
    (left,) = tmp_path.glob("*.replaced-*")
    assert contents(left) == before


def test_through_a_link_the_folder_that_it_points_to_is_replaced(tmp_path: Path) -> None:
    write_folder(tmp_path / "images")
    write_shards(tmp_path / "images", tmp_path / "shards")
    before = contents(tmp_path / "shards")
    link, elsewhere = tmp_path / "link", tmp_path / "elsewhere"
    elsewhere.mkdir()
    link.symlink_to(elsewhere)
    for _ in range(2):  # into an empty folder, and over shards
        write_shards(tmp_path / "images", link)
        assert link.is_symlink()
        assert contents(elsewhere) == before
    assert not list(tmp_path.glob("*.replaced-*"))


def test_where_a_disk_is_mounted_nothing_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = write_set(tmp_path)
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == shards)
    with pytest.raises(ConfigError, match="is where a disk is mounted, which cannot be replaced"):
        write_shards(tmp_path / "images", shards)


def test_a_folder_of_other_files_is_never_replaced(tmp_path: Path) -> None:
    shards = write_set(tmp_path)
    (shards / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"shards holds thesis.txt, which is no shard"):
        write_shards(tmp_path / "images", shards)
    other = tmp_path / "other"
    shutil.copytree(shards, other)
    (other / "shards.json").unlink()
    (other / "thesis.txt").unlink()
    with pytest.raises(ConfigError, match=r"holds test-000000.json, which is no shard"):
        write_shards(tmp_path / "images", other)


def test_pictures_of_any_kind_keep_their_bytes_and_ending(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    for name in ("a.b.JPG", "c.webp", "d.png"):
        Image.fromarray(pixels).save(tmp_path / "images" / name)
    write_shards(tmp_path / "images", tmp_path / "shards")
    assert torch.equal(
        load_images(tmp_path / "images").images, load_images(tmp_path / "shards").images
    )
    assert load_images(tmp_path / "shards").names == ("a.b.JPG", "c.webp", "d.png")
