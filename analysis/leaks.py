"""Do pictures of one thing lie on both sides of a split? Nearest neighbours across and within.

Of each set the normal images of one class at a time: how far an image to test with is from the
nearest one to learn from, how far one to learn from is from the nearest other, and how far two
images drawn at random are. Split so that no thing is on both sides, images to test with are further
away than those to learn from are from each other where there are several of a thing, and equally
far where there are not. Split by picture both are equally far; several of a thing then show as
neighbours that are far nearer than two images drawn at random: within a third of their distance.
How many pairs of one magnetic tile, and of two, are as near stands in the file.

    python analysis/leaks.py --data FOLDER_OF_ZIPS --out leaks.json --pairs pairs.png

The picture shows the nearest pairs of each set across its split, to be judged by eye.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from anomaly_sets import SIDE, normal_tiles, parts_of, seen, split
from torch import Tensor

from nda.data import ImageSet
from nda.data.images.source import ImageSource
from nda.report.pictures.grid import image_grid, save_png

NEAR = 1 / 3  # of the distance of two images drawn at random
PAIRS = 8  # shown of each set


@dataclass
class Side:
    """Images of one class: which are learned from, which are tested with."""

    name: str
    images: Tensor  # uint8 (N, 3, 128, 128)
    learned: Tensor  # rows
    tested: Tensor


def load(path: Path, part: str) -> ImageSet:
    return ImageSource(path, resolution=SIDE, fit="stretch").load(part)


def sides(data: Path) -> Iterator[Side]:
    """The sets of the anomaly figures, and the own splits of others."""
    images, names = normal_tiles(data)
    parts = parts_of(names)
    own = len(normal_tiles(data, ("train",))[0])
    yield Side(
        "magnetic tiles: own split", images, torch.arange(own), torch.arange(own, len(images))
    )
    for name, groups in (("by picture", torch.arange(len(parts))), ("by tile", parts)):
        fit, known, test = split(groups, 0)
        yield Side(f"magnetic tiles: {name}", images, torch.cat([fit, known]), test)
    for archive in ("dtd_10", "scenes_sun8"):
        whole = load(data / f"{archive}.zip", "test")
        for label, kind in enumerate(whole.classes):
            images = whole.images[whole.labels == label]
            fit, known, test = split(torch.arange(len(images)), 0)
            yield Side(f"{archive}: {kind}", images, torch.cat([fit, known]), test)
    for archive in ("faces_color64", "faces_smiles64_gray"):
        learned, tested = (load(data / f"{archive}.zip", part) for part in ("train", "test"))
        for label, kind in enumerate(learned.classes):
            first = learned.images[learned.labels == label]
            images = torch.cat([first, tested.images[tested.labels == label]])
            rows = torch.arange(len(images))
            yield Side(f"{archive}: {kind}", images, rows[: len(first)], rows[len(first) :])


def features(images: Tensor) -> dict[str, Tensor]:
    """Two views of images, each (N, D) of length 1: what a backbone sees, and grey pixels."""
    pooled = seen(images)[-1].mean(dim=(2, 3))
    small = F.interpolate(images.float(), (32, 32), mode="area").mean(dim=1).flatten(1)
    return {
        "features": F.normalize(pooled, dim=1),
        "pixels": F.normalize(small - small.mean(dim=1, keepdim=True), dim=1),
    }


def figures(view: Tensor, learned: Tensor, tested: Tensor) -> dict[str, float]:
    """Median distances (1 - cosine), and which share of images has a near one."""
    across = 1 - view[tested] @ view[learned].T
    within = 1 - view[learned] @ view[learned].T
    pairs = within[torch.triu_indices(len(within), len(within), 1).unbind()]
    within.fill_diagonal_(float("inf"))
    usual = float(pairs.median())
    nearest = {"test_to_train": across.amin(dim=1), "train_to_train": within.amin(dim=1)}
    found = {"random_pair": usual}
    for name, distances in nearest.items():
        found[name] = float(distances.median())
        found[f"{name}_near"] = float((distances < NEAR * usual).float().mean())
    return {name: round(value, 4) for name, value in found.items()}


def told_apart(data: Path) -> dict[str, dict[str, float]]:
    """Which share of pairs of one tile, and of two, is as near as this finds them."""
    images, names = normal_tiles(data)
    parts = parts_of(names)
    upper = torch.triu_indices(len(parts), len(parts), 1)
    same = parts[upper[0]] == parts[upper[1]]
    found = {}
    for name, view in features(images).items():
        distances = (1 - view @ view.T)[upper[0], upper[1]]
        near = (distances < NEAR * distances.median()).float()
        shares = {"one_tile": near[same].mean(), "two_tiles": near[~same].mean()}
        found[name] = {what: round(float(share), 4) for what, share in shares.items()}
    return found


def nearest_pairs(side: Side, view: Tensor) -> Tensor:
    """The nearest pairs across the split, a row each of two rows of images."""
    across = 1 - view[side.tested] @ view[side.learned].T
    nearest = across.min(dim=1)
    best = nearest.values.argsort()[:PAIRS]
    first = side.images[side.tested[best]]
    second = side.images[side.learned[nearest.indices[best]]]
    return torch.cat([first, second])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pairs", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, Any] = {
        "near": told_apart(options.data), "sets": []
    }  # fmt: skip
    pictures = []
    for side in sides(options.data):
        views = features(side.images)
        row = {"set": side.name, "train": len(side.learned), "test": len(side.tested)}
        rows = side.learned, side.tested
        found["sets"].append({**row, **{name: figures(v, *rows) for name, v in views.items()}})
        print(found["sets"][-1], flush=True)
        pictures.append(nearest_pairs(side, views["features"]))
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if options.pairs:
        save_png(image_grid(torch.cat(pictures), columns=PAIRS), options.pairs)


if __name__ == "__main__":
    main()
