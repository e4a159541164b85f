"""Files of settings: what is ambiguous, endless or foreign is refused at once."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from nda.runtime.settings_file import FOREIGN, MOST_BYTES, read_settings

BOMB = "a: &a [x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "*a stands for another part; write it out,"),
        ("a: 1\n<<: &x {b: 2}\nc: *x\n", "*x stands for another part"),
        ("steps: 1\nwidth: 2\nsteps: 3\n", "'steps' is given twice"),
        ("a: {b: 1, b: 2}\n", "'b' is given twice"),
        ("steps: 1\n'steps': 3\n", "'steps' is given twice"),
        ("a: 1\n" * MOST_BYTES, "more than 65,536 bytes"),
        ("steps: " + "9" * 6000, "4300 digits"),
        ("when: 2020-99-99", "month must be in"),
        ("[" * 5000, "recursion"),
        ("a: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("a: \x00", "special characters"),
        ("a: 1\n---\na: 2\n", "single document"),
        ("? [1, {2: 3}]\n: 4\n", "unhashable"),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_plain_settings_is_refused_at_once(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    before = time.process_time()
    with pytest.raises(FOREIGN) as caught:
        read_settings(path)
    assert message in " ".join(str(caught.value).split())
    assert time.process_time() - before < 5


def test_a_file_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 65,536 bytes"):
        read_settings("/dev/zero")


def test_plain_settings_are_read(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("# made by\nsteps: 10\nlr: 2.0e-05\nname: Äpfel\nnone: null\nlist: [1, true]\n")
    assert read_settings(path) == {
        "steps": 10, "lr": 2e-5, "name": "Äpfel", "none": None, "list": [1, True]
    }  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ValueError, match="it is a pipe, which may never end"):
        read_settings(tmp_path / "pipe.yaml")
