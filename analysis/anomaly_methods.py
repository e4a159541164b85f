"""The methods that are fitted at once, side by side: tiles with faults, one class against others.

Beside these anomalies, small faults are made of the normal images to test with: a patch of another.

Normal images are split at random, seed by seed, into those to fit to, to calibrate on and to test
with (a fifth each of the last two): the tiles so that all pictures of a tile are on one side, and
by picture beside it. Where a part has several pictures, one drawn at random is calibrated on.
On tiles too few are held out for 1 %, so each method is also fitted to all but those to test with,
and calibrated by leaving tiles out in turn. The control, by picture, brings all images to 64 pixels
and through one JPEG first: what is left of a figure is no trace of where an image came from.

    python analysis/anomaly_methods.py --data FOLDER_OF_ZIPS --out results/anomaly/methods.json
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from anomaly_sets import SIDE, Kept, Task, seen, split, tasks, through_jpeg
from torch import Tensor

from nda.data import to_float
from nda.data.images.copies import copy_groups
from nda.data.images.parts import one_of_each
from nda.evaluation.fidelity.nearest import pixel_distance
from nda.evaluation.outliers.auroc import measure_outliers
from nda.evaluation.outliers.conformal import p_values, smallest_rate
from nda.evaluation.outliers.detector import image_scores, score_maps
from nda.evaluation.outliers.pixels import FIGURES, count_pixels
from nda.negatives import negative_from_name
from nda.networks.pretrained.choice import fitting_method, place_share
from nda.networks.pretrained.fitted import FITTED, build_fitted

SMALL = "cutmix:low=0.1,high=0.2"  # a patch of another normal image, as a small fault
RATES = (0.01, 0.05)
PICTURE, TILE = "picture", "tile"


@torch.no_grad()
def measure(
    task: Task, method: str, maps: list[Tensor], parts: Tensor, seed: int, *, left_out: bool = False
) -> dict[str, Any]:
    """Fit, calibrate and test one method on one split."""
    count = len(task.normal)
    fit, known, test = split(parts, seed)
    owners = None
    if left_out:
        fit = torch.cat([fit, known])
        owners = parts[fit].unique(return_inverse=True)[1]
    network = build_fitted(method, "lite0", SIDE, len(fit), owners=owners)
    network.trunk = Kept(maps)
    network.fit(fit.split(32))
    if owners is None:
        known = known[one_of_each(parts[known], seed)]
        heat = torch.cat([network(part) for part in known.split(32)])
    else:
        rows = one_of_each(owners, seed)
        known = fit[rows]
        heat = torch.cat(
            [
                network.without_own(network.trunk(known[some]), rows[some])  # type: ignore[operator]
                for some in torch.arange(len(rows)).split(32)
            ]
        )
    calibration = image_scores(heat, network.pooling)
    row: dict[str, Any] = {
        "set": task.name, "method": method, "seed": seed, "fitted": len(fit),
        "calibration": "left out" if left_out else "held out", "calibrated": len(known),
    }  # fmt: skip
    faulty = count + torch.arange(len(task.anomalous))
    small = count + len(faulty) + test  # the same images, changed
    found = {
        name: torch.cat([network(part) for part in rows.split(32)])
        for name, rows in (("test", test), ("faulty", faulty), ("small", small))
    }
    scores = {name: image_scores(each, network.pooling) for name, each in found.items()}
    return row | figures(task, found, scores, calibration)


def figures(
    task: Task, heat: dict[str, Tensor], scores: dict[str, Tensor], calibration: Tensor
) -> dict[str, Any]:
    """What maps and scores of normal images to test with, of anomalous and of made ones say."""

    def auroc(name: str, chosen: Tensor | None = None) -> float:
        anomalous = scores[name] if chosen is None else scores[name][chosen]
        return round(measure_outliers(scores["test"], anomalous).auroc, 4)

    row: dict[str, Any] = {
        "test_normal": len(scores["test"]), "test_anomalous": len(scores["faulty"]),
        "auroc": auroc("faulty"),
    }  # fmt: skip
    if "small" in scores:
        row["auroc_small"] = auroc("small")
    for kind in sorted(set(task.kinds)):
        chosen = torch.tensor([each == kind for each in task.kinds])
        row.setdefault("auroc_by_kind", {})[kind] = auroc("faulty", chosen)
    if task.masks is not None:
        none = torch.zeros(len(heat["test"]), *task.masks.shape[1:], dtype=torch.bool)
        both = torch.cat([heat["test"], heat["faulty"]])
        counts = count_pixels(both, torch.cat([none, task.masks]))
        row |= {name: round(getattr(counts, name), 4) for name in FIGURES}
    for rate in RATES:
        if smallest_rate(len(calibration)) > rate:
            continue  # cannot be promised with so few
        for what, name in (("test", "false_alarms"), ("faulty", "found")):
            flagged = p_values(scores[what], calibration) <= rate
            row[f"{name}_at_{rate:g}"] = round(float(flagged.float().mean()), 4)
    return row


def pixels(task: Task, parts: Tensor, seed: int) -> float:
    """AUROC of the nearest normal image in raw pixels, on the same split."""
    fit, _, test = split(parts, seed)
    known = task.normal[fit]
    distances = [pixel_distance(each, known) for each in (task.normal[test], task.anomalous)]
    return round(measure_outliers(*distances).auroc, 4)


def speed(images: Tensor) -> dict[str, dict[str, float]]:
    """CPU seconds of a fit to `images`, and images a CPU second, the trunk's time included."""
    found = {}
    for method in FITTED:
        network = build_fitted(method, "lite0", SIDE, len(images), published=True)
        begun = time.process_time()
        with torch.no_grad():
            network.fit(to_float(part) for part in images.split(32))
        fitted = time.process_time()
        score_maps(network, images)
        found[method] = {
            "fit_cpu_seconds": round(fitted - begun, 2),
            "images_per_cpu_second": round(len(images) / (time.process_time() - fitted), 1),
        }
    return found


def splits_of(task: Task) -> dict[str, Tensor]:
    """How the normal images are split: by tile first where pictures share one."""
    each = torch.arange(len(task.normal))
    if torch.equal(task.parts, each):
        return {PICTURE: each}
    return {TILE: task.parts, PICTURE: each}


def rows_of(task: Task, maps: list[Tensor], *, control: bool) -> list[dict[str, Any]]:
    """Every method on every split, and the nearest pixels."""
    rows = []
    splits = {PICTURE: torch.arange(len(task.normal))} if control else splits_of(task)
    for by, parts in splits.items():
        for seed in range(3):
            for method in FITTED:
                ways = (False, True) if by == TILE else (False,)
                for left_out in ways:
                    row = measure(task, method, maps, parts, seed, left_out=left_out)
                    rows.append({"split_by": by, **row, "same_jpeg": control})
                    print(rows[-1], flush=True)
            near = {"set": task.name, "method": "nearest pixels", "seed": seed}
            value = pixels(task, parts, seed)
            rows.append({"split_by": by, **near, "auroc": value, "same_jpeg": control})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, Any] = {"rows": [], "copies": {}, "parts": {}, "auto": {}, "speed": {}}
    for task in tasks(options.data):
        groups = copy_groups(task.normal)
        found["copies"][task.name] = len(groups) - len(set(groups.tolist()))
        found["parts"][task.name] = int(task.parts.max()) + 1
        for control in (False, True):
            if control:
                task.normal, task.anomalous = map(through_jpeg, (task.normal, task.anomalous))
            rng = torch.Generator().manual_seed(0)
            small = negative_from_name(SMALL)(task.normal, generator=rng)
            maps = seen(torch.cat([task.normal, task.anomalous, small]))
            share = place_share(Kept(maps), SIDE, torch.arange(len(task.normal)).split(32))
            found["auto"][task.name] = {"place_share": share, "takes": fitting_method(share)}
            found["rows"] += rows_of(task, maps, control=control)
        if task.name == "tiles":
            found["speed"] = speed(task.normal[:440])
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
