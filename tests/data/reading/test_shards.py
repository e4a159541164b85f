"""Folders of tars: damaged sets are refused in a sentence, those of other writers are read."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nda.data import load_images
from nda.data.images.stream import open_stream
from nda.errors import DataError
from nda.runtime.sealed import sealed_json
from tests.support.made_images import colour_of, names_in
from tests.support.made_shards import write_set


def cut(shards: Path) -> None:
    tar = shards / "train-000001.tar"
    tar.write_bytes(tar.read_bytes()[:-600])


def lengthen(shards: Path) -> None:
    with (shards / "train-000001.tar").open("ab") as file:
        file.write(bytes(512))


def exchange_index(shards: Path) -> None:
    other = (shards / "train-000002.json").read_bytes()
    (shards / "train-000001.json").write_bytes(other)


def damage(name: str) -> Callable[[Path], None]:
    def change(shards: Path) -> None:
        content = (shards / name).read_text()
        (shards / name).write_text(content.replace("train", "trian", 1))

    return change


def flip(shards: Path) -> None:
    """One bit of an image; the size stays."""
    index = json.loads((shards / "train-000001.json").read_text())
    content = bytearray((shards / "train-000001.tar").read_bytes())
    content[index["offsets"][3] + 60] ^= 1
    (shards / "train-000001.tar").write_bytes(content)


def claim(name: str, change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    """A file that says something else, under a digest of its own."""

    def changed(shards: Path) -> None:
        content = json.loads((shards / name).read_text())
        content.pop("sha256")
        change(content)
        (shards / name).write_text(sealed_json(content))

    return changed


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut": (
        cut,
        r"train-000001.tar has [0-9,]+ bytes, and shards.json says [0-9,]+: it is cut short",
    ),
    "longer": (lengthen, r"train-000001.tar has .* bytes, and shards.json says .*: it is changed"),
    "missing": (
        lambda shards: (shards / "train-000001.tar").unlink(),
        r"train-000001.tar, a shard that shards.json names, is missing. Fetch it again.",
    ),
    "no index": (
        lambda shards: (shards / "train-000001.json").unlink(),
        r"train-000001.json, the index of a shard, is missing.",
    ),
    "one too many": (
        lambda shards: (shards / "more.tar").write_bytes(b""),
        r"more.tar is a shard that shards.json beside it does not name.",
    ),
    "index of another": (
        exchange_index,
        r"train-000001.json is the index of another shard than shards.json names.",
    ),
    "list": (damage("shards.json"), r"shards.json is damaged, or not as 'nda data shard' writes"),
    "index": (damage("train-000001.json"), r"train-000001.json is damaged, or not as 'nda data"),
    "no list": (
        lambda shards: (shards / "shards.json").write_text("[]"),
        r"shards.json is damaged, or not as 'nda data shard' writes it \(its keys",
    ),
    "lost list": (
        lambda shards: (shards / "shards.json").unlink(),
        r"shards.json, the list of the shards there, is missing. Fetch it again, or make",
    ),
    "loose image": (
        lambda shards: (shards / "more.png").write_bytes(b""),
        r"more.png lies beside shards, and only what shards.json names is taken. Move it away",
    ),
    "name outside": (
        claim("train-000001.json", lambda said: said["names"].__setitem__(0, "a/../../b.png")),
        r"train-000001.json is damaged.*'a/../../b.png' is a name that points outside",
    ),
    "absolute name": (
        claim("train-000001.json", lambda said: said["names"].__setitem__(0, "/b.png")),
        r"train-000001.json is damaged.*'/b.png' is a name that points outside",
    ),
    "shard outside": (
        claim("shards.json", lambda said: said["shards"][0].update(name="../train-000000.tar")),
        r"shards.json is damaged.*it names '../train-000000.tar', which is no tar beside it",
    ),
    "size of words": (
        claim("shards.json", lambda said: said["shards"][0].update(bytes="many")),
        r"shards.json is damaged.*is no size and digest",
    ),
    "no shards": (
        claim("shards.json", lambda said: said.update(shards=[3])),
        r"shards.json is damaged, or not as 'nda data shard' writes it",
    ),
    "place of words": (
        claim("train-000001.json", lambda said: said["offsets"].__setitem__(0, "here")),
        r"train-000001.json is damaged.*does not say of each image where it lies",
    ),
    "one place too few": (
        claim("train-000001.json", lambda said: said["sizes"].pop()),
        r"train-000001.json is damaged.*does not say of each image where it lies",
    ),
    "changed": (
        flip,
        r"train/./0...png cannot be read \(train-000001.tar has other bytes there than were "
        r"written into it\). Mend it or take it away, or give --skip-broken.",
    ),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_set_is_refused(tmp_path: Path, what: str) -> None:
    shards = write_set(tmp_path)
    load_images(shards, cache=False)
    change, message = DAMAGES[what]
    change(shards)
    with pytest.raises(DataError, match=message):
        load_images(shards, cache=False)


def test_a_folder_around_shards_is_refused_with_theirs(tmp_path: Path) -> None:
    """Without their list their classes would be numbers."""
    shards = write_set(tmp_path / "inner")
    around = shards.parent / "around"
    around.mkdir()
    shards.rename(around / "set")
    with pytest.raises(DataError, match=r"around has shards with their list .* Give .*around/set"):
        load_images(around)


def test_an_index_of_somebody_else_is_none(tmp_path: Path) -> None:
    write_tar(tmp_path / "s.tar", {"a.png": png("a"), "b.png": png("b")})
    (tmp_path / "s.json").write_text('{"count": 2}')
    assert len(load_images(tmp_path)) == 2


def test_a_set_of_a_later_version_is_refused(tmp_path: Path) -> None:
    shards = write_set(tmp_path)
    content = json.loads((shards / "shards.json").read_text()) | {"version": 2}
    content.pop("sha256")
    (shards / "shards.json").write_text(sealed_json(content))
    with pytest.raises(DataError, match=r"shards.json is of version 2, and this nda reads 1"):
        load_images(shards)


def test_pictures_are_streamed_from_shards_by_name(tmp_path: Path) -> None:
    shards = write_set(tmp_path)
    with open_stream(tmp_path / "images") as plain, open_stream(shards) as stream:
        assert list(stream.names) == list(plain.names)


def png(name: str, side: int = 8) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (side, side), colour_of(name)).save(content, "PNG")
    return content.getvalue()


def write_tar(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))


def test_tars_that_webdataset_wrote_are_read_with_their_classes(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    names = [f"{number}.png" for number in range(12)]
    pattern = str(tmp_path / "birds-train-%06d.tar")
    with webdataset.ShardWriter(pattern, maxcount=5, verbose=0) as writer:
        for number, name in enumerate(names):
            writer.write(
                {"__key__": f"{number:04d}", "png": png(name), "cls": number % 3, "json": {"a": 1}}
            )
    images = load_images(tmp_path)
    assert images.classes == ("0", "1", "2")
    found = names_in(images, names)
    assert dict(zip(found, images.labels.tolist(), strict=True)) == {
        name: number % 3 for number, name in enumerate(names)
    }
    assert "of split train" in images.taken


def test_folders_within_tars_and_around_them_are_classes_and_splits(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", {f"./train/{c}/{c}.png": png(f"{c}.png") for c in "xy"})
    write_tar(tmp_path / "b.tar", {f"test/{c}/{c}.png": png(f"{c}.png") for c in "xy"})
    assert load_images(tmp_path, split="test").classes == ("x", "y")
    other = tmp_path / "other"
    for split in ("train", "val"):
        write_tar(other / split / "00.tar", {f"{n}.png": png(f"{n}.png") for n in range(3)})
    assert load_images(other, split="val").names == tuple(f"val/val-00-{n}.png" for n in range(3))


FOREIGN: dict[str, tuple[dict[str, bytes], str]] = {
    "outside": ({"../x.png": b""}, r"'../x.png' has a name that points outside the archive"),
    "no class": ({"a.png": b"", "a.cls": b"x/y"}, r"a.cls names no class; a .cls file holds a"),
    "none": ({"a.txt": b"text"}, r"holds no images .* It holds s.tar"),
    "sizes": (
        {"a.png": png("a"), "b.png": png("b", 9)},
        r"images differ in size: s-a.png is 8 x 8, s-b.png is 9 x 9 pixels. Give --resolution",
    ),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_what_tars_must_not_hold(tmp_path: Path, what: str) -> None:
    members, message = FOREIGN[what]
    write_tar(tmp_path / "s.tar", members)
    with pytest.raises(DataError, match=message):
        load_images(tmp_path, cache=False)


def test_a_name_that_two_tars_hold_is_refused(tmp_path: Path) -> None:
    for tar in ("a.tar", "b.tar"):
        write_tar(tmp_path / tar, {"x/1.png": png("1")})
    with pytest.raises(DataError, match=r"a.tar and b.tar both hold an image x/1.png"):
        load_images(tmp_path)


@pytest.mark.parametrize("left", [300, 1100, 2048, -1024], ids=str)
def test_a_foreign_tar_that_is_cut_short_is_refused(tmp_path: Path, left: int) -> None:
    write_tar(tmp_path / "s.tar", {f"{n}.png": png(f"{n}.png") for n in range(3)})
    content = (tmp_path / "s.tar").read_bytes().rstrip(b"\0")
    end = -(-len(content) // 512) * 512  # of the last file; then come zeros
    (tmp_path / "s.tar").write_bytes(content[:left] if left > 0 else content.ljust(end, b"\0"))
    with pytest.raises(DataError, match=r"s.tar is not a readable tar .* cut short"):
        load_images(tmp_path)


def test_a_file_that_is_no_tar_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.tar").write_bytes(b"no tar at all" * 100)
    with pytest.raises(DataError, match=r"s.tar is not a readable tar"):
        load_images(tmp_path)


def test_a_tar_beside_loose_images_is_passed_over(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.png").write_bytes(png(name))
    write_tar(tmp_path / "s.tar", {"c.png": png("c")})
    images = load_images(tmp_path)
    assert len(images) == 2
    assert ".tar 1" in images.taken
