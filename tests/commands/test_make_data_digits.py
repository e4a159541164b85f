"""`nda data digits`: an archive that loads, and what is refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nda.cli import main
from nda.data import load_images

Refusal = Callable[[list[str]], str]


def test_makes_an_archive_that_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn")
    out = tmp_path / "digits.zip"
    assert main(["data", "digits", "--count", "30", "--size", "8", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"twice 30 images of three digits: {out}\n"
    for split in ("train", "test"):
        images = load_images(out, split=split)
        assert images.images.shape == (30, 3, 8, 8)
        assert all(len(name) == 3 and name.isdigit() for name in images.classes)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--count", "0"], "count is 0; it must be at least 1."),
        (["--size", "7"], "size is 7; it must be at least 8."),
        (["--seed", "-1"], "seed is -1; it must be at least 0."),
        (["--seed", str(2**63)], "it must be below 2^63."),
        (["--size", "512"], "count is 26000 and size 512; give at most 1,000,000 and 256"),
        (["--count", "1000001"], "count is 1000001 and size 16; give at most 1,000,000 and 256"),
        (["--out", "digits.tar"], "--out digits.tar must end in .zip."),
        (["--sise", "8"], "There is no setting 'sise'; did you mean 'size'?"),
    ],
    ids=str,
)
def test_refused(
    words: list[str],
    message: str,
    refusal: Refusal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = ["data", "digits", *([] if "--out" in words else ["--out", "d.zip"]), *words]
    assert message in refusal(given)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_kept(tmp_path: Path, refusal: Refusal) -> None:
    (tmp_path / "d.zip").write_bytes(b"mine")
    said = refusal(["data", "digits", "--out", str(tmp_path / "d.zip")])
    assert "exists already and would be lost" in said
    assert (tmp_path / "d.zip").read_bytes() == b"mine"


def test_without_scikit_learn_it_is_said_what_installs_it(
    tmp_path: Path, refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    said = refusal(["data", "digits", "--out", str(tmp_path / "d.zip")])
    assert said == (
        "nda: The digits are scikit-learn's; install nda with its extra: pip install "
        "'nda-torch[digits]'.\n"
    )
