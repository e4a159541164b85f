"""`nda check` from end to end, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import nda
from nda.cli import main
from nda.errors import DataError

Refusal = Callable[[list[str]], str]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """240 images of 15 x 15, which jigsaw cannot cut, and one file that is no image."""
    folder = tmp_path_factory.mktemp("many") / "odd"
    folder.mkdir()
    for index in range(240):
        draws = np.random.default_rng(index)
        pixels = np.linspace(40, 200, 15)[:, None, None] + draws.uniform(0, 40, (15, 15, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{index:03d}.png")
    (folder / "broken.png").write_bytes(b"no image")
    return folder


def test_page_figures_and_table(
    many: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, figures = tmp_path / "new" / "check.html", tmp_path / "new" / "check.json"
    words = ["check", str(many), "--out", str(page), "--json", str(figures), "--steps", "4"]
    words += ["--negatives", "jigsaw,cutout:low=0.3,high=0.4,horizontal_flip", "--skip_broken"]
    assert main([*words, "--device", "cpu", "--seeds", "2"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "192 images of odd to learn from and 48 held out, at 15 x 15 pixels" in out
    assert "probes trained for 4 steps, 2 times." in out
    assert "1 image could not be read and was left out" in out
    assert "jigsaw: not measured: jigsaw cannot cut images of 15 x 15" in out

    found = json.loads(figures.read_text())
    assert list(found["negatives"]) == ["jigsaw", "cutout:low=0.3,high=0.4", "horizontal_flip"]
    assert "cannot cut" in found["negatives"]["jigsaw"]["not_measured"]
    flip = found["negatives"]["horizontal_flip"]
    assert flip["verdict"] in ("overlaps the data", "undecided", "informative", "too easy")
    assert flip["difference"]["value"] == pytest.approx(
        flip["global"]["value"] - flip["local"]["value"]
    )
    assert found["protocol"]["steps"] == 4
    assert found["command"].startswith("nda check ")

    text = page.read_text()
    assert "Which negatives suit odd?" in text
    assert flip["reason"] in text
    assert "http" not in text.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")


def test_the_same_seed_gives_the_same_figures(many: Path, tmp_path: Path) -> None:
    def figures(name: str, seed: str) -> object:
        words = ["check", str(many), "--steps", "2", "--negatives", "cutout", "--skip_broken"]
        words.append("--overwrite")
        words += ["--seed", seed, "--device", "cpu", "--json", str(tmp_path / name)]
        assert main([*words, "--out", str(tmp_path / "page.html")]) == 0
        return json.loads((tmp_path / name).read_text())["negatives"]

    assert figures("a.json", "1") == figures("b.json", "1")
    assert figures("a.json", "1") != figures("c.json", "2")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--out", "page"], "--out page must end in .html"),
        (["--json", "figures.txt"], "--json figures.txt must end in .json"),
        (["--steps", "0"], "steps is 0; it must be at least 1"),
        (["--count", "39"], "count is 39; it must be at least 40"),
        (["--seeds", "0"], "seeds is 0; it must be at least 1"),
        (["--negatives", "jigsw"], "there is no negative 'jigsw'; did you mean 'jigsaw'?"),
        (["--device", "tpu"], "--device tpu is not known"),
        ([], "broken.png cannot be read"),
        (["--skip_broken", "--negatives", "jigsaw,stitch"], "jigsaw cannot cut images of 15 x 15"),
    ],
)
def test_wrong_uses_are_refused(
    many: Path, refusal: Refusal, words: list[str], expected: str
) -> None:
    assert expected in refusal(["check", str(many), *words])


def test_where_figures_alone_are_asked_for_there_is_no_page(
    image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["check", str(image_folder), "--steps", "1", "--negatives", "cutout"]
    for name in ("a.json", "b.json"):  # a page that is there would be in the way of the second
        assert main([*words, "--device", "cpu", "--json", name]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json"]


def test_too_few_images_are_refused(tmp_path: Path, refusal: Refusal) -> None:
    for index in range(39):
        Image.fromarray(np.full((16, 16, 3), index, np.uint8)).save(tmp_path / f"{index}.png")
    said = refusal(["check", str(tmp_path)])
    assert "gives 39 different images, and a check needs at least 40; give more images." in said


def test_copies_are_left_out_and_do_not_count() -> None:
    rng = torch.Generator().manual_seed(0)
    different = torch.randint(0, 256, (45, 3, 16, 16), generator=rng, dtype=torch.uint8)
    checked = nda.check(different.repeat(2, 1, 1, 1), negatives="cutout", steps=2)
    assert checked.protocol["images_held_out"] == 45
    said = "45 of 90 images are copies or near copies of others, and left out."
    assert said in checked.notes
    with pytest.raises(DataError, match="gives 20 different images, and a check needs"):
        nda.check(different[:20].repeat(5, 1, 1, 1), negatives="cutout", steps=2)


def test_of_few_images_each_is_held_out_once(
    image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "check.json"
    words = ["check", str(image_folder), "--steps", "2", "--negatives", "jigsaw,cutout"]
    words += ["--device", "cpu", "--out", str(tmp_path / "page.html"), "--json", str(figures)]
    assert main(words) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "32 images of images to learn from and 40 held out in turn" in said
    found = json.loads(figures.read_text())
    assert found["protocol"]["images_to_learn_from"] == 32
    assert found["protocol"]["images_held_out"] == 40
