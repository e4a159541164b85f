"""`nda data`: the kinds there are, an archive of dots, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nda.cli import main
from nda.data import load_images
from nda.evaluation.counting.dots import count_dots

Refusal = Callable[[list[str]], str]


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_the_kinds_are_listed(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", *words]) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: nda data KIND")
    assert "\n  dots " in out
    assert "\n  digits " in out
    assert "\n  clevr " in out


def test_an_archive_of_dots(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "dots.zip"
    words = ["--objects", "2,5", "--count", "4", "--size", "32", "--seed", "3", "--out", str(out)]
    assert main(["data", "dots", *words]) == 0
    assert capsys.readouterr().out == f"8 images of 2,5 dots: {out}\n"
    images = load_images(out)
    assert images.classes == ("2", "5")
    assert images.images.shape[1:] == (3, 32, 32)
    assert count_dots(images.images).tolist() == [2] * 4 + [5] * 4
    again = tmp_path / "again.zip"
    assert main(["data", "dots", *words[:-1], str(again)]) == 0
    assert again.read_bytes() == out.read_bytes()


def test_an_archive_that_is_there_is_kept(tmp_path: Path, refusal: Refusal) -> None:
    out = tmp_path / "dots.zip"
    out.write_bytes(b"mine")
    said = refusal(["data", "dots", "--count", "1", "--out", str(out)])
    assert said == (
        f"nda: --out {out} exists already and would be lost; give another --out, or --overwrite.\n"
    )
    assert out.read_bytes() == b"mine"
    words = ["--count", "2", "--objects", "2", "--size", "32", "--out", str(out), "--overwrite"]
    assert main(["data", "dots", *words]) == 0
    assert len(load_images(out)) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["dost"],
            "no kind of data 'dost'; did you mean 'dots'? Give one of dots, digits, clevr",
        ),
        (["dots"], "Missing: --out."),
        (["dots", "--out", "dots"], "--out dots must end in .zip."),
        (["dots", "--out", "d.zip", "--objects", "4,x"], "objects is '4,x'; give whole numbers"),
        (["dots", "--out", "d.zip", "--count", "0"], "count is 0; it must be at least 1."),
        (["dots", "--out", "d.zip", "--seed", "-1"], "seed is -1; it must be at least 0."),
        (["dots", "--out", "d.zip", "--seed", str(2**63)], "it must be below 2^63."),
        (["dots", "--out", "d.zip", "--size", "8"], "must grow from at least 1 pixel"),
        (
            ["dots", "--out", "d.zip", "--objects", "4,60"],
            "60 dots of radius 3.84 to 5.76 pixels do not fit into 64 x 64 pixels without touching",
        ),
        (["dots", "--out", "d.zip", "--colour", "red"], "There is no setting 'colour'"),
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
    assert message in refusal(["data", *words])
    assert list(tmp_path.iterdir()) == []
