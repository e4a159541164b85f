"""Does the order in which a check puts the negatives agree with the paper's Table 1?

    python analysis/check_correlation.py results/check/*.json --out results/check/correlation.json

Spearman's rank correlation between figures of `nda check` and the FID that the paper reports for a
BigGAN on CIFAR-10 with each negative (recalled, to be checked), over the eight negatives. A useful
figure correlates negatively: the higher it is, the lower the FID. p is from all 8! orders.
The paper's cuts are hard; where softened twins were checked as well, these are correlated in place
of them too, since their figures are free of what the seam shows.
"""

from __future__ import annotations

import argparse
import json
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata

PAPERS_FID = {
    "jigsaw": 12.61, "stitch": 13.97, "cutout": 14.69, "cutmix": 15.01, "random_crop": 15.05,
    "mixup": 17.29, "gaussian_noise": 18.72, "horizontal_flip": 124.32,
}  # fmt: skip
FIGURES = ("global - local", "global", "local", "distance", "share of local errors avoided")


def correlations(path: Path) -> dict[str, Any]:
    """Of one check: rho and two-sided p of each figure, also of its softened twins."""
    negatives = json.loads(path.read_text(encoding="utf-8"))["negatives"]
    twins = {name: f"{name}:seam=feather" for name in PAPERS_FID}
    soft = {name: negatives[twin] for name, twin in twins.items() if twin in negatives}
    found = correlated(negatives)
    return found | ({"softened": correlated(negatives | soft)} if soft else {})


def correlated(negatives: dict[str, Any]) -> dict[str, Any]:
    names = [n for n in PAPERS_FID if "not_measured" not in negatives.get(n, {"not_measured": 1})]
    fids = [PAPERS_FID[name] for name in names]
    found: dict[str, Any] = {"negatives": len(names)}
    for figure in FIGURES:
        values = [value_of(figure, negatives[name]) for name in names]
        rho, p = spearman(values, fids)
        found[figure] = {"spearman": rho, "p": p}
    return found


def value_of(figure: str, row: dict[str, Any]) -> float:
    whole, local = row["global"]["value"], row["local"]["value"]
    values = {
        "global - local": whole - local,
        "global": whole,
        "local": local,
        "distance": row["distance"]["value"],
        "share of local errors avoided": 1 - (1 - whole) / max(1 - local, 1e-3),
    }
    return float(values[figure])


def spearman(values: list[float], others: list[float]) -> tuple[float, float]:
    """Rank correlation, and the share of all orders whose correlation is at least as large."""
    a, b = (rankdata(x) - (len(x) + 1) / 2 for x in (values, others))
    scale = float(np.sqrt((a @ a) * (b @ b)))
    rho = float(a @ b) / scale if scale else 0.0
    every = np.array(list(permutations(b))) @ a / max(scale, 1e-12)
    return rho, float((np.abs(every) >= abs(rho) - 1e-9).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checks", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    found = {p.stem: correlations(p) for p in options.checks if p.name != options.out.name}
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    print(options.out)


if __name__ == "__main__":
    main()
