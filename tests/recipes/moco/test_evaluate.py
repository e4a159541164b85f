"""What is measured of an encoder: neighbours, cosines, collapse, and the page that shows it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from nda.cli import main
from nda.evaluation.record import WARNING
from nda.recipes import RECIPES
from nda.recipes.moco.evaluate import evaluate, spread_metric
from nda.training.run_folder import RunFolder
from nda.training.start import start
from tests.support.tiny_moco import tiny_moco


def test_the_figures_of_a_run(image_folder: Path, tmp_path: Path) -> None:
    config = tiny_moco(image_folder, tmp_path / "run", negative="stitch", steps=2, lr=1e-3)
    run = start(RECIPES["moco"].recipe(), config)
    assert run.train()
    modes = [part.training for part in run.state.query.module.modules()]
    evaluation = run.evaluate()
    assert [part.training for part in run.state.query.module.modules()] == modes
    found = {metric.name: metric for metric in evaluation.metrics}
    knn = found["knn_top1"]
    assert knn.value > 0.9  # a dark and a light class
    assert knn.protocol["neighbours"] == knn.protocol["among"] == 40
    assert knn.interval is not None
    assert knn.interval[0] < knn.value <= knn.interval[1]
    assert {"cosine_jigsaw", "cosine_stitch", "cosine_two_views"} <= found.keys()
    assert [histogram.name for histogram in evaluation.histograms] == [
        f"{of}cosine_{name}" for of in ("", "head_") for name in ("jigsaw", "stitch")
    ]
    assert found["cosine_jigsaw"].value != found["head_cosine_jigsaw"].value
    (taken,) = evaluation.notes
    assert " are taken" in taken


def test_images_without_classes_have_no_neighbours_to_tell(
    image_folder: Path, tmp_path: Path
) -> None:
    for split in ("train", "test"):
        (tmp_path / "flat" / split).mkdir(parents=True)
        for path in (image_folder / split).rglob("*.png"):
            shutil.copy(path, tmp_path / "flat" / split / f"{path.parent.name}-{path.name}")
    run = start(RECIPES["moco"].recipe(), tiny_moco(tmp_path / "flat", tmp_path / "run"))
    evaluation = evaluate(run.state)
    assert (
        "Nearest neighbours: not all images are sorted into the same classes." in evaluation.notes
    )
    assert "knn_top1" not in {metric.name for metric in evaluation.metrics}


def test_a_collapsed_encoder_is_named(image_folder: Path, tmp_path: Path) -> None:
    run = start(RECIPES["moco"].recipe(), tiny_moco(image_folder, tmp_path / "run"))
    encoder = run.state.query.module[0]
    with torch.no_grad():
        encoder.layer4[1].bn2.weight.zero_()
        encoder.layer4[1].bn2.bias.fill_(1.0)
        encoder.layer4[1].conv2.weight.zero_()
        encoder.layer4[0].bn2.weight.zero_()
        encoder.layer4[0].downsample[1].weight.zero_()
    evaluation = evaluate(run.state)
    assert [note[:33] for note in evaluation.notes[1:]] == ["Collapse: features have collapsed"]


def test_features_that_are_zero_are_a_collapse_as_well(image_folder: Path, tmp_path: Path) -> None:
    run = start(RECIPES["moco"].recipe(), tiny_moco(image_folder, tmp_path / "run"))
    run.state.query.module[0].forward = lambda x: torch.zeros(len(x), 64)
    evaluation = evaluate(run.state)
    assert evaluation.notes[1].startswith("Collapse")
    assert not evaluation.histograms


def test_a_head_that_collapses_is_told_on_the_way(
    image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny_moco(image_folder, tmp_path / "run", lr=1e-9, evaluate_every=1, steps=1)
    run = start(RECIPES["moco"].recipe(), config)
    with torch.no_grad():
        run.state.query.module[1][-1].weight.zero_()
    assert run.train()
    (evaluation,) = run.folder.evaluations()
    spread = {m["name"]: m["value"] for m in evaluation["metrics"] if "spread" in m["name"]}
    assert spread["head_spread"] < 0.01 < spread["feature_spread"]
    assert "nda: step 1: vectors of the head have collapsed" in capsys.readouterr().err


def test_classes_of_the_held_out_images_alone_have_no_neighbours(
    image_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(image_folder / "test", tmp_path / "mixed" / "test")
    (tmp_path / "mixed" / "train").mkdir()
    for path in (image_folder / "train").rglob("*.png"):
        shutil.copy(path, tmp_path / "mixed" / "train" / f"{path.parent.name}-{path.name}")
    run = start(RECIPES["moco"].recipe(), tiny_moco(tmp_path / "mixed", tmp_path / "run"))
    assert "knn_top1" not in {metric.name for metric in evaluate(run.state).metrics}


def test_the_spread_of_directions_at_random_is_one() -> None:
    features = torch.randn(4000, 64, generator=torch.Generator().manual_seed(0))
    metric = spread_metric(features, {})
    assert metric.value == pytest.approx(1, abs=0.02)
    assert WARNING not in metric.protocol
    assert WARNING in spread_metric(torch.ones(10, 4), {}).protocol


@pytest.mark.slow
def test_a_run_on_the_command_line_is_trained_measured_and_reported(
    image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    words = ["train", "moco", "--data", str(image_folder), "--out", str(out), "--steps", "3"]
    words += ["--resolution", "16", "--width", "8", "--dim", "12", "--batch_size", "8"]
    words += ["--bn_splits", "2", "--queue_size", "16", "--log_every", "1", "--lr", "0.001"]
    words += ["--device", "cpu"]
    assert main(words) == 0
    assert "top-1" in capsys.readouterr().out
    assert main(["evaluate", str(out)]) == 0
    folder = RunFolder.open(out)
    assert [measured["step"] for measured in folder.evaluations()] == [3]
    assert (folder.samples / "views.png").is_file()
    page = (out / "report.html").read_text()
    for words_of_it in (
        "Features of images and of their jigsaw negatives",
        "Queries beside their keys and negatives",
    ):
        assert words_of_it in page
