"""Names, words and values of outlier figures stay what they were: pages and analyses read them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from nda.evaluation.outliers.baselines import ClassifierBaselines
from nda.evaluation.outliers.corruptions import CorruptionFigures
from nda.evaluation.outliers.faults import fault_metrics
from nda.evaluation.outliers.metrics import score_histogram, set_figures
from nda.evaluation.outliers.pixels import pixel_metrics
from tests.evaluation.outliers.test_faults import invented
from tests.evaluation.outliers.test_faults import scores as fault_scores
from tests.evaluation.outliers.test_metrics import KINDS, scores
from tests.evaluation.outliers.test_pixels import invented_masks
from tests.support.kept import check_kept, keep


def of_a_set() -> list[dict[str, Any]]:
    inside, outside = scores(70, 0, 1), scores(60, 0.5, 2)
    found = set_figures("dtd", inside, outside, KINDS, protocol={"split": "test split"})
    return [asdict(metric) for metric in found]


def of_corruptions() -> list[dict[str, Any]]:
    figures = CorruptionFigures(
        scores(50, 0, 0), KINDS, "discriminator", source="made here", protocol={"images": 50}
    )
    for severity in (1, 5):
        for place, name in enumerate(("fog", "shot_noise")):
            found = scores(40 - 5 * place, severity / 10, 10 * severity + place)
            if severity == 1:
                del found["msp"]
            figures.add(name, severity, found)
    return [*map(asdict, figures.metrics()), asdict(figures.histogram("score"))]


def of_faults() -> list[dict[str, Any]]:
    calibration = torch.linspace(-3, 3, 30)
    found = fault_metrics(fault_scores(), calibration, 0.2, protocol={"split": "test split"})
    return [asdict(metric) for metric in found]


def of_pixels() -> list[dict[str, Any]]:
    maps = torch.randn(10, 5, 4, generator=torch.Generator().manual_seed(3))
    test = replace(invented(), masks=invented_masks())
    return [asdict(metric) for metric in pixel_metrics(maps, test, {"split": "test split"})]


def of_a_histogram() -> dict[str, Any]:
    series = {"in": scores(50, 0, 1)["msp"], "out": scores(20, 2, 2)["msp"]}
    return asdict(score_histogram("h", "title", "score", series, {"split": "test"}))


def of_a_classifier() -> dict[str, Any]:
    classifier = SimpleNamespace(fingerprint="abc", accuracy=0.5, features=lambda images: images)
    baselines = ClassifierBaselines(classifier, torch.zeros(7, 2))  # type: ignore[arg-type]
    return {name: asdict(kind) for name, kind in baselines.kinds.items()}


CASES: dict[str, Callable[[], object]] = {
    "a set": of_a_set,
    "corruptions": of_corruptions,
    "faults": of_faults,
    "pixels": of_pixels,
    "a histogram": of_a_histogram,
    "a classifier": of_a_classifier,
}


@pytest.mark.parametrize("case", CASES)
def test_figures_are_called_and_valued_as_they_were(case: str) -> None:
    check_kept("outlier_figures", case, CASES[case]())


if __name__ == "__main__":
    keep("outlier_figures", CASES, lambda case: CASES[case]())
