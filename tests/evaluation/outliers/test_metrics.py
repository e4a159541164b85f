"""Figures of several kinds of score in tables, and what becomes of them in a later evaluation."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from nda.errors import DataError
from nda.evaluation.outliers.auroc import measure_outliers
from nda.evaluation.outliers.corruptions import CorruptionFigures
from nda.evaluation.outliers.metrics import Kind, outlier_part, score_histogram, set_figures
from nda.evaluation.record import Evaluation, Histogram, Metric
from nda.report.words import protocol_words

KINDS = {
    "discriminator": Kind("this discriminator", {"score": "-D(x)"}),
    "msp": Kind("MSP", {"score": "-log p", "classifier": "abc"}),
}


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scores(count: int, shift: float, seed: int) -> dict[str, Tensor]:
    """The second kind separates better than the first."""
    base = torch.randn(2, count, generator=draws(seed))
    return {"discriminator": base[0] + shift, "msp": base[1] + 3 * shift}


def test_a_set_has_a_row_for_each_kind_and_a_column_for_each_figure() -> None:
    inside, outside = scores(300, 0, 1), scores(100, 0.5, 2)
    metrics = set_figures("dtd", inside, outside, KINDS, protocol={"split": "test split"})
    assert [metric.name for metric in metrics] == [
        f"ood_dtd_{kind}_{figure}"
        for kind in ("discriminator", "msp")
        for figure in ("auroc", "average_precision", "fpr95_ood_positive", "fpr95_id_positive")
    ]
    assert {metric.table for metric in metrics} == {
        "Out-of-distribution dtd: 100 against 300 images, base rate 0.25"
    }
    assert [metric.row for metric in metrics] == ["this discriminator"] * 4 + ["MSP"] * 4
    found = measure_outliers(inside["msp"], outside["msp"])
    by_name = {metric.name: metric for metric in metrics}
    for figure in ("auroc", "average_precision", "fpr95_ood_positive", "fpr95_id_positive"):
        assert by_name[f"ood_dtd_msp_{figure}"].value == getattr(found, figure)
    area = by_name["ood_dtd_msp_auroc"]
    assert area.interval == [found.auroc_low, found.auroc_high]
    assert area.protocol["base_rate"] == 0.25
    assert (area.protocol["split"], area.protocol["classifier"]) == ("test split", "abc")
    assert "classifier" not in by_name["ood_dtd_discriminator_auroc"].protocol


def test_both_conventions_of_fpr95_are_named_and_explained() -> None:
    metrics = set_figures("a", scores(9, 0, 1), scores(9, 1, 2), KINDS, protocol={})
    columns = {metric.name.removeprefix("ood_a_msp_"): metric.column for metric in metrics}
    assert columns["fpr95_ood_positive"] == "FPR95 (OOD positive)"
    assert columns["fpr95_id_positive"] == "FPR95 (ID positive)"
    words = protocol_words(metrics[0].protocol)
    assert (
        "FPR95 (OOD positive): share of in-distribution images flagged where 95 % of the "
        "out-of-distribution ones are flagged; FPR95 (ID positive): share of out-of-distribution "
        "images accepted where 95 % of the in-distribution ones are accepted" in words
    )


def test_scores_that_are_not_finite_are_refused() -> None:
    broken = scores(9, 1, 2)
    broken["msp"][3] = math.nan
    with pytest.raises(DataError, match="1 of 9 scores of out-of-distribution images are not fin"):
        set_figures("a", scores(9, 0, 1), broken, KINDS, protocol={})


def test_a_histogram_counts_every_image_over_shared_bins() -> None:
    inside, outside = scores(50, 0, 1), scores(20, 2, 2)
    found = score_histogram(
        "h", "title", "score", {"in": inside["msp"], "out": outside["msp"]}, {"split": "test"}
    )
    assert {label: sum(counts) for label, counts in found.series.items()} == {"in": 50, "out": 20}
    assert found.edges[0] == pytest.approx(float(inside["msp"].min()))
    assert found.edges[-1] == pytest.approx(float(outside["msp"].max()))
    assert found.edges == sorted(found.edges)


@pytest.fixture(scope="module")
def corrupted() -> CorruptionFigures:
    figures = CorruptionFigures(
        scores(200, 0, 0),
        KINDS,
        "discriminator",
        source="made here",
        protocol={"images": 200},
    )
    for severity in (1, 5):
        for place, name in enumerate(("fog", "shot_noise")):
            found = scores(200, severity / 10, 10 * severity + place)
            figures.add(
                name,
                severity,
                found if severity == 5 else {"discriminator": found["discriminator"]},
            )
    return figures


def test_corruptions_are_measured_one_by_one(corrupted: CorruptionFigures) -> None:
    metrics = {metric.name: metric for metric in corrupted.metrics()}
    found = metrics["corrupted_shot_noise_5_discriminator_auroc"]
    clean, noisy = scores(200, 0, 0)["discriminator"], scores(200, 0.5, 51)["discriminator"]
    expected = measure_outliers(clean, noisy)
    assert found.value == expected.auroc
    assert found.interval is not None
    assert found.interval[0] < found.value < found.interval[1]
    assert (found.row, found.column) == ("shot noise", "severity 5")
    assert metrics["corrupted_fog_5_msp_auroc"].column == "severity 5, MSP"
    assert "corrupted_fog_1_msp_auroc" not in metrics


def test_means_are_over_the_corruptions(corrupted: CorruptionFigures) -> None:
    metrics = {metric.name: metric for metric in corrupted.metrics()}
    for kind in KINDS:
        each = [metrics[f"corrupted_{name}_5_{kind}_auroc"].value for name in ("fog", "shot_noise")]
        mean = metrics[f"corrupted_mean_5_{kind}_auroc"]
        assert mean.value == pytest.approx(sum(each) / 2)
        assert mean.row == "mean of 2"
        assert mean.table == metrics[f"corrupted_fog_5_{kind}_auroc"].table
    other = metrics["corrupted_mean_1_discriminator_fpr95_ood_positive"]
    assert other.table != metrics["corrupted_mean_5_msp_auroc"].table
    assert other.row == "severity 1"
    assert other.protocol["base_rate"] == 0.5
    assert other.protocol["positive"] == "corrupted images; scores high = anomalous"
    assert other.protocol["scores"] == "this discriminator: -D(x); MSP: -log p"
    assert "corrupted_mean_5_msp_average_precision" not in metrics


def test_names_are_unique_and_everything_can_be_written(corrupted: CorruptionFigures) -> None:
    metrics = corrupted.metrics()
    assert len({metric.name for metric in metrics}) == len(metrics)
    evaluation = Evaluation(7, metrics, [corrupted.histogram("score")])
    read = Evaluation.from_dict(json.loads(json.dumps(evaluation.as_dict(), allow_nan=False)))
    assert read == evaluation


def test_the_histogram_pools_the_corruptions_of_a_severity(corrupted: CorruptionFigures) -> None:
    histogram = corrupted.histogram("score")
    assert {label: sum(counts) for label, counts in histogram.series.items()} == {
        "held-out images": 200,
        "severity 1": 400,
        "severity 5": 400,
    }


def metric(name: str, value: float) -> Metric:
    return Metric(name, name, value, "higher", {})


def histogram(name: str, count: int) -> Histogram:
    return Histogram(name, name, "score", [0.0, 1.0], {"in": [count]}, {})


def test_newer_figures_take_the_place_of_their_namesakes() -> None:
    old = Evaluation(
        3,
        [metric("gap", 1), metric("ood_a_auroc", 0.5)],
        [histogram("gap", 1), histogram("ood_a", 1)],
        ["no FID", "no C"],
    )
    new = Evaluation(
        3,
        [metric("ood_b_auroc", 0.7), metric("ood_a_auroc", 0.6)],
        [histogram("ood_a", 2)],
        ["no FID"],
    )
    both = old.updated(new)
    assert [(each.name, each.value) for each in both.metrics] == [
        ("gap", 1), ("ood_b_auroc", 0.7), ("ood_a_auroc", 0.6),
    ]  # fmt: skip
    assert both.histograms == [histogram("gap", 1), histogram("ood_a", 2)]
    assert both.notes == ["no FID", "no C"]


def test_the_outlier_part_is_what_only_outliers_gave() -> None:
    names = ("classifier_frechet", "gap_jigsaw", "ood_a_auroc", "corrupted_fog_1_msp_auroc")
    whole = Evaluation(
        3,
        [metric(name, 1) for name in names],
        [histogram("gap", 1), histogram("ood_a", 1), histogram("corrupted_scores", 1)],
        ["no FID"],
    )
    part = outlier_part(whole)
    assert [each.name for each in part.metrics] == list(names[2:])
    assert [each.name for each in part.histograms] == ["ood_a", "corrupted_scores"]
    assert (part.step, part.notes) == (3, [])


def test_a_figure_is_known_by_its_kind_and_not_by_its_name() -> None:
    own = replace(metric("ood_of_the_users_own", 1), kind={"figure": "gap"})
    other = replace(metric("digits", 1), kind={"figure": "auroc", "set": "digits", "score": "knn"})
    whole = Evaluation(3, [own, other])
    assert outlier_part(whole).metrics == [other]
    fog = replace(metric("fog", 1), kind={"figure": "auroc", "corruption": "fog", "score": "knn"})
    assert outlier_part(Evaluation(3, [own, fog])).metrics == [fog]
    assert Evaluation.from_dict(json.loads(json.dumps(whole.as_dict()))) == whole
    assert "kind" not in Evaluation(3, [metric("gap", 1)]).as_dict()["metrics"][0]


def test_records_of_an_earlier_version_are_read() -> None:
    fields = {
        "step": 4,
        "metrics": [
            {"name": "a", "title": "A", "value": 1.0, "better": "", "protocol": {"split": "test"}}
        ],
    }
    assert Evaluation.from_dict(fields) == Evaluation(
        4, [Metric("a", "A", 1.0, "", {"split": "test"})]
    )
