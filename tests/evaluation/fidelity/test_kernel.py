"""The kernel distance: the sums of its definition, no bias, and an interval that holds."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda.errors import DataError, ShapeError
from nda.evaluation.fidelity.kernel import kernel_distance


def features(rows: int, columns: int = 4, seed: int = 0, shift: float = 0.0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(rows, columns, generator=rng, dtype=torch.float64) + shift


def by_loops(a: Tensor, b: Tensor) -> float:
    """The unbiased estimate as it is defined, pair after pair."""

    def kernel(x: Tensor, y: Tensor) -> float:
        return (float(x @ y) / len(x) + 1) ** 3

    m = len(a)
    pairs = [(i, j) for i in range(m) for j in range(m)]
    within = sum(kernel(x[i], x[j]) for x in (a, b) for i, j in pairs if i != j)
    between = sum(kernel(a[i], b[j]) for i, j in pairs)
    return within / (m * (m - 1)) - 2 * between / m**2


@given(rows=st.integers(20, 47), columns=st.integers(1, 5), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=15)
def test_it_is_the_mean_over_blocks_without_common_images(
    rows: int, columns: int, seed: int
) -> None:
    a, b = features(rows, columns, seed), features(rows + 7, columns, seed + 1, shift=0.5)
    found = kernel_distance(a, b, seed=seed)
    rng = torch.Generator().manual_seed(seed)
    rows_a = torch.randperm(len(a), generator=rng)
    rows_b = torch.randperm(len(b), generator=rng)
    size = rows // 10
    blocks = [slice(i * size, (i + 1) * size) for i in range(10)]
    expected = torch.tensor([by_loops(a[rows_a[part]], b[rows_b[part]]) for part in blocks])
    assert (found.blocks, found.size) == (10, size)
    assert found.value == pytest.approx(float(expected.mean()), rel=1e-5, abs=1e-6)
    error = float(expected.std()) / math.sqrt(10)
    assert found.error == pytest.approx(error, rel=1e-4, abs=1e-6)
    reach = 2.262157 * error  # Student's with nine degrees of freedom
    assert found.interval == pytest.approx(
        (found.value - reach, found.value + reach), rel=1e-4, abs=1e-5
    )


def test_blocks_hold_at_most_a_thousand() -> None:
    found = kernel_distance(features(10_010, 2), features(11_000, 2, seed=1))
    assert (found.blocks, found.size) == (11, 910)


def test_what_is_left_over_is_left_out_of_both_sides_alike() -> None:
    found = kernel_distance(features(1000, 2), features(29, 2, seed=1))
    assert (found.blocks, found.size) == (10, 2)


def test_one_distribution_has_no_distance_however_few_images_there_are() -> None:
    """The mean of many estimates is 0 within three standard errors, at 2 or 8 images a block."""
    for rows in (20, 80):
        estimates = torch.tensor(
            [
                kernel_distance(features(rows, 3, seed), features(rows, 3, 1000 + seed)).value
                for seed in range(150)
            ]
        )
        error = float(estimates.std()) / math.sqrt(len(estimates))
        assert abs(float(estimates.mean())) < 3 * error
        assert bool((estimates < 0).any())  # an unbiased estimate of 0 must fall below it at times


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(200):
        low, high = kernel_distance(features(100, 3, seed), features(100, 3, 500 + seed)).interval
        held += low <= 0 <= high
    assert held >= 180  # of 200: 95 % less four standard deviations


def test_it_grows_with_the_shift_and_is_symmetric() -> None:
    still = features(200, 3)
    shifted = [kernel_distance(still, features(200, 3, 1, shift)).value for shift in (0.0, 0.5, 1)]
    assert shifted == sorted(shifted)
    assert shifted[2] > 1
    there, back = kernel_distance(still, still + 1), kernel_distance(still + 1, still)
    assert there.value == pytest.approx(back.value, rel=0.2)


def test_low_precision_features_are_measured_in_double() -> None:
    a, b = features(40).float(), features(40, seed=1).float()
    assert kernel_distance(a, b) == kernel_distance(a.double(), b.double())


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_refuses_features_that_are_not_finite(bad: float) -> None:
    broken = features(20)
    broken[3, 1] = bad
    for pair in ((broken, features(20)), (features(20), broken)):
        with pytest.raises(DataError, match=r"Features are not finite\. The images or the feature"):
            kernel_distance(*pair)


def test_refuses_fewer_than_twenty_rows() -> None:
    with pytest.raises(DataError, match=r"at least 20 samples on either side; got 19\."):
        kernel_distance(features(30), features(19))


@pytest.mark.parametrize("shape", [(20, 3), (20,), (20, 4, 1)])
def test_refuses_features_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"features \(N, D\) with features \(M, D\); got"):
        kernel_distance(features(20), torch.zeros(shape))
