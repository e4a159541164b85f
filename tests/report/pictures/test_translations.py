"""Translations as files, and several runs' side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nda.report.pages.compare import write_comparison
from nda.report.pictures.grid import image_grid
from nda.report.pictures.translations import compared_translations, save_translations
from tests.support.invented_runs import Read, bare_run

SIDE = 64


def images(seed: int, count: int = 3) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, SIDE, SIDE), generator=rng, dtype=torch.uint8)


def saved(folder: Path, outputs: Tensor, *, step: int = 20, inputs: Tensor | None = None) -> Path:
    save_translations(folder, step, images(1) if inputs is None else inputs, outputs, images(2))
    return folder


def test_the_picture_of_a_run_has_a_row_a_pair(tmp_path: Path) -> None:
    saved(tmp_path, images(3))
    rows = [part[row] for row in range(3) for part in (images(1), images(3), images(2))]
    expected = image_grid(torch.stack(rows), 3, scale=2, column_labels=["input", "output", "truth"])
    shown = np.asarray(Image.open(tmp_path / "step-00000020.png"))
    assert np.array_equal(shown, np.asarray(expected))


def test_runs_that_show_the_same_pairs_share_rows(tmp_path: Path) -> None:
    folders = [saved(tmp_path / name, images(seed)) for name, seed in (("none", 3), ("nda", 4))]
    grid = compared_translations(folders, ["none", "nda"], 20)
    rows = [part[row] for row in range(3) for part in (images(1), images(3), images(4), images(2))]
    expected = image_grid(
        torch.stack(rows), 4, scale=2, column_labels=["input", "none", "nda", "truth"]
    )
    assert np.array_equal(np.asarray(grid), np.asarray(expected))


def test_runs_that_do_not_show_the_same_do_not_share_rows(tmp_path: Path) -> None:
    first = saved(tmp_path / "first", images(3))
    other_input = saved(tmp_path / "input", images(3), inputs=images(9))
    other_step = saved(tmp_path / "step", images(3), step=10)
    fewer = saved(tmp_path / "fewer", images(3))
    Image.new("RGB", (SIDE, 2 * SIDE)).save(fewer / "output-00000020.png")
    for other in (other_input, other_step, fewer, tmp_path / "nowhere"):
        assert compared_translations([first, other], ["a", "b"], 20) is None
    (first / "truth.png").write_bytes(b"no picture")
    assert compared_translations([first, saved(tmp_path / "b", images(4))], ["a", "b"], 20) is None


def test_a_comparison_shows_input_outputs_and_truth_in_rows(tmp_path: Path) -> None:
    runs = [
        bare_run(tmp_path / name, recipe="pix2pix", negative=name) for name in ("none", "jigsaw")
    ]
    for run, seed in zip(runs, (3, 4), strict=True):
        for step in (0, 20):
            saved(run.samples, images(seed), step=step)
    read = Read(write_comparison(runs, tmp_path / "page.html").read_text())
    assert read.pictures == ["The same held-out images at step 20"]
    (runs[1].samples / "output-00000020.png").unlink()
    read = Read(write_comparison(runs, tmp_path / "page.html").read_text())
    assert read.pictures == ["none, step 20", "jigsaw, step 20"]
