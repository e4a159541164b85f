"""Did a score learn structure, or the seams of the negatives it was shown?

A score that tells an image from its jigsaw may look at edges along the cuts alone. So the same
jigsaw is made with blurred seams, and the image is blurred there too (its null): what the score
then still tells apart is structure. Beside it stand seams without a broken structure, and broken
structures without a seam in the middle.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from nda.data.images.image_set import to_float
from nda.errors import DataError, ShapeError
from nda.evaluation.intervals import wilson_interval
from nda.evaluation.shortcuts.treatments import jigsaws, treatments

Score = Callable[[Tensor, Tensor], Tensor]
Interval = tuple[float, float]

HARD, SOFT, NULL = "jigsaw", "jigsaw, seams blurred", "image blurred there"
NORMAL_95 = 1.96
RESAMPLES = 1000


@dataclass(frozen=True)
class Compared:
    """Images beside what was done to them, with 95 % intervals over images."""

    gap: float  # mean of D(x) - D(treated x)
    gap_interval: Interval
    above: float  # share of images with D(x) > D(treated x)
    above_interval: Interval


@dataclass(frozen=True)
class Audit:
    """What a score makes of jigsaws, of their seams and of broken structures, by name."""

    images: int
    compared: dict[str, Compared]
    structure_share: float | None  # None where no jigsaw is told from its image
    structure_interval: Interval | None
    nulls_above: float  # share of images with D(null(x)) > D(blurred jigsaw of x)
    nulls_interval: Interval


def shortcut_audit(
    score: Score,
    images: Tensor,
    labels: Tensor,
    *,
    generator: torch.Generator,
    grid: int = 2,
    batch_size: int = 250,
    device: torch.device | str = "cpu",
) -> Audit:
    """Audit a score of `images` uint8 (N, 3, H, H), at least 4, with labels int64 (N,).

    `score(x, labels)` gives values (B,), high for images of the data, of float32 (B, 3, H, H) in
    [-1, 1]; it should run its network in eval mode. The jigsaws are of `grid` x `grid` tiles.

    The structure share is the gap of the blurred jigsaw less that of the null, over the larger of
    the gaps of the hard and the blurred jigsaw. It is None where the interval of that larger gap
    holds 0; its own interval is the percentile bootstrap over images.

    Raises `ShapeError` for images that are not square, cannot be cut or are too few, and
    `DataError` for scores that are not finite.
    """
    if images.dim() != 4 or len(images) < 4 or images.shape[2] != images.shape[3]:
        raise ShapeError(
            f"The audit was given images of shape {tuple(images.shape)}; expected at least 4 "
            "square ones, (N, 3, H, H)."
        )
    side, parts = images.shape[3], max(1, len(images) // batch_size)
    hard, soft = jigsaws(grid, side)
    others = treatments(side)
    found: dict[str, list[Tensor]] = {name: [] for name in (HARD, SOFT, NULL, *others)}
    with torch.no_grad():
        # About equal batches, none of them tiny: a stitch needs two images.
        for rows in torch.arange(len(images)).tensor_split(parts):
            x, y = to_float(images[rows].to(device)), labels[rows].to(device)
            params = hard.draw(x, generator)
            made = {
                HARD: hard.replay(x, params),
                SOFT: soft.replay(x, params),
                NULL: soft.null(x, params),
                **{name: treat(x, generator) for name, treat in others.items()},
            }
            whole = _scores(score, x, y)
            for name, treated in made.items():
                found[name].append(whole - _scores(score, treated, y))
    return _audit({name: torch.cat(gaps) for name, gaps in found.items()}, generator)


def _scores(score: Score, x: Tensor, labels: Tensor) -> Tensor:
    values = score(x, labels).double().cpu()
    if values.shape != (len(x),):
        raise ShapeError(
            f"The audit needs one value an image, shape ({len(x)},); the score gave "
            f"{tuple(values.shape)}."
        )
    if not bool(values.isfinite().all()):
        raise DataError("The score of an image is not finite, so there is nothing to audit.")
    return values


def _audit(gaps: dict[str, Tensor], rng: torch.Generator) -> Audit:
    """From D(x) - D(treated x), (N,) float64 by treatment."""
    compared = {name: _compared(gap) for name, gap in gaps.items()}
    larger = max((compared[HARD], compared[SOFT]), key=lambda each: each.gap)
    share = interval = None
    if larger.gap_interval[0] > 0:
        share = float(_structure_share(*(gaps[name].mean() for name in (HARD, SOFT, NULL))))
        interval = _bootstrapped(torch.stack([gaps[name] for name in (HARD, SOFT, NULL)]), rng)
    above = gaps[SOFT] > gaps[NULL]  # the image itself cancels: D(null) > D(blurred jigsaw)
    return Audit(
        images=len(above),
        compared=compared,
        structure_share=share,
        structure_interval=interval,
        nulls_above=float(above.double().mean()),
        nulls_interval=wilson_interval(int(above.sum()), len(above)),
    )


def _compared(gap: Tensor) -> Compared:
    reach = NORMAL_95 * float(gap.std()) / math.sqrt(len(gap))
    mean, above = float(gap.mean()), int((gap > 0).sum())
    return Compared(
        gap=mean,
        gap_interval=(mean - reach, mean + reach),
        above=above / len(gap),
        above_interval=wilson_interval(above, len(gap)),
    )


def _structure_share(hard: Tensor, soft: Tensor, null: Tensor) -> Tensor:
    return (soft - null) / torch.maximum(hard, soft)


def _bootstrapped(gaps: Tensor, rng: torch.Generator) -> Interval:
    """The middle 95 % of the share over draws of as many images, from gaps (3, N)."""
    draws = rng.device
    count = gaps.shape[1]
    shares = []
    for _ in range(RESAMPLES):
        rows = torch.randint(count, (count,), generator=rng, device=draws).cpu()
        shares.append(_structure_share(*gaps[:, rows].mean(dim=1)))
    low, high = torch.stack(shares).quantile(torch.tensor([0.025, 0.975]).double())
    return float(low), float(high)
