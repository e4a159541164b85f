"""Pixels counted by level, against their ranks and against naive curves."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor

from nda.evaluation.outliers.faults import TABLE
from nda.evaluation.outliers.pixels import count_pixels, pixel_metrics
from tests.evaluation.outliers.test_faults import LABELS, invented, measured, scores, seeded


def auroc(maps: Tensor, masks: Tensor) -> float:
    return count_pixels(maps, masks).pixel_auroc


def invented_masks() -> Tensor:
    masks = torch.zeros(10, 16, 16, dtype=torch.bool)
    for index, label in enumerate(LABELS):
        if label != 1:
            masks[index, index : index + 4, 2:9] = True
    return masks


def exact_auroc(maps: Tensor, masks: Tensor) -> float:
    """By the ranks of all pixels (Mann-Whitney), ties at their mean rank."""
    size = list(masks.shape[-2:])
    heat = F.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)
    values, truth = heat.flatten().double(), masks.flatten()
    levels, place, counts = values.unique(return_inverse=True, return_counts=True)
    assert len(levels) > 1
    mean_rank = (counts.cumsum(0) - counts + (counts + 1) / 2)[place]
    faulty, normal = int(truth.sum()), int((~truth).sum())
    return float((mean_rank[truth].sum() - faulty * (faulty + 1) / 2) / (faulty * normal))


@settings(deadline=None, max_examples=30)
@given(
    count=st.integers(1, 4),
    side=st.integers(2, 6),
    scale=st.sampled_from([1e-3, 1.0, 1e4]),
    shift=st.floats(-2, 2),
    seed=st.integers(0, 2**31),
)
def test_pixels_counted_by_level_agree_with_their_ranks(
    count: int, side: int, scale: float, shift: float, seed: int
) -> None:
    draws = seeded(seed)
    maps = torch.randn(count, side, side, generator=draws)
    masks = torch.rand(count, 4 * side, 4 * side, generator=draws) < 0.2
    masks[0, 0, 0], masks[0, 0, 1] = True, False
    found = auroc(scale * (maps + shift), masks)
    heat = F.interpolate(maps[:, None].double(), masks.shape[-2:], mode="bilinear")[:, 0]
    apart = (heat[masks][:, None] - heat[~masks]).abs()  # every faulty pixel and every normal one
    step = float(maps.max() - maps.min()) / 4095
    within_a_step = float((apart < 1.01 * step).double().mean())
    # Pairs that are closer than a step may change places; all others may not.
    assert abs(found - exact_auroc(maps, masks)) <= within_a_step + 1e-6


def test_levels_are_as_fine_as_is_said() -> None:
    """Values that lie a 4000th of the range apart are told apart, and much closer ones are not."""
    base = torch.zeros(1, 2, 2)
    base[0, 1, 1] = 1
    mask = torch.zeros(1, 2, 2, dtype=torch.bool)
    mask[0, 0, 0] = True
    apart, close = base.clone(), base.clone()
    apart[0, 0, 0], close[0, 0, 0] = 1 / 4000, 1 / 100_000
    # Above two of the three normal pixels, below one; or level with the two.
    assert auroc(apart, mask) == pytest.approx(2 / 3)
    assert auroc(close, mask) == pytest.approx(1 / 3)


def test_perfect_reversed_and_constant_maps() -> None:
    masks = torch.zeros(3, 8, 8, dtype=torch.bool)
    masks[1, 2:5, 3:6] = True
    assert auroc(masks.float(), masks) == 1
    assert auroc(-masks.float(), masks) == 0
    assert auroc(torch.full((3, 8, 8), 1.7), masks) == 0.5


def test_more_images_than_are_counted_at_once() -> None:
    draws = seeded()
    maps, masks = torch.randn(130, 3, 3, generator=draws), torch.rand(130, 6, 6, generator=draws)
    assert auroc(maps, masks < 0.3) == pytest.approx(exact_auroc(maps, masks < 0.3), abs=1e-4)


def test_pixels_are_measured_kind_by_kind_with_the_normal_images() -> None:
    masks, maps = invented_masks(), torch.randn(10, 4, 4, generator=seeded(1))
    metrics = pixel_metrics(maps, invented(masks), {"split": "test split"})
    assert [metric.name for metric in metrics[::3]] == [
        "test_all_kinds_pixel_auroc",
        "test_crack_pixel_auroc",
        "test_scratch_deep_pixel_auroc",
    ]
    assert [metric.name for metric in metrics[3:6]] == [
        "test_crack_pixel_auroc",
        "test_crack_pixel_average_precision",
        "test_crack_aupro",
    ]
    for metric, labels in zip(metrics[::3], ({0, 1, 2}, {0, 1}, {1, 2}), strict=True):
        rows = torch.tensor([label in labels for label in LABELS])
        assert metric.value == pytest.approx(exact_auroc(maps[rows], masks[rows]), abs=1e-3)
        assert (metric.table, metric.column) == (TABLE, "pixel AUROC, detector")
        assert metric.protocol["split"] == "test split"
    rows_of_images = list(
        dict.fromkeys(m.row for m in measured(scores()).values() if m.table == TABLE)
    )
    assert [metric.row for metric in metrics[::3]] == rows_of_images  # so that one table has both


def test_images_whose_fault_is_not_marked_are_left_out() -> None:
    masks, maps = invented_masks(), torch.randn(10, 4, 4, generator=seeded(1))
    masks[2] = masks[4] = False  # the only scratch, and one of three cracks
    metrics = pixel_metrics(maps, invented(masks), {})[::3]
    assert [metric.row for metric in metrics] == ["all kinds (4)", "crack (3)"]
    rows = torch.tensor([index not in (2, 4) for index in range(10)])
    exact = exact_auroc(maps[rows], masks[rows])
    for metric in metrics:
        assert metric.value == pytest.approx(exact, abs=1e-3)
        assert math.isfinite(metric.value)


def test_maps_and_masks_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        count_pixels(torch.rand(3, 4, 4), torch.ones(2, 8, 8, dtype=torch.bool))


def test_without_masks_no_pixels_are_measured() -> None:
    assert pixel_metrics(torch.zeros(10, 4, 4), invented(), {}) == []


def naive_figures(maps: Tensor, masks: Tensor) -> tuple[float, float]:
    """Average precision, and the overlap of regions to 0.3, threshold by threshold."""
    regions, area, precision = [], 0.0, 0.0
    for mask in masks:
        numbers, count = ndimage.label(mask.numpy(), structure=np.ones((3, 3)))
        regions.append([torch.from_numpy(numbers == k) for k in range(1, count + 1)])
    false, overlap, recall = [0.0], [0.0], 0.0
    for level in sorted(set(maps.flatten().tolist()), reverse=True):
        hot = maps >= level
        false.append(float(hot[~masks].float().mean()))
        shares = [float(hot[i][r].float().mean()) for i, rs in enumerate(regions) for r in rs]
        overlap.append(sum(shares) / len(shares))
        reached = float(hot[masks].double().mean())
        precision += (reached - recall) * float(masks[hot].double().mean())
        recall = reached
    for (a, b), (low, high) in zip(pairwise(false), pairwise(overlap), strict=True):
        if a < 0.3 and b > a:
            end = min(b, 0.3)
            top = low + (high - low) * (end - a) / (b - a)
            area += (end - a) * (low + top) / 2
    return precision, area / 0.3


@pytest.mark.parametrize("seed", range(4))
def test_precision_and_overlap_are_the_naive_ones(seed: int) -> None:
    draws = seeded(seed)
    maps = torch.randint(40, (3, 12, 12), generator=draws).float()
    masks = torch.zeros(3, 12, 12, dtype=torch.bool)
    masks[0, 1:4, 1:5] = masks[0, 4, 5] = True  # joined by a corner
    masks[0, 9, 9:12] = masks[2, :, 6] = True
    maps[masks] += 15
    counts = count_pixels(maps, masks)
    precision, overlap = naive_figures(maps, masks)
    assert counts.count == 3
    assert counts.pixel_average_precision == pytest.approx(precision, abs=1e-6)
    assert counts.aupro == pytest.approx(overlap, abs=1e-6)


def test_a_small_region_weighs_as_much_as_a_large_one() -> None:
    masks = torch.zeros(1, 40, 40, dtype=torch.bool)
    masks[0, :10, :10] = masks[0, 30, 30] = True
    found = masks.clone()
    found[0, 30, 30] = False  # all of the large one, none of the small one
    assert count_pixels(masks.float(), masks).aupro == pytest.approx(1)
    half = count_pixels(found.float(), masks).aupro
    assert half == pytest.approx(0.5 + 0.5 * 0.15, abs=0.01)  # and then by chance
