"""Scores of a classifier, against their definitions, and on images it can and cannot know."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nda.data import ImageSet
from nda.errors import ConfigError, ShapeError
from nda.evaluation.fidelity.classifier import FeatureClassifier, train_feature_classifier
from nda.evaluation.outliers import baselines
from nda.evaluation.outliers.auroc import measure_outliers
from nda.evaluation.outliers.baselines import (
    ClassifierBaselines,
    energy_score,
    knn_score,
    msp_score,
)

LOGITS = st.lists(st.floats(-8, 8, width=32), min_size=3, max_size=3)


@given(LOGITS)
def test_msp_is_the_surprise_at_the_likeliest_class(logits: list[float]) -> None:
    exponentials = [math.exp(value) for value in logits]
    expected = -math.log(max(exponentials) / sum(exponentials))
    assert float(msp_score(torch.tensor([logits]))) == pytest.approx(expected, abs=1e-5)


@given(LOGITS)
def test_energy_is_minus_the_log_of_the_sum(logits: list[float]) -> None:
    expected = -math.log(sum(math.exp(value) for value in logits))
    assert float(energy_score(torch.tensor([logits]))) == pytest.approx(expected, abs=1e-5)


def test_the_surest_images_keep_their_order() -> None:
    sure = torch.tensor([[20.0, 0.0], [24.0, 0.0]])
    assert sure.softmax(dim=1)[0, 0] == sure.softmax(dim=1)[1, 0] == 1  # rounded alike
    scores = msp_score(sure)
    assert scores[0] > scores[1] > 0


def naive_knn(features: Tensor, bank: Tensor, k: int) -> Tensor:
    rows = []
    for query in features.double():
        distances = [
            float((query / query.norm() - key / key.norm()).norm()) for key in bank.double()
        ]
        rows.append(sorted(distances)[k - 1])
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("k", [1, 3, 29])
@pytest.mark.parametrize(("queries", "keys"), [(512, 16_384), (4, 7), (5, 29)])
def test_the_distance_to_the_kth_neighbour(
    k: int, queries: int, keys: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baselines, "_QUERIES", queries)
    monkeypatch.setattr(baselines, "_KEYS", keys)
    rng = torch.Generator().manual_seed(k)
    features, bank = torch.randn(11, 6, generator=rng), torch.randn(29, 6, generator=rng)
    found = knn_score(features, bank, neighbours=k)
    assert found.shape == (11,)
    assert torch.allclose(found.double(), naive_knn(features, bank, k), atol=1e-5)
    longer = knn_score(features * 9, bank * torch.rand(29, 1, generator=rng), neighbours=k)
    assert torch.allclose(found, longer, atol=1e-5)


def test_a_feature_of_the_bank_lies_at_distance_zero() -> None:
    bank = torch.eye(4)
    assert knn_score(bank[:2] * 3, bank, neighbours=1).tolist() == [0.0, 0.0]
    assert knn_score(bank[:2], bank, neighbours=2).tolist() == pytest.approx([2**0.5] * 2)
    assert knn_score(bank[:0], bank, neighbours=1).shape == (0,)


def stripes(count: int, seed: int, *, classes: tuple[int, ...] = (0, 1)) -> ImageSet:
    """Class 0 varies along the height, class 1 along the width, class 2 is a chequerboard."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.tensor(classes)[torch.arange(count) % len(classes)]
    wave = (torch.arange(16) // 2 % 2 * 2.0 - 1) * 60
    pictures = torch.stack(
        [wave.view(16, 1).expand(16, 16), wave.expand(16, 16), wave.view(16, 1) * wave / 60]
    )
    noise = torch.randn(count, 3, 16, 16, generator=rng) * 25
    pixels = (128 + pictures[labels].unsqueeze(1) + noise).clamp(0, 255).to(torch.uint8)
    return ImageSet.of(pixels, labels, ("across", "down", "chequered"))


@pytest.fixture(scope="module")
def classifier() -> FeatureClassifier:
    return train_feature_classifier(stripes(400, 0), stripes(100, 1), budget=4000)


def test_images_of_no_class_score_higher(classifier: FeatureClassifier) -> None:
    scorer = ClassifierBaselines(classifier, stripes(400, 0).images)
    normal = scorer.scores(stripes(200, 2).images)
    strange = scorer.scores(stripes(200, 3, classes=(2,)).images)
    assert normal.keys() == strange.keys() == {"msp", "energy", "knn"}
    for name in normal:
        assert normal[name].shape == (200,)
        found = measure_outliers(normal[name], strange[name])
        assert found.auroc_low > 0.6, name


def test_the_scores_come_from_the_classifiers_own_logits(classifier: FeatureClassifier) -> None:
    images = stripes(9, 5).images
    logits = classifier.network(images.float() / 127.5 - 1)
    found = ClassifierBaselines(classifier, images).scores(images)
    assert torch.allclose(found["msp"], msp_score(logits), atol=1e-4)
    assert torch.allclose(found["energy"], energy_score(logits), atol=1e-4)


def test_fewer_training_images_than_neighbours(classifier: FeatureClassifier) -> None:
    scorer = ClassifierBaselines(classifier, stripes(6, 0).images)
    assert scorer.neighbours == 6
    assert ClassifierBaselines(classifier, stripes(60, 0).images).neighbours == 50


@pytest.mark.parametrize("k", [0, 5])
def test_neighbours_that_are_not_there_are_refused(k: int) -> None:
    with pytest.raises(ConfigError) as caught:
        knn_score(torch.zeros(2, 3), torch.zeros(4, 3), neighbours=k)
    assert str(caught.value) == (
        f"The number of neighbours is {k}; it must lie between 1 and the 4 training images there "
        "are."
    )


def test_features_and_logits_of_other_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"features \(N, D\) and a bank \(M, D\); got \(2, 3\)"):
        knn_score(torch.zeros(2, 3), torch.zeros(4, 5))
    for score in (msp_score, energy_score):
        with pytest.raises(ShapeError, match=r"two classes or more; got \(4, 1\)"):
            score(torch.zeros(4, 1))
