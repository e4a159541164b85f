"""How often 95 % intervals of outlier figures hold the true value: bootstrap, DeLong, on a logit.

    python benchmarks/interval_coverage.py [--trials 2000] [--out results/outliers/coverage.json]

Scores of a trial are drawn from two normal or two Cauchy distributions (heavy tails) that lie so
far apart that the true AUROC is known; the true average precision and FPR95 follow from the same
distributions. The bootstrap is the percentile one, both sets resampled. `logit` are the intervals
that figures carry (`nda.evaluation.outliers.auroc_interval` and `average_precision_interval`).
"""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from record import keep, parsed
from scipy import stats
from torch import Tensor

from nda.evaluation.outliers.auroc_interval import auroc_and_variance, auroc_interval
from nda.evaluation.outliers.average_precision_interval import average_precision_interval

SIZES = [(10, 10), (30, 30), (30, 300), (300, 30), (500, 500)]  # inliers, outliers
AREAS = [0.5, 0.75, 0.95]
SHAPES = {"normal": stats.norm, "heavy tails": stats.cauchy}


@dataclass(frozen=True)
class Coverage:
    """Share of trials whose interval held the true value."""

    scores: str
    inliers: int
    outliers: int
    auroc: float
    bootstrap: float
    delong: float
    logit: float
    logit_average_precision: float
    bootstrap_average_precision: float
    bootstrap_fpr95_ood_positive: float
    bootstrap_fpr95_id_positive: float


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--out", type=Path)
    options = parsed(parser, argv, trials=4, resamples=20)
    rows = []
    for shape in SHAPES:
        for sizes in SIZES:
            for area in AREAS:
                rows.append(covered(shape, sizes, area, options.trials, options.resamples))
                print(rows[-1], flush=True)
    names = [name for name in asdict(rows[0]) if name.startswith(("bootstrap", "delong", "logit"))]
    means = {name: float(np.mean([getattr(row, name) for row in rows])) for name in names}
    least = {name: min(getattr(row, name) for row in rows) for name in names}
    print(means, least)
    keep(
        options, {"nominal": 0.95, "mean": means, "least": least, "rows": [asdict(r) for r in rows]}
    )


def covered(
    shape: str, sizes: tuple[int, int], area: float, trials: int, resamples: int
) -> Coverage:
    """Coverage over `trials` pairs of sets of `sizes` whose true AUROC is `area`."""
    inliers, outliers = sizes
    shift, truths = truth(shape, area, outliers / (inliers + outliers))
    rng = np.random.default_rng(0)
    draws = torch.Generator().manual_seed(0)
    hits = np.zeros(7)
    for _ in range(trials):
        inside = torch.from_numpy(SHAPES[shape].rvs(size=inliers, random_state=rng))
        outside = torch.from_numpy(SHAPES[shape].rvs(size=outliers, random_state=rng) + shift)
        low, high = bootstrap(inside, outside, resamples, draws)
        held = ((low <= truths) & (truths <= high)).tolist()
        value, variance = auroc_and_variance(inside, outside)
        exact = auroc_interval(inside, outside)
        plain = abs(value - area) <= stats.norm.ppf(0.975) * math.sqrt(variance)
        ends = average_precision_interval(inside, outside)
        precise = ends[0] <= truths[1] <= ends[1]
        hits += [held[0], plain, exact[0] <= area <= exact[1], precise, *held[1:]]
    return Coverage(shape, inliers, outliers, area, *(hits / trials).tolist())


def truth(shape: str, area: float, base_rate: float) -> tuple[float, Tensor]:
    """How far apart the two distributions lie, and AUROC, average precision and both FPR95 (4,)."""
    one = SHAPES[shape]
    # A difference of two normal variables is wider by sqrt(2), of two Cauchy variables by 2.
    shift = float(one.ppf(area)) * (math.sqrt(2) if shape == "normal" else 2)
    recall = (np.arange(200_000) + 0.5) / 200_000
    false = one.sf(one.isf(recall) + shift)  # share of inliers flagged at that recall
    precision = base_rate * recall / (base_rate * recall + (1 - base_rate) * false)
    flagged, accepted = one.sf(one.ppf(0.05) + shift), one.cdf(one.ppf(0.95) - shift)
    return shift, torch.tensor([area, precision.mean(), flagged, accepted], dtype=torch.float64)


def bootstrap(
    inside: Tensor, outside: Tensor, resamples: int, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Ends of the intervals (4,) of AUROC, average precision and both FPR95."""
    scores = torch.cat([inside, outside])
    rank = scores.argsort(descending=True).argsort()  # highest score first; no ties
    counts = []
    for part in rank.split([len(inside), len(outside)]):
        picks = part[torch.randint(len(part), (resamples, len(part)), generator=rng)]
        places = picks + len(scores) * torch.arange(resamples).unsqueeze(1)
        flat = places.flatten().bincount(minlength=resamples * len(scores))
        counts.append(flat.view(resamples, len(scores)).float())
    figures = figures_of(*counts).double()
    low, high = figures.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64), dim=0)
    return low, high


def figures_of(inside: Tensor, outside: Tensor) -> Tensor:
    """AUROC, average precision, both FPR95 (..., 4) of counts (..., levels), highest first."""
    found, false = outside.cumsum(-1), inside.cumsum(-1)
    all_outside, all_inside = found[..., -1], false[..., -1]
    above = all_inside.unsqueeze(-1) - false + inside / 2
    auroc = (above * outside).sum(-1) / (all_inside * all_outside)
    precision = (found / (found + false).clamp(min=1) * outside).sum(-1) / all_outside
    place = (20 * found >= 19 * all_outside.unsqueeze(-1)).byte().argmax(-1, keepdim=True)
    flagged = false.gather(-1, place).squeeze(-1) / all_inside
    # From below: the levels at or under a threshold that accepts 95 % of the inliers.
    kept = inside.flip(-1).cumsum(-1)
    edge = (20 * kept >= 19 * all_inside.unsqueeze(-1)).byte().argmax(-1, keepdim=True)
    accepted = outside.flip(-1).cumsum(-1).gather(-1, edge).squeeze(-1) / all_outside
    return torch.stack([auroc, precision, flagged, accepted], dim=-1)


if __name__ == "__main__":
    main()
