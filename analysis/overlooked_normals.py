"""What becomes of the promised rate where wrongly flagged normal images join those fitted to.

Magnetic tiles by picture, in many random splits: half of the normal pictures are fitted to, a fifth
calibrates, 15 % are a stream of new ones and 15 % test. What of the stream is flagged at the rate
joins, and test pictures are scored anew:

- `before`: nothing joins;
- `fitted`: it joins what is fitted to, as `--normal_more` does;
- `all`: as much of the stream as was flagged, drawn at random, joins what is fitted to;
- `calibrated`: it joins what is calibrated on as well, as in a larger --data.

    python analysis/overlooked_normals.py --data FOLDER --methods neighbours --splits 200 \\
        --out results/anomaly/overlooked.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from anomaly_sets import SIDE, Kept, seen, tiles
from torch import Tensor

from nda.evaluation.outliers.auroc import measure_outliers
from nda.evaluation.outliers.conformal import p_values
from nda.evaluation.outliers.detector import image_scores
from nda.networks.pretrained.fitted import build_fitted

RATES = (0.05, 0.1)


@torch.no_grad()
def scorer(method: str, maps: list[Tensor], rows: Tensor) -> Any:
    """What scores images by their numbers, fitted to `rows`."""
    network = build_fitted(method, "lite0", SIDE, len(rows))
    network.trunk = Kept(maps[-1:] if method == "neighbours" else maps)  # which sees no other
    network.fit(rows.split(32))

    def score(some: Tensor) -> Tensor:
        heat = torch.cat([network(part) for part in some.split(32)])
        return image_scores(heat, network.pooling)

    return score


@torch.no_grad()
def one_split(
    method: str, maps: list[Tensor], normal: int, faulty: Tensor, seed: int
) -> list[dict[str, Any]]:
    """Share of the test pictures flagged, and how faults are told, before and after."""
    rng = torch.Generator().manual_seed(seed)
    order = torch.randperm(normal, generator=rng)
    cuts = [round(normal * share) for share in (0.5, 0.7, 0.85)]
    fit, known, stream, test = order.tensor_split(cuts)
    score = scorer(method, maps, fit)
    calibration, new = score(known), p_values(score(stream), score(known))
    rows = []
    for rate in RATES:
        wrong = stream[new <= rate]
        other = stream[torch.randperm(len(stream), generator=rng)[: len(wrong)]]
        ways = {
            "before": (score, calibration),
            "fitted": (scorer(method, maps, torch.cat([fit, wrong])), None),
            "all": (scorer(method, maps, torch.cat([fit, other])), None),
        }
        ways["calibrated"] = (ways["fitted"][0], ways["fitted"][0](torch.cat([known, wrong])))
        for way, (judge, own) in ways.items():
            calibrated = judge(known) if own is None else own
            of_test, of_faulty = judge(test), judge(faulty)
            row = {"method": method, "seed": seed, "rate": rate, "way": way, "joined": len(wrong)}
            row["false_alarms"] = float((p_values(of_test, calibrated) <= rate).float().mean())
            row["found"] = float((p_values(of_faulty, calibrated) <= rate).float().mean())
            rows.append({**row, "auroc": measure_outliers(of_test, of_faulty).auroc})
    return rows


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over the splits, and what a mean is uncertain by."""
    found = []
    for key in sorted({(row["method"], row["rate"], row["way"]) for row in rows}):
        some = [row for row in rows if (row["method"], row["rate"], row["way"]) == key]
        values = torch.tensor([[row["false_alarms"], row["found"], row["auroc"]] for row in some])
        mean, error = values.mean(dim=0), values.std(dim=0) / len(some) ** 0.5
        row: dict[str, Any] = dict(zip(("method", "rate", "way"), key, strict=True))
        row |= {"splits": len(some), "joined": sum(each["joined"] for each in some) / len(some)}
        row |= {"false_alarms": round(float(mean[0]), 4), "error": round(float(error[0]), 4)}
        found.append(row | {"found": round(float(mean[1]), 4), "auroc": round(float(mean[2]), 4)})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--splits", type=int, default=40)
    parser.add_argument("--methods", default="neighbours,gaussian")
    options = parser.parse_args()
    torch.set_num_threads(1)
    task = tiles(options.data)
    maps = seen(torch.cat([task.normal, task.anomalous]))
    normal = len(task.normal)
    faulty = normal + torch.arange(0, len(task.anomalous), 3)
    rows = []
    for seed in range(options.splits):
        for method in options.methods.split(","):
            rows += one_split(method, maps, normal, faulty, seed)
    found = {"summary": summary(rows)}
    options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found["summary"], indent=1))


if __name__ == "__main__":
    main()
