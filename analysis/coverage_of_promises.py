"""How many new normal images are flagged, against the rate that was promised, over random splits.

Of each set n normal images are drawn at random, a detector is fitted to and calibrated on them, and
50 of the others are judged; a thousand times, or 300 where two methods are combined. At 32 pixels,
and with 44 of the 176 channels in the Gaussian, so that a fit takes some milliseconds. Ways of
calibration:

    held out       a fifth of the n images, never fitted to
    left out       each by what the others say; a new one by the fit that it surprises least
    left out, one  the same calibration, but a new one by the fit to all: no promise is proved
    fitted to      the images that were fitted to, as they stand: not a calibration at all

The last two and the first are taken on the first 300 splits only.

With copies every image is there twice, saved again as JPEG: found as nda finds them, or not.
Scores drawn from a normal law stand for a method whose scores are known to be exchangeable.

    python analysis/coverage_of_promises.py --data FOLDER_OF_ZIPS \
        --out results/anomaly/coverage.json --figure docs/images/coverage.svg
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nda.data import load_images, to_float
from nda.data.images.copies import copy_groups, firsts
from nda.networks.pretrained import gaussian
from nda.networks.pretrained.combined import CombinedMap
from nda.networks.pretrained.fitted_map import FeaturesGiven, FittedMap
from nda.networks.pretrained.left_out import LeftOutCombined, LeftOutGaussian, LeftOutNeighbours
from nda.networks.pretrained.lite0 import pretrained_trunk
from nda.networks.pretrained.neighbours import NeighbourMap

SIDE = 32
CHOSEN = 44  # channels of the Gaussian
JUDGED = 50  # new normal images a split
OTHERS = 300  # splits for the ways that nda does not take
SIZES = (20, 40, 100)
RATES = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
CHANNELS = (24, 40, 112, 1280)
SETS = {  # archive, method, share of the splits
    "tiles, gaussian": ("magnetic_tile_anomaly.zip", "gaussian", 1.0),
    "faces, neighbours": ("faces_color64.zip", "neighbours", 1.0),
    "faces, combine": ("faces_color64.zip", "combine", 0.3),
}
NAMES = {  # of the ways, in the figure
    "left out": "left out in turn",
    "left out, one": "... judged by the fit to all",
    "held out": "a fifth held out",
    "fitted to": "known by heart",
    "known scores": "drawn scores",
}
Counts = dict[str, list[Tensor]]  # of each way, the share flagged at each rate, split by split


def features_of(images: Tensor) -> list[Tensor]:
    """The trunk's maps of uint8 images, a tensor a level."""
    trunk = pretrained_trunk(top=True).eval().to(memory_format=torch.channels_last)
    with torch.no_grad():
        parts = [trunk(to_float(part)) for part in images.split(64)]
    return [torch.cat(level).contiguous() for level in zip(*parts, strict=True)]


def saved_again(image: Tensor) -> Tensor:
    """A picture (3, H, W) after a JPEG of quality 90."""
    file = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=90)
    return torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)


def plain(method: str, count: int) -> FittedMap:
    trunk = FeaturesGiven(CHANNELS)
    if method == "gaussian":
        return gaussian.GaussianMap(trunk, SIDE)
    if method == "neighbours":
        return NeighbourMap(trunk, count)
    return CombinedMap(trunk, SIDE, count)


def leaving_out(method: str, owners: Tensor) -> Any:
    trunk = FeaturesGiven(CHANNELS)
    if method == "gaussian":
        return LeftOutGaussian(trunk, SIDE, owners)
    if method == "neighbours":
        return LeftOutNeighbours(trunk, owners)
    return LeftOutCombined(trunk, SIDE, owners)


def scored(network: FittedMap, maps: Tensor) -> Tensor:
    places = maps.flatten(1)
    return (places.amax(1) if network.pooling == "max" else places.mean(1)).double()


def flagged(new: Tensor, known: Tensor) -> Tensor:
    """Of new scores, the share with a conformal p-value of at most each rate."""
    as_high = (known[None] >= new[:, None]).sum(1)
    p = (1 + as_high).double() / (len(known) + 1)
    return torch.stack([(p <= rate + 1e-12).double().mean() for rate in RATES])


@torch.no_grad()
def one_split(
    method: str,
    features: list[Tensor],
    chosen: Tensor,
    new: Tensor,
    owners: Tensor,
    *,
    others: bool = True,
) -> dict[str, Tensor]:
    """Shares flagged by each way; `owners` are the groups of the `chosen` rows."""
    normal, asked = ([level[rows] for level in features] for rows in (chosen, new))
    groups = int(owners.max()) + 1
    found = {}
    network = leaving_out(method, owners)
    network.fit_features([normal])
    numbers = torch.arange(len(owners))[firsts(owners)]
    own = network.without_own([level[numbers] for level in normal], numbers)
    known = scored(network, own)
    found["left out"] = flagged(scored(network, network.measure(asked)), known)
    if not others:
        return found
    everything = plain(method, len(chosen))
    everything.fit_features([normal])
    new_scores = scored(everything, everything.measure(asked))
    if method != "neighbours":  # whose least surprised fit is that to all
        found["left out, one"] = flagged(new_scores, known)
    if groups < len(owners):
        return found
    found["fitted to"] = flagged(new_scores, scored(everything, everything.measure(normal)))
    held = owners % 5 == 0
    split = plain(method, int((~held).sum()))
    split.fit_features([[level[~held] for level in normal]])
    kept = scored(split, split.measure([level[held] for level in normal]))
    found["held out"] = flagged(scored(split, split.measure(asked)), kept)
    return found


def on_images(method: str, images: Tensor, n: int, splits: int, copies: str) -> Counts:
    """Of one set; `copies` is none, found or missed."""
    twice = images
    if copies != "none":
        twice = torch.cat([images, torch.stack([saved_again(image) for image in images])])
    features = features_of(twice)
    rng = torch.Generator().manual_seed(n)
    counts: Counts = {}
    groups: list[int] = []
    for split in range(splits):
        order = torch.randperm(len(images), generator=rng)
        chosen, new = order[:n], order[n : n + JUDGED]
        owners = torch.arange(n)
        if copies != "none":
            chosen = torch.cat([chosen, chosen + len(images)])[torch.randperm(2 * n, generator=rng)]
            owners = copy_groups(twice[chosen]) if copies == "found" else torch.arange(2 * n)
        groups.append(int(owners.max()) + 1)
        found = one_split(method, features, chosen, new, owners, others=split < OTHERS)
        for way, shares in found.items():
            counts.setdefault(way, []).append(shares)
    print(f"{sum(groups) / splits:.1f} groups", flush=True)
    return counts


def on_scores(n: int, splits: int) -> Counts:
    """Of scores that are drawn, all of them calibrated on."""
    rng = torch.Generator().manual_seed(n)
    draws = [torch.randn(n + JUDGED, generator=rng, dtype=torch.float64) for _ in range(splits)]
    return {"known scores": [flagged(each[n:], each[:n]) for each in draws]}


def summary(shares: list[Tensor]) -> dict[str, Any]:
    """Mean over the splits with its 95 % interval, and where 95 % of the splits lie."""
    table = torch.stack(shares)
    error = table.std(0) / len(table) ** 0.5
    low, high = table.quantile(torch.tensor([0.025, 0.975], dtype=table.dtype), dim=0)
    columns = {"mean": table.mean(0), "error": error, "low": low, "high": high}
    return {name: [round(value, 5) for value in each.tolist()] for name, each in columns.items()}


def measured(data: Path, splits: int) -> Iterator[dict[str, Any]]:
    for n in SIZES:
        for way, shares in on_scores(n, splits).items():
            row = {"set": "scores", "images": n, "copies": "none", "way": way}
            yield {**row, "splits": splits, **summary(shares)}
    for name, (archive, method, share) in SETS.items():
        images = load_images(data / archive, split="train", resolution=SIDE, fit="stretch").images
        images = images[firsts(copy_groups(images))]
        cases = [(n, "none") for n in SIZES] + [(40, "found"), (40, "missed")]
        for n, copies in cases:
            for way, shares in on_images(method, images, n, round(share * splits), copies).items():
                row = {"set": name, "images": n, "copies": copies, "way": way}
                yield {**row, "splits": len(shares), **summary(shares)}


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Share flagged against the rate, a column a set, a row a number of images."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    colours = {"left out": "#0b6e4f", "held out": "#1f6fb2", "fitted to": "#c1121f",
               "left out, one": "#b07d00", "known scores": "#444444"}  # fmt: skip
    sets = list(dict.fromkeys(row["set"] for row in rows))
    figure, axes = plt.subplots(len(SIZES), len(sets), figsize=(3 * len(sets), 8), sharex=True,
                                sharey=True, layout="constrained")  # fmt: skip
    for line, n in enumerate(SIZES):
        for column, name in enumerate(sets):
            axis: Any = axes[line][column]
            axis.plot([0, 0.3], [0, 0.3], color="#999999", lw=0.8, ls=":")
            for row in rows:
                if (row["set"], row["images"], row["copies"]) == (name, n, "none"):
                    colour = colours[row["way"]]
                    axis.fill_between(
                        RATES, row["low"], row["high"], color=colour, alpha=0.12, lw=0
                    )
                    axis.plot(RATES, row["mean"], color=colour, lw=1.6, label=NAMES[row["way"]])
            axis.set_ylim(0, 0.6)
            axis.set_title(f"{name}; {n} images", fontsize=9)
    for axis in axes[-1]:
        axis.set_xlabel("promised rate")
    for row_of_axes in axes:
        row_of_axes[0].set_ylabel("share flagged")
    axes[0][0].legend(fontsize=7)
    axes[0][1].legend(fontsize=7)
    figure.savefig(path, metadata={"Date": None})


def main(make: Callable[..., Iterator[dict[str, Any]]] = measured) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--splits", type=int, default=1000)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    gaussian.MOST_CHANNELS = CHOSEN
    rows = []
    for row in make(options.data, options.splits):
        rows.append(row)
        print(row["set"], row["images"], row["copies"], row["way"], row["mean"], flush=True)
        options.out.write_text(json.dumps({"rates": RATES, "rows": rows}, indent=1) + "\n")
    if options.figure:
        draw(rows, options.figure)


if __name__ == "__main__":
    main()
