"""Magnetic tiles split at random, and so that all pictures of a tile are on one side.

The tiles of the set were each photographed several times under other light, one picture after the
other: the numbers in the names run on. Pictures whose numbers lie within 100 of the next are taken
for pictures of one tile. Split at random, almost every normal picture to test with has a picture of
the same tile among those that were fitted to, which no faulty one has.

    python analysis/tiles_by_part.py --data magnetic_tile_anomaly.zip \
        --out results/anomaly/tiles-by-part.json --zip tiles-by-part.zip

The zip is the first split by tile in the set's own layout, for `nda train anomaly --group`.
"""

from __future__ import annotations

import argparse
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from anomaly_methods import METHODS, RATES, SIDE, Kept, seen
from torch import Tensor

from nda.data.images.source import ImageSource
from nda.evaluation.outliers.auroc import measure_outliers
from nda.evaluation.outliers.conformal import p_values
from nda.evaluation.outliers.detector import image_scores
from nda.networks.pretrained.fitted import build_fitted

APART = 100  # numbers: from here on it is another tile


def parts_of(names: list[str]) -> Tensor:
    """Which pictures are of one tile: int64 (N,)."""
    numbers = torch.tensor([int(re.findall(r"num_(\d+)", name)[0]) for name in names])
    order = numbers.argsort()
    new = torch.cat([torch.zeros(1, dtype=torch.bool), numbers[order].diff() > APART])
    return new.cumsum(0)[order.argsort()]


def split(parts: Tensor, seed: int) -> list[Tensor]:
    """Rows to fit to (three fifths of the parts), to calibrate on and to test with (a fifth)."""
    count = int(parts.max()) + 1
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    fifth = count // 5
    sides = (order[2 * fifth :], order[:fifth], order[fifth : 2 * fifth])
    return [torch.isin(parts, side).nonzero()[:, 0] for side in sides]


@torch.no_grad()
def measure(method: str, maps: list[Tensor], parts: Tensor, seed: int) -> dict[str, Any]:
    """Fit, calibrate and test one method on one split."""
    fit, known, test = split(parts, seed)
    network = build_fitted(method, "lite0", SIDE, len(fit))
    network.trunk = Kept(maps)
    network.fit(fit.split(32))
    faulty = torch.arange(len(parts), len(maps[0]))
    scores = [
        image_scores(torch.cat([network(part) for part in rows.split(32)]), network.pooling)
        for rows in (known, test, faulty)
    ]
    row = {"method": method, "seed": seed, "fitted": len(fit), "calibrated": len(known)}
    row |= {"test_normal": len(test), "auroc": measure_outliers(scores[1], scores[2]).auroc}
    for rate in RATES:
        for what, name in ((scores[1], "false_alarms"), (scores[2], "found")):
            flagged = p_values(what, scores[0]) <= rate
            row[f"{name}_at_{rate:g}"] = float(flagged.double().mean())
    return row


def pictures(path: Path) -> tuple[Tensor, Tensor, list[str]]:
    """Normal images and faulty ones, and the names of the former."""
    normal, names, faulty = [], [], []
    for part in ("train", "test"):
        images = ImageSource(path, resolution=SIDE, fit="stretch").load(part)
        good = images.labels == images.classes.index("good")
        normal.append(images.images[good])
        faulty.append(images.images[~good])
        names += [
            name for name, is_good in zip(images.names, good.tolist(), strict=True) if is_good
        ]
    return torch.cat(normal), torch.cat(faulty), names


def write_zip(source: Path, target: Path) -> None:
    """The set with its first split by tile; names of normal pictures begin with their tile's."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(target, "w") as out:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        normal = [name for name in names if "/good/" in name]
        parts = parts_of(normal)
        test = set(split(parts, 0)[2].tolist())
        for row, name in enumerate(normal):
            side = "test" if row in test else "train"
            own = f"t{int(parts[row]):03d}_{Path(name).name}"
            out.writestr(f"{side}/good/{own}", archive.read(name))
        for name in names:
            if "/good/" not in name and name.startswith(("test/", "ground_truth/")):
                out.writestr(name, archive.read(name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--zip", type=Path)
    options = parser.parse_args()
    if options.zip:
        write_zip(options.data, options.zip)
    torch.set_num_threads(1)
    normal, faulty, names = pictures(options.data)
    maps = seen(torch.cat([normal, faulty]))
    parts = parts_of(names)
    rows = []
    for seed in range(3):
        for method in METHODS:
            for by, groups in (("image", torch.arange(len(parts))), ("tile", parts)):
                rows.append({"split_by": by, **measure(method, maps, groups, seed)})
                print(rows[-1], flush=True)
    found = {"images": len(parts), "tiles": int(parts.max()) + 1, "rows": rows}
    options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
