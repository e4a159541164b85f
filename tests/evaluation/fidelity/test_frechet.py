from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda.errors import DataError, ShapeError
from nda.evaluation.fidelity.frechet import frechet_distance


def random_features(rows: int, columns: int, seed: int) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    mixing = torch.randn(columns, columns, generator=g, dtype=torch.float64)
    shift = torch.randn(columns, generator=g, dtype=torch.float64)
    noise = torch.randn(rows, columns, generator=g, dtype=torch.float64)
    return torch.addmm(shift, noise, mixing)


def textbook(a: Tensor, b: Tensor) -> float:
    """The formula as written, by a general matrix square root."""
    mean = (a.mean(0) - b.mean(0)).square().sum().item()
    cov_a, cov_b = np.cov(a.numpy(), rowvar=False), np.cov(b.numpy(), rowvar=False)
    root = scipy.linalg.sqrtm(cov_a @ cov_b)
    return float(mean + np.trace(cov_a) + np.trace(cov_b) - 2 * np.trace(root).real)


def with_moments(mean: Tensor, variance: Tensor) -> Tensor:
    """Rows whose mean and (diagonal, unbiased) covariance are exactly those given."""
    spread = torch.diag(variance.sqrt())
    rows = torch.cat([spread, -spread])  # 2D rows; the variance of a column is 2v / (2D - 1)
    return rows * ((len(rows) - 1) / 2) ** 0.5 + mean


@given(
    rows=st.tuples(st.integers(12, 40), st.integers(12, 40)),
    columns=st.integers(2, 8),
    seed=st.integers(0, 2**32),
)
@settings(deadline=None, max_examples=25)
def test_agrees_with_the_matrix_square_root(rows: tuple[int, int], columns: int, seed: int) -> None:
    a = random_features(rows[0], columns, seed)
    b = random_features(rows[1], columns, seed + 1)
    assert frechet_distance(a, b) == pytest.approx(textbook(a, b), rel=1e-7)


def test_closed_form_of_diagonal_gaussians() -> None:
    mean_a, mean_b = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.0, 2.0, 0.5])
    var_a, var_b = torch.tensor([1.0, 4.0, 9.0]), torch.tensor([4.0, 0.25, 9.0])
    expected = (mean_a - mean_b).square().sum() + (var_a.sqrt() - var_b.sqrt()).square().sum()
    distance = frechet_distance(with_moments(mean_a, var_a), with_moments(mean_b, var_b))
    assert distance == pytest.approx(expected.item(), rel=1e-6)


@given(
    rows=st.tuples(st.integers(2, 30), st.integers(2, 30)),
    columns=st.integers(1, 20),
    exponent=st.integers(-6, 6),
    seed=st.integers(0, 2**32),
)
@settings(deadline=None, max_examples=25)
def test_finite_symmetric_and_never_negative(
    rows: tuple[int, int], columns: int, exponent: int, seed: int
) -> None:
    a = random_features(rows[0], columns, seed) * 10.0**exponent
    b = random_features(rows[1], columns, seed + 1)
    distance = frechet_distance(a, b)
    assert np.isfinite(distance)
    assert distance >= 0
    assert distance == pytest.approx(frechet_distance(b, a), rel=1e-9)


@pytest.mark.parametrize(("rows", "columns"), [(200, 16), (5, 64)])
def test_nothing_separates_a_set_from_itself(rows: int, columns: int) -> None:
    features = random_features(rows, columns, seed=3)
    scale = features.var(dim=0).sum().item()
    assert frechet_distance(features, features.flip(0)) <= 1e-12 * scale


def test_rank_deficient_features_are_measured_exactly() -> None:
    """Fewer rows than columns: the square root of the textbook is unusable, the truth is known."""
    wide = torch.zeros(6, 50)
    wide[:, :3] = with_moments(torch.zeros(3), torch.tensor([1.0, 4.0, 9.0]))
    other = torch.zeros(6, 50)
    other[:, 10:13] = with_moments(torch.zeros(3), torch.tensor([1.0, 1.0, 1.0]))
    assert frechet_distance(wide, other) == pytest.approx(14 + 3, rel=1e-6)


def test_a_shift_far_from_zero_keeps_its_precision() -> None:
    features = random_features(100, 8, seed=1)
    far = features + 1e6
    assert frechet_distance(far, far + 1) == pytest.approx(8, rel=1e-6)


def test_low_precision_features_are_measured_in_double() -> None:
    a, b = random_features(50, 6, seed=1).float(), random_features(50, 6, seed=2).float()
    assert frechet_distance(a, b) == frechet_distance(a.double(), b.double())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_refuses_features_that_are_not_finite(bad: float) -> None:
    good, features = torch.zeros(4, 3), torch.zeros(4, 3)
    features[2, 1] = bad
    with pytest.raises(DataError, match=r"1 of 4 feature rows are not finite"):
        frechet_distance(good, features)


def test_refuses_a_single_row() -> None:
    with pytest.raises(DataError, match=r"at least 2 samples on either side; got 1"):
        frechet_distance(torch.zeros(1, 3), torch.zeros(4, 3))


@pytest.mark.parametrize("shape", [(4, 2), (4,), (4, 3, 1)])
def test_refuses_features_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"features \(N, D\) with features \(M, D\)"):
        frechet_distance(torch.zeros(4, 3), torch.zeros(shape))
