"""The methods that are fitted at once, side by side: tiles with faults, one class against others.

Beside these anomalies, small faults are made of the normal images to test with: a patch of another.

Normal images are split at random, seed by seed, into those to fit to, to calibrate on and to test
with (a fifth each of the last two). The control brings all images to 64 pixels and through the same
JPEG first: what is left of a figure there is no trace of where an image came from.

    python analysis/anomaly_methods.py --data FOLDER_OF_ZIPS --out results/anomaly/methods.json
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from nda.data import load_images, to_float
from nda.data.images.copies import copy_groups
from nda.data.images.defects import load_defects
from nda.evaluation.fidelity.nearest import pixel_distance
from nda.evaluation.outliers.auroc import measure_outliers
from nda.evaluation.outliers.conformal import p_values, smallest_rate
from nda.evaluation.outliers.detector import image_scores, score_maps
from nda.evaluation.outliers.pixels import FIGURES, count_pixels
from nda.negatives import negative_from_name
from nda.networks.pretrained.choice import fitting_method, place_share
from nda.networks.pretrained.fitted import build_fitted
from nda.networks.pretrained.lite0 import pretrained_trunk

SIDE = 128
MOST = 400  # images of a kind
METHODS = ("gaussian", "neighbours", "combine")
SMALL = "cutmix:low=0.1,high=0.2"  # a patch of another normal image, as a small fault
RATES = (0.01, 0.05)


@dataclass
class Task:
    """Images of one set: what is normal, and what is not."""

    name: str
    normal: Tensor  # uint8 (N, 3, 128, 128)
    anomalous: Tensor
    masks: Tensor | None = None  # bool (M, H, W)


class Kept(nn.Module):
    """A trunk that has seen all images before; it is asked for them by their numbers."""

    def __init__(self, maps: list[Tensor]) -> None:
        super().__init__()
        self.channels = tuple(level.shape[1] for level in maps)
        self.maps = maps

    def forward(self, numbers: Tensor) -> list[Tensor]:
        return [level[numbers] for level in self.maps]


def tasks(data: Path) -> Iterator[Task]:
    """The sets that are compared."""
    tiles = str(data / "magnetic_tile_anomaly.zip")
    good = some(tiles, "train", None, most=None)
    test = load_defects(tiles, ["good"], resolution=SIDE, fit="stretch")
    assert test is not None
    assert test.masks is not None
    normal = torch.cat([good, test.images[test.normal]])
    yield Task("tiles", normal, test.images[~test.normal], test.masks[~test.normal])
    for archive, kind in (("dtd_10", "banded"), ("dtd_10", "cracked"), ("scenes_sun8", "kitchen")):
        path = str(data / f"{archive}.zip")
        classes = load_images(path, split="test", resolution=SIDE, fit="stretch").classes
        others = ",".join(name for name in classes if name != kind)
        yield Task(f"{archive}: {kind}", some(path, "test", kind), some(path, "test", others))
    objects = some(str(data / "tiny_imagenet_40.zip"), "val", None)
    yield Task("faces", some(str(data / "faces_color64.zip"), "train", None), objects)


def some(path: str, split: str, classes: str | None, most: int | None = MOST) -> Tensor:
    """Images of a split, evenly taken where there are more than `most`."""
    names = classes.split(",") if classes else None
    images = load_images(path, split=split, resolution=SIDE, fit="stretch", classes=names).images
    if most is None or len(images) <= most:
        return images
    return images[torch.linspace(0, len(images) - 1, most).long()]


def through_jpeg(images: Tensor) -> Tensor:
    """The same images at 64 pixels and quality 75, brought back to their size."""
    small = F.interpolate(images.float(), (64, 64), mode="bilinear", antialias=True)
    found = []
    for image in small.round().to(torch.uint8):
        file = io.BytesIO()
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=75)
        found.append(torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1))
    large = F.interpolate(torch.stack(found).float(), (SIDE, SIDE), mode="bilinear")
    return large.round().to(torch.uint8)


@torch.no_grad()
def seen(images: Tensor) -> list[Tensor]:
    """The maps of all images."""
    trunk = pretrained_trunk(top=True).eval().to(memory_format=torch.channels_last)
    parts = [trunk(to_float(part)) for part in images.split(32)]
    return [torch.cat(level).contiguous() for level in zip(*parts, strict=True)]


@torch.no_grad()
def measure(task: Task, method: str, maps: list[Tensor], seed: int) -> dict[str, Any]:
    """Fit, calibrate and test one method on one split."""
    count = len(task.normal)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    fifth = count // 5
    fit, known, test = order[2 * fifth :], order[:fifth], order[fifth : 2 * fifth]
    network = build_fitted(method, "lite0", SIDE, len(fit))
    network.trunk = Kept(maps)
    network.fit(fit.split(32))
    faulty = count + torch.arange(len(task.anomalous))
    small = count + len(faulty) + test  # the same images, changed
    heat = {
        name: torch.cat([network(part) for part in rows.split(32)])
        for name, rows in (("known", known), ("test", test), ("faulty", faulty), ("small", small))
    }
    scores = {name: image_scores(each, network.pooling) for name, each in heat.items()}
    measures = measure_outliers(scores["test"], scores["faulty"])
    row: dict[str, Any] = {
        "set": task.name, "method": method, "seed": seed, "fitted": len(fit),
        "calibrated": len(known), "test_normal": len(test), "test_anomalous": len(faulty),
        "auroc": round(measures.auroc, 4),
        "auroc_small": round(measure_outliers(scores["test"], scores["small"]).auroc, 4),
    }  # fmt: skip
    if task.masks is not None:
        none = torch.zeros(len(test), *task.masks.shape[1:], dtype=torch.bool)
        both = torch.cat([heat["test"], heat["faulty"]])
        counts = count_pixels(both, torch.cat([none, task.masks]))
        row |= {name: round(getattr(counts, name), 4) for name in FIGURES}
    for rate in RATES:
        if smallest_rate(len(known)) > rate:
            continue  # cannot be promised with so few
        for what, name in (("test", "false_alarms"), ("faulty", "found")):
            flagged = p_values(scores[what], scores["known"]) <= rate
            row[f"{name}_at_{rate:g}"] = round(float(flagged.float().mean()), 4)
    return row


def pixels(task: Task, seed: int) -> float:
    """AUROC of the nearest normal image in raw pixels, on the same split."""
    order = torch.randperm(len(task.normal), generator=torch.Generator().manual_seed(seed))
    fifth = len(order) // 5
    known = task.normal[order[2 * fifth :]]
    distances = [
        pixel_distance(each, known)
        for each in (task.normal[order[fifth : 2 * fifth]], task.anomalous)
    ]
    return round(measure_outliers(*distances).auroc, 4)


def speed(images: Tensor) -> dict[str, dict[str, float]]:
    """CPU seconds of a fit to `images`, and images a CPU second, the trunk's time included."""
    figures = {}
    for method in METHODS:
        network = build_fitted(method, "lite0", SIDE, len(images), published=True)
        begun = time.process_time()
        with torch.no_grad():
            network.fit(to_float(part) for part in images.split(32))
        fitted = time.process_time()
        score_maps(network, images)
        figures[method] = {
            "fit_cpu_seconds": round(fitted - begun, 2),
            "images_per_cpu_second": round(len(images) / (time.process_time() - fitted), 1),
        }
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, Any] = {"rows": [], "copies": {}, "auto": {}, "speed": {}}
    for task in tasks(options.data):
        groups = copy_groups(task.normal)
        found["copies"][task.name] = len(groups) - len(set(groups.tolist()))
        for control in (False, True):
            if control:
                task.normal, task.anomalous = map(through_jpeg, (task.normal, task.anomalous))
            rng = torch.Generator().manual_seed(0)
            small = negative_from_name(SMALL)(task.normal, generator=rng)
            maps = seen(torch.cat([task.normal, task.anomalous, small]))
            share = place_share(Kept(maps), SIDE, torch.arange(len(task.normal)).split(32))
            found["auto"][task.name] = {"place_share": share, "takes": fitting_method(share)}
            for seed in range(3):
                for method in METHODS:
                    row = measure(task, method, maps, seed)
                    found["rows"].append({**row, "same_jpeg": control})
                    print(found["rows"][-1], flush=True)
                near = {"set": task.name, "method": "nearest pixels", "seed": seed}
                found["rows"].append({**near, "auroc": pixels(task, seed), "same_jpeg": control})
        if task.name == "tiles":
            found["speed"] = speed(task.normal[:440])
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
