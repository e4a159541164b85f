"""A tenth of the training images of each class stays, and every other image."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "analysis"))
from every_tenth import every_tenth


def test_a_tenth_of_each_class_and_all_of_the_rest(tmp_path: Path) -> None:
    source, out = tmp_path / "whole.zip", tmp_path / "tenth.zip"
    with zipfile.ZipFile(source, "w") as archive:
        for kind, count in (("cat", 20), ("dog", 15)):
            for number in range(count):
                archive.writestr(f"train/{kind}/{number:04}.png", f"{kind}{number}")
        archive.writestr("test/cat/0000.png", "seen by no one")
    assert every_tenth(source, out) == {"train/cat": 2, "train/dog": 1}
    with zipfile.ZipFile(out) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "test/cat/0000.png": b"seen by no one",
            "train/cat/0009.png": b"cat9",
            "train/cat/0019.png": b"cat19",
            "train/dog/0009.png": b"dog9",
        }
