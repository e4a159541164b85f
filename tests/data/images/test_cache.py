from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nda.data import load_images, load_splits
from nda.data.reading.decode import decode_all
from nda.errors import DataError
from nda.runtime.files import cache_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    for number in range(4):
        (source / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 256, (8, 8, 3)).astype(np.uint8)
        Image.fromarray(noise).save(source / "ab"[number % 2] / f"{number}.png")
    return source


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with every decoding of a set."""
    calls: list[int] = []

    def counting(*args: Any, **options: Any) -> Any:
        calls.append(1)
        return decode_all(*args, **options)

    monkeypatch.setattr("nda.data.images.source.decode_all", counting)
    return calls


def kept(cache: Path) -> list[Path]:
    return sorted(cache.rglob("*"))


def test_the_second_time_nothing_is_decoded(
    folder: Path, own_cache: Path, decoded: list[int]
) -> None:
    first, second = load_images(folder), load_images(folder)
    assert len(decoded) == 1
    assert first.fingerprint == second.fingerprint
    assert (first.classes, first.labels.tolist()) == (second.classes, second.labels.tolist())
    assert [path.suffix for path in kept(own_cache)] == [".safetensors"]  # nothing left over


def test_what_is_kept_follows_the_umask(folder: Path, own_cache: Path) -> None:
    load_images(folder)
    (path,) = kept(own_cache)
    (own_cache / "new").touch()
    assert path.stat().st_mode == (own_cache / "new").stat().st_mode


def test_what_is_loaded_may_be_changed_without_changing_what_is_kept(folder: Path) -> None:
    untouched = load_images(folder).fingerprint
    load_images(folder).images.zero_()
    assert load_images(folder).fingerprint == untouched


def test_every_setting_has_a_file_of_its_own(
    folder: Path, own_cache: Path, decoded: list[int]
) -> None:
    load_images(folder)
    load_images(folder, resolution=4)
    load_images(folder, classes=["a"])
    load_images(folder, skip_broken=True)
    load_splits(folder, holdout=0.5)
    assert len(decoded) == len(kept(own_cache)) == 4  # what is held out is cut from the first


def test_changed_data_replace_their_file(folder: Path, own_cache: Path, decoded: list[int]) -> None:
    before = load_images(folder)
    changed = folder / "a" / "0.png"
    Image.new("RGB", (8, 8), "red").save(changed)
    os.utime(changed, ns=(1, 1))
    after = load_images(folder)
    assert after.fingerprint != before.fingerprint
    (folder / "a" / "2.png").unlink()
    assert len(load_images(folder)) == 3
    assert len(decoded) == 3
    assert len(kept(own_cache)) == 1


def test_a_missing_split_is_still_refused_by_a_full_cache(folder: Path) -> None:
    load_images(folder)
    with pytest.raises(DataError, match="no split 'test'"):
        load_images(folder, split="test")


def flip_last_byte(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def flip_a_pixel(content: bytes) -> bytes:
    middle = len(content) - 100
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def test_a_flipped_bit_in_what_is_said_of_the_images_is_seen(
    folder: Path, own_cache: Path, decoded: list[int]
) -> None:
    (folder / "a" / "broken.png").write_bytes(b"no image")
    first = load_images(folder, skip_broken=True)
    (file,) = kept(own_cache)
    whole = file.read_bytes()
    start, end = whole.index(b"skipped"), whole.index(b"fingerprint")
    for place in range(start, end, 3):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        file.write_bytes(damaged)
        before = len(decoded)
        again = load_images(folder, skip_broken=True)
        assert (again.skipped, again.notes) == (first.skipped, first.notes)
        assert len(decoded) == before + 1


@pytest.mark.parametrize(
    "damage",
    [
        flip_last_byte,
        flip_a_pixel,
        lambda content: content[:-1],
        lambda content: content[:20],
        lambda content: b"",
        lambda content: b"junk" * 100,
        lambda content: content.replace(b"classes", b"clashes"),
        lambda content: content.replace(b"fingerprint", b"fingerprunt"),
        lambda content: content.replace(b"notes", b"votes"),
        lambda content: content.replace(b"digest", b"digset"),  # as good as none, as there was
    ],
)
def test_a_damaged_file_is_built_anew(
    folder: Path, own_cache: Path, decoded: list[int], damage: object
) -> None:
    assert callable(damage)
    first = load_images(folder)
    (file,) = kept(own_cache)
    file.write_bytes(damage(file.read_bytes()))
    again = load_images(folder)
    assert len(decoded) == 2
    assert again.fingerprint == first.fingerprint
    load_images(folder)
    assert len(decoded) == 2  # and kept


def test_without_a_cache_nothing_is_written(
    folder: Path, own_cache: Path, decoded: list[int]
) -> None:
    load_images(folder, cache=False)
    load_images(folder, cache=False)
    assert len(decoded) == 2
    assert kept(own_cache) == []


def test_where_nothing_can_be_written_it_goes_on_without(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert len(load_images(folder, cache_dir=tmp_path / "file" / "cache")) == 4


def test_the_folder_is_the_one_given_or_that_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert cache_folder("/given") == Path("/given")
    monkeypatch.setenv("NDA_CACHE", "/chosen")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/chosen")
    monkeypatch.delenv("NDA_CACHE")
    assert cache_folder() == Path("/xdg/nda")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert cache_folder() == Path("/home/someone/.cache/nda")


def test_a_user_without_a_home_has_a_cache_among_temporary_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("NDA_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    assert cache_folder().parent == Path(tempfile.gettempdir())
