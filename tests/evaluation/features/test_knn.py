"""Weighted nearest neighbours against a loop over queries, and features against one forward."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda.errors import ConfigError, ShapeError
from nda.evaluation.features import knn
from nda.evaluation.features.knn import knn_accuracy, nearest_features


def naive_guess(
    bank: Tensor, bank_labels: Tensor, query: Tensor, *, classes: int, k: int, temperature: float
) -> int:
    """One query by the formula: sum of exp(cosine / T) a class over its k nearest."""
    cosines = [float(F.cosine_similarity(query, known, dim=0)) for known in bank]
    nearest = sorted(range(len(bank)), key=lambda place: -cosines[place])[:k]
    votes = [0.0] * classes
    for place in nearest:
        votes[int(bank_labels[place])] += math.exp(cosines[place] / temperature)
    return votes.index(max(votes))


def random_features(seed: int, count: int, classes: int) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (count,), generator=rng)
    lengths = 0.1 + 5 * torch.rand(count, 1, generator=rng)
    return lengths * torch.randn(count, 6, generator=rng), labels


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    k=st.integers(1, 60),
    temperature=st.sampled_from([0.05, 0.1, 1.0]),
    compared=st.sampled_from([1, 100, 10_000]),
)
def test_it_agrees_with_a_loop(seed: int, k: int, temperature: float, compared: int) -> None:
    bank, bank_labels = random_features(seed, 40, 4)
    queries, labels = random_features(seed + 1, 17, 4)
    with pytest.MonkeyPatch.context() as patch:  # chunks of one query, of some, of all
        patch.setattr(knn, "_COMPARED", compared)
        found = knn_accuracy(
            bank, bank_labels, queries, labels, classes=4, k=k, temperature=temperature
        )
    guesses = [
        naive_guess(bank, bank_labels, query, classes=4, k=k, temperature=temperature)
        for query in queries
    ]
    expected = torch.tensor(guesses) == labels
    assert torch.equal(found.correct, expected)
    assert found.accuracy == pytest.approx(float(expected.double().mean()))


def test_a_nearer_neighbour_outvotes_two_farther_ones() -> None:
    bank = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.6, -0.8]])
    query, truth = torch.tensor([[2.0, 0.0]]), torch.tensor([0])
    labels = torch.tensor([0, 1, 1])
    # At T = 0.1: e^10 against 2 e^6; at T = 10 the two farther ones win.
    assert knn_accuracy(bank, labels, query, truth, classes=2).accuracy == 1
    assert knn_accuracy(bank, labels, query, truth, classes=2, temperature=10).accuracy == 0


def test_a_tiny_temperature_leaves_the_nearest_alone() -> None:
    bank, bank_labels = random_features(0, 50, 5)
    found = knn_accuracy(bank, bank_labels, bank, bank_labels, classes=5, temperature=1e-4)
    assert found.accuracy == 1  # exp(10 000) would have been infinite


def test_the_nearest_are_sorted_and_may_be_fewer() -> None:
    bank, _ = random_features(0, 5, 2)
    cosines, index = nearest_features(bank, bank[:3] * 7, k=9)
    assert index.shape == (3, 5)
    assert index[:, 0].tolist() == [0, 1, 2]
    torch.testing.assert_close(cosines[:, 0], torch.ones(3))
    assert torch.equal(cosines, cosines.sort(dim=1, descending=True).values)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"k": 0}, ConfigError, "k is 0; at least 1 neighbour must vote"),
        ({"temperature": 0.0}, ConfigError, "a temperature above 0; got 2 and 0.0"),
        ({"classes": 0}, ConfigError, "need 1 class or more"),
        ({"classes": 1}, ShapeError, r"Labels must lie in 0\.\.0; got 0\.\.1"),
        ({"queries": torch.ones(4, 3)}, ShapeError, r"got \(4, 6\) and \(4, 3\)"),
        ({"labels": torch.zeros(3, dtype=torch.int64)}, ShapeError, r"of shape \(4,\), one a"),
        ({"labels": torch.zeros(4)}, ShapeError, r"Labels must be int64 .* got torch.float32"),
        (
            {"bank": torch.ones(0, 6), "bank_labels": torch.zeros(0, dtype=torch.int64)},
            ShapeError,
            "sought among 0 features for 4",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    changes: dict[str, object], error: type[Exception], message: str
) -> None:
    labels = torch.tensor([0, 1, 0, 1])
    given: dict[str, object] = {
        "bank": torch.ones(4, 6),
        "bank_labels": labels,
        "queries": torch.ones(4, 6),
        "labels": labels,
        "classes": 2,
    }
    with pytest.raises(error, match=message):
        knn_accuracy(**{**given, **changes})  # type: ignore[arg-type]


def test_a_chunk_has_room_for_its_votes_where_classes_are_more_than_the_bank(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inner, rows = knn._nearest, []

    def recorded(*given: Any, **named: Any) -> Iterator[tuple[Tensor, Tensor]]:
        for cosines, index in inner(*given, **named):
            rows.append(len(cosines))
            yield cosines, index

    monkeypatch.setattr(knn, "_COMPARED", 600)
    monkeypatch.setattr(knn, "_nearest", recorded)
    features, labels = random_features(1, 20, 3)
    whole = knn_accuracy(features[:4], labels[:4], features, labels, classes=3)
    assert rows == [20]
    rows.clear()
    found = knn_accuracy(features[:4], labels[:4], features, labels, classes=200)
    assert max(rows) * 200 <= 600
    assert torch.equal(found.correct, whole.correct)
