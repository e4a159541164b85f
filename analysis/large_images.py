"""Large images with small faults: in tiles of their own pixels, and brought to the size of one.

Surfaces of 2,000 x 256 pixels are quilted of crops of faultless magnetic tiles, all of one stock,
so that new ones are as normal as those of training. A real blowhole is pasted into half of those to
test with, brought to 12 pixels: its difference from what surrounds it, on a mask with a soft edge.

Beside them `fitted` counts how many tiles of an image a Gaussian has to be fitted to, and `places`
compares one Gaussian a place of a tile that all tiles share, as nda fits it,
with one of its own for each tile, on surfaces that are free or always laid out alike, whose faults
are a blowhole of 12 pixels, or 64 pixels that belong elsewhere, their edge soft. `memory` measures
what a command has in memory at most that scores small images, and one to three of 8,000 x 2,000
pixels, by a detector that is told that its tiles are of such.

    python analysis/large_images.py --data magnetic_tile_anomaly.zip \
        --out results/anomaly/large-images.json

What is in the file of parts that are not asked for (`--parts`) stays there.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from anomaly_sets import Kept
from numpy.typing import NDArray
from PIL import Image, ImageFilter

import nda
from nda.data import to_float
from nda.data.images.tiles import Tiling
from nda.evaluation.outliers.auroc import measure_outliers
from nda.evaluation.outliers.detector import image_scores, save_detector
from nda.networks.pretrained.fitted import build_fitted
from nda.networks.pretrained.lite0 import pretrained_trunk
from nda.runtime.notes import overheard

WIDTH, HEIGHT = 2000, 256
TILE = 128
PIXELS = 12  # of a fault
TRAINED, TESTED = 40, 20  # images; as many again as the latter have a fault
CROP, SHARED = 96, 24  # pixels of a crop of a surface, and those that it shares with the next
NEAR = 16  # pixels: so near to a fault is on it
WAYS: dict[str, dict[str, Any]] = {
    "gaussian, tiles": {"method": "gaussian", "tile": TILE},
    "combine, tiles": {"method": "combine", "tile": TILE},
    "gaussian, whole at 128": {"method": "gaussian"},
    "combine, whole at 128": {"method": "combine"},
    "gaussian, whole at 256": {"method": "gaussian", "resolution": 256},
}
Grey = NDArray[np.float64]


@dataclass
class Pieces:
    """What surfaces are made of: faultless tiles, and blowholes."""

    good: list[Grey]
    holes: list[tuple[Grey, Grey]]  # difference from the surroundings, and mask


def pieces(path: Path) -> Pieces:
    """Read the set of magnetic tiles."""
    with zipfile.ZipFile(path) as archive:

        def read(name: str) -> Grey:
            return np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("L"), float)

        good = [read(n) for n in archive.namelist() if "/good/" in n]
        holes = []
        for name in archive.namelist():
            if name.startswith("test/blowhole/"):
                mask = read(str(Path("ground_truth/blowhole", Path(name).stem)) + ".png") > 127
                holes.append(cut_hole(read(name), mask))
    large = [each for each in good if min(each.shape) >= CROP + 8]
    return Pieces(large, [each for each in holes if each is not None])


def cut_hole(picture: Grey, mask: NDArray[np.bool_]) -> tuple[Grey, Grey] | None:
    """A fault less the level around it, and its mask; None where it lies at the edge."""
    rows, columns = np.nonzero(mask)
    top, bottom, left, right = rows.min() - 3, rows.max() + 4, columns.min() - 3, columns.max() + 4
    if min(top, left) < 0 or bottom > picture.shape[0] or right > picture.shape[1]:
        return None
    inside, around = mask[top:bottom, left:right], picture[top:bottom, left:right]
    return around - np.median(around[~inside]), inside.astype(float)


def surface(
    source: Sequence[Grey], rng: np.random.Generator, size: tuple[int, int], layout: int | None
) -> Grey:
    """A surface (H, W) quilted of crops; with a `layout` always of the same ones, hardly moved."""
    high, wide = size
    step = CROP - SHARED
    fixed = None if layout is None else np.random.default_rng(layout)
    total, weight = np.zeros(size), np.full(size, 1e-9)
    edge = np.minimum(np.arange(CROP) + 1, CROP - np.arange(CROP)) / SHARED
    window = np.minimum(edge, 1)[:, None] * np.minimum(edge, 1)
    level = rng.uniform(90, 130)
    for top in range(-SHARED, high, step):
        for left in range(-SHARED, wide, step):
            chosen = fixed or rng
            picture = source[int(chosen.integers(len(source)))]
            y, x = (int(chosen.integers(2, n - CROP - 2)) for n in picture.shape)
            mirrored = bool(chosen.integers(2))
            if fixed is not None:
                y, x = y + int(rng.integers(-2, 3)), x + int(rng.integers(-2, 3))
            crop = picture[y : y + CROP, x : x + CROP]
            crop = (crop[:, ::-1] if mirrored else crop) - crop.mean() + level
            lay(total, weight, crop, window, top, left)
    return total / weight + rng.normal(0, 1.5, size)


def lay(total: Grey, weight: Grey, crop: Grey, window: Grey, top: int, left: int) -> None:
    """Add what of a crop lies inside."""
    high, wide = total.shape
    rows, columns = slice(max(0, -top), min(CROP, high - top)), slice(max(0, -left), wide - left)
    at = slice(max(0, top), top + CROP), slice(max(0, left), left + CROP)
    total[at] += (crop * window)[rows, columns]
    weight[at] += window[rows, columns]


def paste(
    picture: Grey, hole: tuple[Grey, Grey], pixels: int, rng: np.random.Generator
) -> tuple[int, int]:
    """Lay a fault whose mask is `pixels` long into a picture; gives its middle, x and y."""
    difference, mask = hole
    rows, columns = np.nonzero(mask)
    scale = pixels / max(np.ptp(rows) + 1, np.ptp(columns) + 1)
    size = tuple(max(3, round(n * scale)) for n in mask.shape[::-1])
    small = Image.fromarray(difference).resize(size, Image.Resampling.LANCZOS)
    soft = Image.fromarray((mask * 255).astype(np.uint8)).resize(size, Image.Resampling.LANCZOS)
    alpha = np.asarray(soft.filter(ImageFilter.GaussianBlur(0.7)), float) / 255
    top = int(rng.integers(4, picture.shape[0] - size[1] - 4))
    left = int(rng.integers(4, picture.shape[1] - size[0] - 4))
    picture[top : top + size[1], left : left + size[0]] += alpha * np.asarray(small, float)
    return left + size[0] // 2, top + size[1] // 2


def as_image(picture: Grey) -> Image.Image:
    return Image.fromarray(picture.round().clip(0, 255).astype(np.uint8))


def write_set(folder: Path, made_of: Pieces, seed: int) -> dict[str, tuple[int, int]]:
    """Images to train on in `normal`, those to test with in `new`; gives where faults are."""
    rng = np.random.default_rng(seed)
    faults = {}
    for part in ("normal", "new"):
        (folder / part).mkdir(parents=True)
    for number in range(TRAINED):
        picture = surface(made_of.good, rng, (HEIGHT, WIDTH), None)
        as_image(picture).save(folder / "normal" / f"{number:03d}.png")
    for number in range(2 * TESTED):
        picture = surface(made_of.good, rng, (HEIGHT, WIDTH), None)
        name = f"{number:03d}.png"
        if number >= TESTED:
            hole = made_of.holes[int(rng.integers(len(made_of.holes)))]
            faults[name] = paste(picture, hole, PIXELS, rng)
        as_image(picture).save(folder / "new" / name)
    return faults


def compared(made_of: Pieces, seeds: int) -> Iterator[dict[str, Any]]:
    """Every way on every seed's set."""
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            faults = write_set(Path(folder), made_of, seed)
            for way, settings in WAYS.items():
                yield {"way": way, "seed": seed, **judged(Path(folder), faults, settings)}


def judged(
    folder: Path, faults: dict[str, tuple[int, int]], settings: dict[str, Any]
) -> dict[str, Any]:
    """What a detector of these settings finds of the faults."""
    began = time.process_time()
    detector = nda.AnomalyDetector(device="cpu", **settings).fit(folder / "normal")
    fitted = time.process_time()
    found = detector.predict(folder / "new", device="cpu")
    ended = time.process_time()
    row = {
        "method": detector.module.settings.method,
        "rate": found.false_alarm_rate,
        "calibrated": len(detector.module.calibration),
        "fit_cpu_s": round(fitted - began, 1),
        "images_per_cpu_s": round(len(found) / (ended - fitted), 3),
    }
    faulty = torch.tensor([Path(name).name in faults for name in found.names])
    row["auroc"] = measure_outliers(found.scores[~faulty], found.scores[faulty]).auroc
    row["false_alarms"] = float(found.flags[~faulty].double().mean())
    row["found"] = float(found.flags[faulty].double().mean())
    if found.places is not None:
        where = torch.tensor([faults[Path(n).name] for n in found.names if Path(n).name in faults])
        apart = (found.places[faulty] - where).abs().amax(dim=1)
        row["highest_on_fault"] = float((apart <= NEAR).double().mean())
    return row


def fitted(made_of: Pieces, seeds: int) -> Iterator[dict[str, Any]]:
    """AUROC of a Gaussian by how many tiles of each of 20 images it is fitted to."""
    tiling = Tiling(WIDTH, HEIGHT, TILE, TILE // 4)
    count, trunk = len(tiling.corners), pretrained_trunk().eval()
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 11])
        seen = []
        for number in range(60):
            picture = surface(made_of.good, rng, (HEIGHT, WIDTH), None)
            if number >= 40:
                paste(picture, made_of.holes[int(rng.integers(len(made_of.holes)))], PIXELS, rng)
            seen.append(seen_by(trunk, tiles_of(picture, tiling)[None]))
        maps = [torch.cat(level) for level in zip(*seen, strict=True)]
        rows = torch.arange(60 * count).reshape(60, count)
        for each in (5, 20, count):
            drawn = [torch.from_numpy(rng.permutation(count)[:each].copy()) for _ in range(20)]
            fit_to = torch.cat([rows[n][some] for n, some in enumerate(drawn)])
            network = build_fitted("gaussian", "lite0", TILE, len(fit_to))
            network.trunk = Kept(maps)
            network.fit(fit_to.split(32))
            scores = torch.cat([network(some).amax(dim=(0, 1, 2))[None] for some in rows[20:]])
            auroc = measure_outliers(scores[:20], scores[20:]).auroc
            yield {"tiles_of_each": each, "tiles": len(fit_to), "seed": seed, "auroc": auroc}


def tiles_of(picture: Grey, tiling: Tiling) -> torch.Tensor:
    """Tiles uint8 (T, 3, R, R) of a grey picture."""
    pixels = torch.from_numpy(np.asarray(as_image(picture).convert("RGB")).copy())
    return tiling.cut(pixels.permute(2, 0, 1))


def places(made_of: Pieces, seeds: int, trained: int = 40) -> Iterator[dict[str, Any]]:
    """A Gaussian for the places of all tiles, against one for each tile."""
    size = 320
    tiling = Tiling(size, size, TILE, TILE // 4)
    for seed in range(seeds):
        for laid_out in ("free", "alike"):
            rng = np.random.default_rng([seed, 7])
            layout = seed if laid_out == "alike" else None
            kinds: dict[str, list[Any]] = {"train": [], "normal": [], "hole": [], "moved": []}
            for kind, pictures in kinds.items():
                for _ in range(trained if kind == "train" else 20):
                    picture = surface(made_of.good, rng, (size, size), layout)
                    if kind == "hole":
                        paste(
                            picture, made_of.holes[int(rng.integers(len(made_of.holes)))], 12, rng
                        )
                    if kind == "moved":
                        move(picture, surface(made_of.good, rng, (size, size), layout), rng)
                    pictures.append(tiles_of(picture, tiling))
            tiles = {kind: torch.stack(some) for kind, some in kinds.items()}  # (N, T, 3, R, R)
            yield {"surfaces": laid_out, "seed": seed, **both_fits(tiles)}


def move(picture: Grey, other: Grey, rng: np.random.Generator) -> None:
    """Lay 64 pixels of another surface into a picture at another place, their edge soft."""
    y, x, v, u = rng.integers(0, len(picture) - 64, 4)
    edge = np.minimum((np.minimum(np.arange(64), np.arange(64)[::-1]) + 1) / 16, 1)
    window = edge[:, None] * edge
    at = picture[y : y + 64, x : x + 64]
    at += window * (other[v : v + 64, u : u + 64] - at)


def both_fits(tiles: dict[str, torch.Tensor]) -> dict[str, float]:
    """AUROC of both fits, by the highest of an image's tiles."""
    count, trunk = tiles["train"].shape[1], pretrained_trunk().eval()
    seen = {kind: seen_by(trunk, some) for kind, some in tiles.items()}
    rows = {kind: torch.arange(some.shape[0] * count).reshape(-1, count) for kind, some in
            tiles.items()}  # fmt: skip
    fitted = {"shared": [rows["train"].flatten()], "own": list(rows["train"].unbind(1))}
    found: dict[str, dict[str, torch.Tensor]] = {}
    for how, sets in fitted.items():
        of_tiles: dict[str, list[torch.Tensor]] = {kind: [] for kind in tiles if kind != "train"}
        for number, fit_to in enumerate(sets):
            network = build_fitted("gaussian", "lite0", TILE, len(fit_to))
            network.trunk = Kept(seen["train"])
            network.fit(fit_to.split(32))
            for kind, scores in of_tiles.items():
                some = rows[kind] if how == "shared" else rows[kind][:, number : number + 1]
                network.trunk = Kept(seen[kind])
                maps = torch.cat([network(part) for part in some.flatten().split(32)])
                scores.append(image_scores(maps).reshape(len(some), -1))
        found[how] = {kind: torch.cat(each, dim=1).amax(dim=1) for kind, each in of_tiles.items()}
    row = {}
    for how, highest in found.items():
        for kind in ("hole", "moved"):
            row[f"{kind}_{how}"] = measure_outliers(highest["normal"], highest[kind]).auroc
    return row


@torch.no_grad()
def seen_by(trunk: torch.nn.Module, tiles: torch.Tensor) -> list[torch.Tensor]:
    """The trunk's maps of tiles (N, T, 3, R, R), a tensor a level."""
    parts = [trunk(to_float(part)) for part in tiles.flatten(0, 1).split(32)]
    return [torch.cat(level) for level in zip(*parts, strict=True)]


def memory(made_of: Pieces) -> Iterator[dict[str, Any]]:
    """The most that `nda score` has in memory, for images of either size."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        small = [surface(made_of.good, rng, (TILE, TILE), None) for _ in range(20)]
        images = [np.asarray(as_image(picture)) for picture in small]
        detector = nda.AnomalyDetector(method="gaussian", device="cpu", calibration="held_out",
                                       holdout=0.5).fit(images).module  # fmt: skip
        for wide, high in ((TILE, TILE), (8000, 2000)):
            about = dataclasses.replace(
                detector.settings, image_width=wide, image_height=high, overlap=TILE // 4
            )
            detector.settings = about
            save_detector(Path(folder, "d.safetensors"), detector)
            for many in (1, 2, 3):
                some = Path(folder, f"{wide}-{many}")
                some.mkdir()
                for number in range(many):
                    picture = surface(made_of.good, rng, (high, wide), None)
                    as_image(picture).save(some / f"{number}.png")
                yield {"width": wide, "height": high, "images": many,
                       **peak(Path(folder), some)}  # fmt: skip


def peak(folder: Path, images: Path) -> dict[str, float]:
    """Megabytes and processor seconds of a scoring with its page and heat maps."""
    words = ["-m", "nda", "score", str(folder / "d.safetensors"), str(images), "--overwrite"]
    words += ["--out", str(folder / "s.csv"), "--html", str(folder / "s.html")]
    words += ["--heatmaps", str(folder / f"heat-{images.name}"), "--device", "cpu"]
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0
    return {
        "peak_megabytes": round(used.ru_maxrss / 1024),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--parts", default="compared,fitted,memory,places")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    made_of = pieces(options.data)
    results = json.loads(options.out.read_text()) if options.out.exists() else {}
    parts = {
        "compared": compared(made_of, options.seeds),
        "fitted": fitted(made_of, options.seeds),
        "memory": memory(made_of),
        "places": places(made_of, options.seeds),
    }
    with overheard():
        for name in options.parts.split(","):
            results[name] = []
            for row in parts[name]:
                results[name].append(row)
                print(name, row, flush=True)
                options.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
