"""Surprise against loops over clips, windows and cells; and what it does not depend on."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda.errors import ConfigError, ShapeError
from nda.evaluation.outliers.surprise import cell_surprise, video_surprise
from nda.networks.dpc import DensePredictor

SIZES = st.tuples(*[st.integers(1, most) for most in (3, 3, 4, 2, 2)])  # B, P, D, H, W


def features(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def naive(predicted: Tensor, target: Tensor, temperature: float) -> list[float]:
    """Cell by cell, by the words of the definition."""
    clips, steps, _, height, width = predicted.shape
    cells = [(p, i, j) for p in range(steps) for i in range(height) for j in range(width)]
    scores = []
    for clip in range(clips):
        total = 0.0
        for p, i, j in cells:
            cell = predicted[clip, p, :, i, j].tolist()
            exponents = []
            for q, y, x in cells:
                other = target[clip, q, :, y, x].tolist()
                dot = sum(a * b for a, b in zip(cell, other, strict=True))
                exponents.append(math.exp(dot / temperature))
                if (q, y, x) == (p, i, j):
                    own = exponents[-1]
            total -= math.log(own / sum(exponents))
        scores.append(total / len(cells))
    return scores


@given(shape=SIZES, temperature=st.floats(0.5, 4), seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=30)
def test_agrees_with_a_double_loop_over_cells(
    shape: tuple[int, ...], temperature: float, seed: int
) -> None:
    predicted, target = features(*shape, seed=seed), features(*shape, seed=seed + 1)
    found = cell_surprise(predicted, target, temperature=temperature)
    assert found.tolist() == pytest.approx(naive(predicted, target, temperature), abs=1e-4)


def test_a_single_cell_has_nothing_to_be_told_from() -> None:
    network = DensePredictor("resnet18", width=8, steps=1).eval()
    window = torch.zeros(4, 3, 32, 32, dtype=torch.uint8)
    with pytest.raises(ConfigError, match="predicts a single cell of each clip"):
        video_surprise(network, [window], frames=1, temperature=1.0)
    tall = torch.zeros(4, 3, 64, 32, dtype=torch.uint8)  # two cells, one above the other
    assert math.isfinite(video_surprise(network, [tall], frames=1, temperature=1.0).score)
    two = DensePredictor("resnet18", width=8, steps=2).eval()  # two times of two places
    assert math.isfinite(video_surprise(two, [tall], frames=1, temperature=1.0).score)


def test_unless_told_otherwise_the_temperature_is_1() -> None:
    cells = features(2, 3, 8, 2, 2), features(2, 3, 8, 2, 2, seed=1)
    assert torch.equal(cell_surprise(*cells), cell_surprise(*cells, temperature=1.0))
    assert not torch.equal(cell_surprise(*cells), cell_surprise(*cells, temperature=2.0))


def test_other_clips_do_not_matter() -> None:
    predicted, target = features(5, 3, 8, 2, 2), features(5, 3, 8, 2, 2, seed=1)
    together = cell_surprise(predicted, target)
    for clip in range(5):
        alone = cell_surprise(predicted[clip : clip + 1], target[clip : clip + 1])
        assert torch.equal(alone[0], together[clip])


def test_what_is_foreseen_is_no_surprise_and_blindness_is_chance() -> None:
    target = features(1, 3, 64, 2, 2)
    assert float(cell_surprise(100 * target, target)) == pytest.approx(0, abs=1e-6)
    blind = torch.ones_like(target)
    assert float(cell_surprise(features(1, 3, 64, 2, 2), blind)) == pytest.approx(math.log(12))


def test_a_clip_in_which_nothing_moves_is_no_less_than_its_times() -> None:
    """Its times cannot be told apart, however well its places are."""
    target = features(1, 1, 64, 2, 2).expand(1, 3, 64, 2, 2)
    assert float(cell_surprise(100 * target, target)) == pytest.approx(math.log(3), abs=1e-5)
    assert float(cell_surprise(features(1, 3, 64, 2, 2, seed=2), target)) > math.log(3)


def test_cells_that_do_not_match_are_refused() -> None:
    with pytest.raises(ShapeError, match="target must have the cells of predicted"):
        cell_surprise(features(2, 3, 8, 2, 2), features(2, 2, 8, 2, 2))
    with pytest.raises(ValueError, match="shorter"):
        cell_surprise(features(2, 3, 8, 2, 2), features(1, 3, 8, 2, 2))


@pytest.fixture(scope="module")
def network() -> DensePredictor:
    torch.manual_seed(0)
    return DensePredictor("resnet18", width=8, steps=2).eval()


def some_windows(count: int) -> Tensor:
    rng = torch.Generator().manual_seed(count)
    return torch.randint(256, (count, 6, 3, 64, 64), generator=rng, dtype=torch.uint8)


@pytest.mark.parametrize(("count", "batch_size"), [(1, 4), (5, 2), (4, 4)])
def test_a_video_is_the_mean_over_its_windows(
    network: DensePredictor, count: int, batch_size: int
) -> None:
    windows = some_windows(count)
    scores = []
    with torch.no_grad():
        for window in windows:
            clip = window.float() / 127.5 - 1  # (6, 3, 64, 64): 3 blocks of 2 frames
            blocks = torch.stack([clip[2 * n : 2 * n + 2].transpose(0, 1) for n in range(3)])
            predicted, target, _ = network(blocks[None])
            scores += naive(predicted, target, 2.0)
    found = video_surprise(network, iter(windows), frames=2, temperature=2.0, batch_size=batch_size)
    assert found.score == pytest.approx(sum(scores) / count, abs=1e-5)
    assert torch.equal(found.picture, windows[(count - 1) // 2, 3])
