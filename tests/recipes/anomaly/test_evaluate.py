"""What an anomaly run measures of itself, and the detector it writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from nda.data import load_images
from nda.evaluation.outliers.detector import load_detector
from nda.evaluation.record import Evaluation
from nda.recipes import RECIPES
from nda.training.engine import Run
from nda.training.start import start
from tests.support.tiny_anomaly import tiny_anomaly, write_surfaces


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run[Any, Any], Evaluation]:
    """A run that has learned a little, and its evaluation."""
    folder = tmp_path_factory.mktemp("trained")
    data = write_surfaces(folder / "tiles", normal=120, test=20)
    run = start(
        RECIPES["anomaly"].recipe(),
        tiny_anomaly(data, folder / "run", steps=150, width=8, log_every=50),
    )
    assert run.train()
    return run, run.evaluate()


def value(evaluation: Evaluation, name: str) -> float:
    (found,) = [metric.value for metric in evaluation.metrics if metric.name == name]
    return found


@pytest.mark.slow
def test_it_finds_holes_that_it_never_saw(trained: tuple[Run[Any, Any], Evaluation]) -> None:
    _, evaluation = trained
    assert value(evaluation, "auroc_negatives") > 0.8
    assert value(evaluation, "test_hole_detector_auroc") > 0.95
    assert value(evaluation, "test_all_kinds_detector_auroc") > 0.95
    assert value(evaluation, "test_hole_pixel_auroc") > 0.9
    assert value(evaluation, "detected") > 0.5
    assert value(evaluation, "false_alarms") <= 0.4  # promised 0.1; of 20 images
    taken, *_ = evaluation.notes
    assert " are taken; passed over: " in taken


@pytest.mark.slow
def test_the_detector_it_writes_gives_the_scores_it_measured(
    trained: tuple[Run[Any, Any], Evaluation],
) -> None:
    run, evaluation = trained
    detector = load_detector(run.folder.detector_path)
    data = str(run.config.data)
    test = load_images(data, split="test", resolution=32, fit="stretch")
    scores, p_values, _ = detector(test.images)
    holes = scores[test.labels == test.classes.index("hole")]
    normal = scores[test.labels == test.classes.index("good")]
    auroc = (holes[:, None] > normal).double().mean()
    assert value(evaluation, "test_hole_detector_auroc") == pytest.approx(float(auroc))
    flagged = (p_values <= 0.1)[test.labels == test.classes.index("hole")]
    assert value(evaluation, "detected") == pytest.approx(float(flagged.double().mean()))
    # The calibration scores are those of images that were held out, and of no others.
    held = run.state.calibration.images
    torch.testing.assert_close(detector.calibration, detector(held)[0].sort().values)
    assert detector.settings.step == 150


@pytest.mark.slow
def test_pictures_show_negatives_and_heat(
    trained: tuple[Run[Any, Any], Evaluation],
) -> None:
    run, _ = trained
    names = sorted(path.name for path in run.folder.samples.iterdir())
    assert names == ["negatives.png", "step-00000000.png", "step-00000150.png"]


def test_without_a_labelled_test_split_it_says_so(tmp_path: Path) -> None:
    data = write_surfaces(tmp_path / "tiles", normal=60, test=2)
    run = start(
        RECIPES["anomaly"].recipe(), tiny_anomaly(data / "train", tmp_path / "run", steps=1)
    )
    assert run.train()
    evaluation = run.evaluate()
    assert [metric.name for metric in evaluation.metrics] == ["auroc_negatives"]
    assert evaluation.notes == [
        "60 images (good 60) are taken.",
        "Anomalies: the data has no test split with classes other than those trained on.",
    ]
    assert run.folder.detector_path.is_file()
