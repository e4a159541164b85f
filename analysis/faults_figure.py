"""The picture of the fault negatives in docs/concepts.md: each with its mask and its null.

    python analysis/faults_figure.py magnetic_tile_anomaly.zip dtd_10.zip \\
        --texture dtd_10.zip --out docs/images/faults.png

One image a column, the same for all four rows of a data set.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from nda.data.images.source import ImageSource
from nda.data.images.textures import give_textures
from nda.negatives import negative_from_name
from nda.report.pictures.grid import image_grid, save_png

FAULTS = ("crack", "scar", "stain", "texture", "paste:labels=graded", "missing")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="+", help="folders or .zip files of normal images")
    parser.add_argument("--texture", required=True, help="where foreign texture is taken from")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resolution", type=int, default=96)
    parser.add_argument("--seed", type=int, default=4)
    options = parser.parse_args()
    faults = {name: negative_from_name(name) for name in FAULTS}
    give_textures(options.texture, faults.values(), options.resolution)
    rng = torch.Generator().manual_seed(options.seed)
    rows = []
    for path in options.data:
        source = ImageSource(path, resolution=options.resolution)
        real = source.load(most=len(faults), generator=rng).images
        drawn = [each.draw(real[k : k + 1], rng) for k, each in enumerate(faults.values())]
        parts = list(zip(faults.values(), real[:, None], drawn, strict=True))
        masks = torch.cat([fault.mask(x, params) for fault, x, params in parts])
        rows += [
            real,
            torch.cat([fault.replay(x, params) for fault, x, params in parts]),
            (masks * 255).round().to(torch.uint8).expand_as(real),
            torch.cat([fault.null(x, params) for fault, x, params in parts]),
        ]
    labels = ["normal", "negative", "its mask", "its null"] * len(options.data)
    titles = [name.partition(":")[0] for name in FAULTS]
    grid = image_grid(torch.cat(rows), len(faults), row_labels=labels, column_labels=titles)
    save_png(grid, options.out)


if __name__ == "__main__":
    main()
