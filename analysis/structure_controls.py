"""What else could a structure head look at than structure? Controls beside the shortcut audit.

    python analysis/structure_controls.py RUN RUN ... --data cifar10.zip \\
        --out results/structure/controls.json

A feathered jigsaw still has a step of brightness across its cuts, and colours at places where they
do not belong; a head may have learned these. So it is shown jigsaws without a step, with the
colours where they were, and images in their order with the colours of their jigsaw.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nda.data import load_images, to_float
from nda.evaluation.intervals import wilson_interval
from nda.evaluation.shortcuts.treatments import FEATHER, scaled
from nda.negatives import Jigsaw
from nda.negatives.feather import feather_grid_
from nda.recipes.gan.load import discriminator_of, structure_head_of
from nda.training.checkpoint import load_latest
from nda.training.run_folder import RunFolder

# What is held against what; the first is to score higher.
PAIRS = (
    ("null", "jigsaw, feathered"),
    ("image", "jigsaw, blended"),
    ("null", "jigsaw, blended and feathered"),
    ("null", "jigsaw in the image's colours, feathered"),
    ("null", "image in the jigsaw's colours, feathered"),
)


def quadrant_means(x: Tensor) -> Tensor:
    """The mean colour of each quadrant of `(B, C, H, H)`, at every pixel of it."""
    half = x.shape[-1] // 2
    means = nn.functional.avg_pool2d(x, half)
    return means.repeat_interleave(half, -2).repeat_interleave(half, -1)


def treated(x: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
    """Images `(B, 3, H, H)` in [-1, 1] and what was made of them, by the names of `PAIRS`."""
    width = scaled(FEATHER, x.shape[-1])
    soft = Jigsaw(seam="feather", width=width)
    params = soft.draw(x, rng)
    hard, blended = Jigsaw().replay(x, params), Jigsaw(seam="poisson").replay(x, params)
    ours, theirs = quadrant_means(x), quadrant_means(hard)

    def feathered(images: Tensor) -> Tensor:
        return feather_grid_(images.clamp(-1, 1), 2, width)

    return {
        "image": x,
        "null": soft.null(x, params),
        "jigsaw, feathered": soft.replay(x, params),
        "jigsaw, blended": blended,
        "jigsaw, blended and feathered": feathered(blended),
        "jigsaw in the image's colours, feathered": feathered(hard - theirs + ours),
        "image in the jigsaw's colours, feathered": feathered(x - ours + theirs),
    }


@torch.no_grad()
def controls_of(run: Path, images: Tensor, seed: int) -> dict[str, Any]:
    """Shares of images uint8 `(N, 3, H, H)` for which the first of each pair scores higher."""
    folder = RunFolder.open(run)
    checkpoint = load_latest(folder)
    discriminator = discriminator_of(checkpoint, folder)
    head = structure_head_of(checkpoint, discriminator, folder)
    if head is None:
        raise SystemExit(f"{run} has no structure head; give runs with --structure_head.")
    rng = torch.Generator().manual_seed(seed)
    scores: dict[str, list[Tensor]] = {}
    for batch in images.split(250):
        for name, shown in treated(to_float(batch), rng).items():
            scores.setdefault(name, []).append(head(discriminator.features(shown)))
    whole = {name: torch.cat(parts) for name, parts in scores.items()}
    found = {}
    for higher, lower in PAIRS:
        above = int((whole[higher] > whole[lower]).sum())
        low, high = wilson_interval(above, len(images))
        gap = float((whole[higher] - whole[lower]).mean())
        found[f"{higher} > {lower}"] = {
            "share": above / len(images), "interval": [low, high], "gap": gap,
        }  # fmt: skip
    return {"seed": folder.config()["seed"], "negative": folder.config()["negative"], **found}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--data", required=True)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    rng = torch.Generator().manual_seed(options.seed)
    data = load_images(options.data, split="test", most=options.count, generator=rng)
    found = [controls_of(run, data.images, options.seed) for run in options.runs]
    record = {"images": len(data), "seed": options.seed, "runs": found}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(record, indent=1) + "\n")
    print(options.out)


if __name__ == "__main__":
    main()
