"""Hostile and damaged archives of images."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from nda.data import load_images
from nda.errors import DataError
from tests.support.made_images import names_in, write, zipped


@pytest.mark.parametrize(
    "name", ["../out.png", "a/../../out.png", "/abs.png", "C:/x.png", "..\\x.png"]
)
def test_names_that_point_outside_the_archive_are_refused(tmp_path: Path, name: str) -> None:
    archive = zipped(write(tmp_path / "d", "1.png", "2.png"))
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr(zipfile.ZipInfo(name), b"")
    with pytest.raises(DataError, match="has a name that points outside the archive"):
        load_images(archive)


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    archive = zipped(write(tmp_path / "d", "1.png", "2.png"))
    link = zipfile.ZipInfo("3.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match=r"'3.png' is a symbolic link"):
        load_images(archive)


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    archive = zipped(write(tmp_path / "d", "1.png", "2.png"))
    content = bytearray(archive.read_bytes())
    central = content.index(b"PK\x01\x02")
    content[central + 8] |= 1  # the flag "encrypted" of the first entry
    archive.write_bytes(content)
    with pytest.raises(DataError, match=r"'2.png' is encrypted"):
        load_images(archive)


def test_an_archive_cut_short_is_refused(tmp_path: Path) -> None:
    archive = zipped(write(tmp_path / "d", "1.png", "2.png"))
    archive.write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"d.zip is not a readable zip .* cut short"):
        load_images(archive)


def test_a_member_whose_bytes_do_not_match_its_checksum_is_named(tmp_path: Path) -> None:
    archive = tmp_path / "d.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in write(tmp_path / "d", "1.png", "2.png", "3.png").iterdir():
            file.write(path, path.name)
    content = bytearray(archive.read_bytes())
    content[content.index(b"IDAT") + 8] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(DataError, match=r"d.zip: [123].png cannot be read \(Bad CRC-32"):
        load_images(archive)


def test_a_member_declared_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "d", "1.png", "2.png")
    (folder / "bomb.png").write_bytes(bytes(2**21))
    monkeypatch.setattr("nda.data.reading.open.MAX_BYTES", 2**20)
    with pytest.raises(DataError, match=r"bomb.png cannot be read \(2 MiB, more than the 1 MiB"):
        load_images(zipped(folder))


def test_of_a_name_that_comes_twice_the_later_one_counts(tmp_path: Path) -> None:
    archive = zipped(write(tmp_path / "d", "1.png", "2.png"))
    write(tmp_path, "new.png")
    with zipfile.ZipFile(archive, "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.write(tmp_path / "new.png", "1.png")
    assert names_in(load_images(archive), ["new.png", "2.png"]) == ["new.png", "2.png"]


def test_a_member_of_no_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nameless.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", b"x")
    # Both the member's own record and the archive's list give the length of its name.
    content = path.read_bytes()
    for offset, start in ((26, content.index(b"PK\3\4")), (28, content.index(b"PK\1\2"))):
        place = start + offset
        content = content[:place] + bytes(2) + content[place + 2 :]
    path.write_bytes(content)
    with pytest.raises(DataError, match="nameless"):
        load_images(path)
