from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nda.data.clevr import archive as clevr_archive
from nda.data.clevr.archive import ClevrArchive, write_clevr_archive
from nda.data.clevr.draw import scene_of
from nda.data.clevr.render import render
from nda.data.clevr.scene import from_json
from nda.data.clevr.view import pixel_coords
from nda.data.images.load import load_images
from nda.errors import ConfigError, DataError

pytest.importorskip("mitsuba")

SIZE = 16


def archive(path: Path, counts: tuple[int, ...] = (0, 2), number: int = 3) -> ClevrArchive:
    return ClevrArchive(path, counts, number, size=SIZE, seed=4)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clevr") / "deep" / "scenes.zip"
    write_clevr_archive(archive(path))
    return path


def test_the_loader_reads_counts_as_classes(written: Path) -> None:
    images = load_images(written)
    assert images.classes == ("0", "2")
    assert images.images.shape == (6, 3, SIZE, SIZE)
    assert images.labels.tolist() == [0, 0, 0, 1, 1, 1]
    expected = torch.from_numpy(render(scene_of(2, 1, seed=4), SIZE)).permute(2, 0, 1)
    assert torch.equal(images.images[4], expected)


def test_scenes_json_says_what_every_picture_shows(written: Path) -> None:
    with zipfile.ZipFile(written) as packed:
        known = json.loads(packed.read("scenes.json"))
        assert packed.namelist()[:-1] == [scene["image_filename"] for scene in known["scenes"]]
        assert {member.compress_type for member in packed.infolist()} == {zipfile.ZIP_STORED}
    assert known["info"]["seed"] == 4
    last = known["scenes"][-1]
    assert (last["image_filename"], last["image_index"]) == ("2/00002.png", 2)
    scene = scene_of(2, 2, seed=4)
    assert from_json(last) == scene
    for one, described in zip(scene.objects, last["objects"], strict=True):
        assert described["pixel_coords"] == list(pixel_coords(one.centre, scene.camera, SIZE))
        assert all(0 < at < SIZE for at in described["pixel_coords"][:2])


def test_only_the_archive_is_left(written: Path) -> None:
    assert [path.name for path in written.parent.iterdir()] == ["scenes.zip"]


@pytest.mark.slow
def test_equal_calls_make_equal_files_by_any_number_of_workers(
    written: Path, tmp_path: Path
) -> None:
    write_clevr_archive(archive(tmp_path / "again.zip"), workers=2)
    assert (tmp_path / "again.zip").read_bytes() == written.read_bytes()


def interrupt_after(pictures: int, monkeypatch: pytest.MonkeyPatch) -> None:
    finished = 0

    def rendering(*arguments: object) -> object:
        nonlocal finished
        finished += 1
        if finished > pictures:
            raise KeyboardInterrupt
        return render(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(clevr_archive, "render", rendering)


def test_an_interrupted_call_goes_on_and_gives_the_same(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = archive(tmp_path / "scenes.zip")
    with monkeypatch.context() as patch:
        interrupt_after(4, patch)
        with pytest.raises(KeyboardInterrupt):
            write_clevr_archive(wanted)
    assert not wanted.path.exists()
    kept = sorted(path.name for path in wanted.partial.glob("*/*.png"))
    assert len(kept) == 4
    with monkeypatch.context() as patch:
        interrupt_after(2, patch)  # just the two that are missing
        write_clevr_archive(wanted)
    assert wanted.path.read_bytes() == written.read_bytes()
    assert not wanted.partial.exists()


def test_finished_pictures_serve_a_call_for_fewer(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = archive(tmp_path / "scenes.zip", (0, 1, 2), number=4)
    with monkeypatch.context() as patch:
        interrupt_after(11, patch)
        with pytest.raises(KeyboardInterrupt):
            write_clevr_archive(many)
        write_clevr_archive(archive(many.path))  # renders nothing
    assert many.path.read_bytes() == written.read_bytes()


def begun(path: Path) -> ClevrArchive:
    """An archive of which nothing but the folder is there yet."""
    started = archive(path)
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(0, patch)
        with pytest.raises(KeyboardInterrupt):
            write_clevr_archive(started)
    return started


def test_unfinished_pictures_of_another_seed_or_size_are_refused(tmp_path: Path) -> None:
    begun(tmp_path / "scenes.zip")
    other_seed = ClevrArchive(tmp_path / "scenes.zip", (0, 2), 3, size=SIZE, seed=5)
    with pytest.raises(
        DataError, match=r"scenes.zip.partial holds unfinished .* size 16 and seed 4, not .* seed 5"
    ):
        write_clevr_archive(other_seed)
    other_size = ClevrArchive(tmp_path / "scenes.zip", (0, 2), 3, size=32, seed=4)
    with pytest.raises(DataError, match=r"not of size 32 .* or remove that folder"):
        write_clevr_archive(other_size)


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
def test_a_damaged_note_of_the_settings_is_refused(tmp_path: Path, content: str) -> None:
    started = begun(tmp_path / "scenes.zip")
    (started.partial / "settings.json").write_text(content)
    with pytest.raises(DataError, match=r"settings.json is damaged.*Remove the folder"):
        write_clevr_archive(started)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    wanted = archive(tmp_path / "scenes.zip")
    wanted.partial.mkdir()
    (wanted.partial / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="files that are not unfinished scenes"):
        write_clevr_archive(wanted)
    assert (wanted.partial / "thesis.txt").read_text() == "mine"


def test_an_archive_that_exists_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "scenes.zip"
    path.write_bytes(b"precious")
    with pytest.raises(ConfigError, match=r"scenes.zip exists already.*another --out"):
        write_clevr_archive(archive(path))
    assert path.read_bytes() == b"precious"


def test_impossible_counts_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"0 to 10 objects .* got 11"):
        write_clevr_archive(archive(tmp_path / "scenes.zip", (2, 11)))
    assert list(tmp_path.iterdir()) == []


def png(pixels: int) -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.zeros((pixels, pixels, 3), np.uint8)).save(content, "PNG")
    return content.getvalue()


@pytest.mark.parametrize("content", [b"", b"not a picture", png(SIZE)])
def test_a_picture_that_is_not_ours_is_named(tmp_path: Path, content: bytes) -> None:
    started = begun(tmp_path / "scenes.zip")
    damaged = started.partial / "2" / "00001.png"
    damaged.parent.mkdir(exist_ok=True)
    damaged.write_bytes(content)
    with pytest.raises(DataError, match=r"2/00001.png is damaged .* same command again"):
        write_clevr_archive(started)
    assert not started.path.exists()
    damaged.unlink()
    write_clevr_archive(started)
    assert len(load_images(started.path)) == 6
