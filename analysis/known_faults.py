"""Do five or ten known faults help? Beside the methods that are fitted to normal images alone.

A few anomalous images are drawn as known, and the others tested with. Normal images are split as in
`analysis/anomaly_methods.py`, by tile. What known faults may do to what is fitted at once:

- `chosen`: of gaussian and neighbours that which ranks them best among normal images;
- `weighed`: a logistic regression of the z-scores of gaussian and neighbours, weights not below 0;
- `alike`: at each place the Gaussian's distance grows by as much as what is odd there resembles
  what is oddest in a known fault (the cosine of whitened features, if above 0).

Normal images that known faults are compared with come from the training images alone, each third
by a fit to the others: so the images calibrated on stay as good as new ones, and the promise holds.

    python analysis/known_faults.py --data FOLDER_OF_ZIPS --out results/anomaly/known-faults.json
"""

from __future__ import annotations

import argparse
import json
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from anomaly_sets import SIDE, Kept, Task, seen, split, tasks
from torch import Tensor

from nda.data.images.parts import one_of_each
from nda.evaluation.outliers.auroc import measure_outliers
from nda.evaluation.outliers.conformal import p_values, smallest_rate
from nda.evaluation.outliers.detector import image_scores
from nda.networks.pretrained.choice import fitting_method, place_share
from nda.networks.pretrained.fitted import build_fitted
from nda.networks.pretrained.gaussian import GaussianMap

METHODS = ("gaussian", "neighbours")
KNOWN = (5, 10)
FOLDS = 3
RATE = 0.05


def fitted(method: str, maps: list[Tensor], rows: Tensor) -> Any:
    """The network of a method, fitted to these images."""
    network = build_fitted(method, "lite0", SIDE, len(rows))
    network.trunk = Kept(maps)
    network.fit(rows.split(32))
    return network


@torch.no_grad()
def scores_of(network: Any, rows: Tensor) -> Tensor:
    maps = torch.cat([network(part) for part in rows.split(32)])
    return image_scores(maps, network.pooling)


@torch.no_grad()
def crossed(method: str, maps: list[Tensor], rows: Tensor) -> Tensor:
    """Scores of the training images, each third by a fit to the others."""
    found = torch.zeros(len(rows))
    fold = torch.arange(len(rows)) % FOLDS
    for k in range(FOLDS):
        found[fold == k] = scores_of(fitted(method, maps, rows[fold != k]), rows[fold == k])
    return found


def weights_of(normal: Tensor, faulty: Tensor) -> Tensor:
    """Weights (M,) not below 0 of z-scores (n, M), by a logistic regression with balanced sides."""
    weights = torch.full((normal.shape[1],), 0.5, requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    descent = torch.optim.Adam([weights, bias], lr=0.05)
    for _ in range(500):
        descent.zero_grad()
        of_normal, of_faulty = normal @ weights.abs() + bias, faulty @ weights.abs() + bias
        loss = F.softplus(of_normal).mean() + F.softplus(-of_faulty).mean()
        (loss + 0.05 * weights.square().sum()).backward()
        descent.step()
    return weights.detach().abs()


@torch.no_grad()
def alike(network: GaussianMap, known: Tensor, rows: Tensor) -> Tensor:
    """Scores of images by distances that grow where what is odd resembles a known fault."""

    def whitened(some: Tensor) -> Tensor:  # (B, places, channels)
        centred = network.at_places(network.trunk(some)) - network.mean
        return torch.bmm(centred, network.whiten).transpose(0, 1)

    odd = whitened(known)
    oddest = odd.norm(dim=2).argmax(dim=1)
    examples = F.normalize(odd[torch.arange(len(known)), oddest], dim=1)  # (K, channels)
    found = []
    for part in rows.split(32):
        here = whitened(part)
        resembles = (F.normalize(here, dim=2) @ examples.T).amax(dim=2).clamp(min=0)
        heat = here.norm(dim=2) * (1 + resembles)
        found.append(image_scores(network.smooth(heat.reshape(-1, network.grid, network.grid))))
    return torch.cat(found)


def row_of(known: Tensor, test: Tensor, faulty: Tensor) -> dict[str, float]:
    """AUROC, and shares flagged of normal and faulty images where that can be promised."""
    row = {"auroc": round(measure_outliers(test, faulty).auroc, 4)}
    if smallest_rate(len(known)) <= RATE:
        row["false_alarms"] = round(float((p_values(test, known) <= RATE).float().mean()), 4)
        row["found"] = round(float((p_values(faulty, known) <= RATE).float().mean()), 4)
    return row


def fitted_at_once(task: Task, maps: list[Tensor], seed: int) -> list[dict[str, Any]]:
    """Every method by itself, and with known faults, on one split."""
    fit, calibrated, test = split(task.parts, seed)
    calibrated = calibrated[one_of_each(task.parts[calibrated], seed)]
    count, anomalous = len(task.normal), len(task.anomalous)
    faulty = count + torch.arange(anomalous)
    networks = {method: fitted(method, maps, fit) for method in METHODS}
    own = {method: crossed(method, maps, fit) for method in METHODS}
    everyone = torch.cat([calibrated, test, faulty])
    found = {method: scores_of(networks[method], everyone) for method in METHODS}
    sizes = [len(calibrated), len(test), anomalous]
    auto = fitting_method(place_share(Kept(maps), SIDE, fit.split(32)))
    automatic = found[auto] if auto in found else scores_of(fitted(auto, maps, fit), everyone)
    rows = []
    for known_count in KNOWN:
        order = torch.randperm(anomalous, generator=torch.Generator().manual_seed(seed))
        known, rest = order[:known_count], order[known_count:]
        arms = dict(found)

        def of_known(scores: Tensor, known: Tensor = known) -> Tensor:
            return scores.split(sizes)[2][known]

        ranked = {
            method: measure_outliers(own[method], of_known(found[method])).auroc
            for method in METHODS
        }
        best = max(METHODS, key=lambda method: ranked[method])
        arms["chosen"] = found[best]
        scale = torch.stack(
            [torch.stack([own[m].log().mean(), own[m].log().std()]) for m in METHODS]
        )
        logs = torch.stack([found[m].clamp(min=1e-6).log() for m in METHODS], dim=1)
        own_logs = torch.stack([own[m].clamp(min=1e-6).log() for m in METHODS], dim=1)
        standard = (logs - scale[:, 0]) / scale[:, 1]
        weights = weights_of(
            (own_logs - scale[:, 0]) / scale[:, 1], standard.split(sizes)[2][known]
        )
        arms["weighed"] = standard @ weights
        arms["alike"] = alike(networks["gaussian"], faulty[known], everyone)
        arms["auto"] = automatic
        for name, scores in arms.items():
            of_calibrated, of_test, of_faulty = scores.split(sizes)
            row: dict[str, Any] = {
                "set": task.name,
                "arm": name,
                "known": known_count,
                "seed": seed,
            }
            if name == "chosen":
                row["took"] = best
            if name == "weighed":
                row["weights"] = weights.tolist()
            rows.append(row | row_of(of_calibrated, of_test, of_faulty[rest]))
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", type=int, default=2, help="how many, the tiles first")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    kept: dict[str, Any] = {"rows": []}
    for task in islice(tasks(options.data), options.sets):
        maps = seen(torch.cat([task.normal, task.anomalous]))
        for seed in range(options.seeds):
            kept["rows"] += fitted_at_once(task, maps, seed)
            options.out.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
