"""The collection of pix2pix figures, and its picture, from invented runs."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from nda.report.pictures.grid import image_grid
from nda.report.pictures.translations import save_translations

ANALYSIS = Path(__file__).parents[2] / "analysis"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(ANALYSIS))
    return runpy.run_path(str(ANALYSIS / "collect_pix2pix.py"))


def picture(seed: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (2, 3, 64, 64), generator=rng, dtype=torch.uint8)


def invented_run(path: Path, negative: str, seed: int, iou: float, **changes: Any) -> Path:
    path.mkdir()
    config = {"recipe": "pix2pix", "out": str(path), "data": "d", "seed": seed, "width": 16}
    (path / "config.yaml").write_text(yaml.safe_dump(config | {"negative": negative} | changes))
    values = {"iou_road": iou / 2, "mean_iou": iou, "confusion_road_sky": 0.5}
    metrics = [
        {"name": n, "title": "T", "value": v, "better": "", "protocol": {"split": "test"}}
        for n, v in values.items()
    ]
    (path / "metrics.json").write_text(json.dumps([{"step": 7, "metrics": metrics}]))
    (path / "log.jsonl").write_text('{"step": 7, "seconds": 12.5}\n')
    for step in (0, 7):
        output = picture(len(negative) + seed + step)
        save_translations(path / "samples", step, picture(1), output, picture(2))
    return path


def four(tmp_path: Path) -> list[Path]:
    values = {("jigsaw", 1): 0.5, ("jigsaw", 0): 0.4, ("none", 1): 0.3, ("none", 0): 0.1}
    return [invented_run(tmp_path / f"{n}{s}", n, s, v) for (n, s), v in values.items()]


def test_arms_are_paired_by_seed(tmp_path: Path, script: dict[str, Any]) -> None:
    collected = script["collect"](four(tmp_path))
    assert list(collected["metrics"]) == ["mean_iou", "iou_road"]
    iou = collected["metrics"]["mean_iou"]
    assert iou["protocol"] == {"step": 7, "split": "test"}
    assert list(iou["arms"]) == ["none", "jigsaw"]
    assert iou["arms"]["jigsaw"]["mean"] == pytest.approx(0.45)
    assert iou["arms"]["none"]["standard_deviation"] == pytest.approx(0.2 / 2**0.5)
    difference = iou["differences"]["jigsaw - none"]
    assert difference["mean"] == pytest.approx(0.25)  # of 0.3 and 0.2
    assert difference["interval_95"] == pytest.approx([0.25 - 0.635, 0.25 + 0.635], abs=1e-3)
    assert collected["training_seconds"]["none"] == {0: 12.5, 1: 12.5}
    assert collected["settings"] == {"recipe": "pix2pix", "width": 16}


def test_the_figure_shows_one_seed_of_each_arm(tmp_path: Path, script: dict[str, Any]) -> None:
    runs = script["figure_runs"](four(tmp_path))
    assert [run.path.name for run in runs] == ["none0", "jigsaw0"]
    script["draw"](runs, tmp_path / "figure.png")
    columns = [picture(1), picture(4 + 7), picture(6 + 7), picture(2)]
    rows = torch.stack(columns, dim=1).flatten(0, 1)
    labels = ["input", "none", "jigsaw", "truth"]
    expected = np.asarray(image_grid(rows, 4, scale=2, column_labels=labels))
    assert np.array_equal(np.asarray(Image.open(tmp_path / "figure.png")), expected)


def test_runs_that_are_not_alike_are_refused(tmp_path: Path, script: dict[str, Any]) -> None:
    folders = [*four(tmp_path), invented_run(tmp_path / "wide", "none", 2, 0.1, width=32)]
    with pytest.raises(SystemExit, match=r"wide has other settings than .*jigsaw1"):
        script["collect"](folders)
    alone = invented_run(tmp_path / "alone", "stitch", 9, 0.1)
    with pytest.raises(SystemExit, match="The arms have no seed in common"):
        script["figure_runs"]([folders[0], alone])
    (alone / "metrics.json").unlink()
    with pytest.raises(SystemExit, match="alone has not been evaluated"):
        script["collect"]([alone])
