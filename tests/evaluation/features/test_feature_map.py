"""The map of features against a singular value decomposition, and what it promises."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from nda.errors import ShapeError
from nda.evaluation.features.extract import feature_map


def features(count: int = 50, size: int = 6) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    stretch = torch.tensor([5.0, 3.0, *[0.5] * (size - 2)])
    return torch.randn(count, size, generator=rng) * stretch


def test_it_is_the_singular_value_decomposition_of_the_directions() -> None:
    found = feature_map(features())
    directions = F.normalize(features().double(), dim=1)
    centred = directions - directions.mean(dim=0)
    left, lengths, _ = torch.linalg.svd(centred, full_matrices=False)
    expected = (left * lengths)[:, :2]
    signs = (found.points * expected).sum(dim=0).sign()
    torch.testing.assert_close(found.points.double(), expected * signs, rtol=1e-5, atol=1e-6)
    shares = (lengths.square() / lengths.square().sum())[:2].tolist()
    assert found.shares == pytest.approx(shares)


def test_lengths_do_not_matter_and_signs_are_settled() -> None:
    plain = feature_map(features())
    longer = feature_map(features() * torch.linspace(0.1, 9, 50)[:, None])
    torch.testing.assert_close(plain.points, longer.points)


def test_collapsed_features_give_one_point() -> None:
    found = feature_map(torch.ones(5, 4))
    assert found.shares == (0, 0) or sum(found.shares) <= 1
    torch.testing.assert_close(found.points, torch.zeros(5, 2))


@pytest.mark.parametrize("shape", [(2, 5), (5, 1), (5, 2, 2)])
def test_too_few_features_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"3 or more features of 2 or more dimensions.*got \(\d"):
        feature_map(torch.ones(shape))
