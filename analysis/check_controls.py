"""Does a check call a seam structure? Images with a seam in the middle and their structure whole.

    python analysis/check_controls.py IMAGES --out results/check/controls.json

Quadrants of images in their order, each moved by a few pixels, are checked as a negative would be.
All that sets them apart is a seam, so the verdict should be "too easy". For IMAGES as they are
in a folder or a .zip, at most 5,000, with one training of the probes.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from nda.data import load_images
from nda.evaluation.shortcuts.treatments import move_quadrants
from nda.evaluation.validity.check import check_negatives
from nda.negatives import Negative
from nda.negatives.base import Params
from nda.runtime.seeding import generator_for

MOST = 5000


class MovedQuadrants(Negative):
    """A seam along the middle lines; nothing else that an image would not have."""

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        self.check(x)
        seed = torch.randint(2**62, (len(x),), generator=generator)
        return {"seed": seed}

    def replay(self, x: Tensor, params: Params) -> Tensor:
        rng = torch.Generator().manual_seed(int(params["seed"][0]))
        return move_quadrants(x, rng)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args()
    draws = generator_for(0, purpose="control images")
    images = load_images(options.images, most=MOST, generator=draws).images
    cut = len(images) // 5
    name = "quadrants moved by up to 2 pixels of 32"
    found = check_negatives(
        images[cut:], images[:cut], {name: MovedQuadrants()}, steps=options.steps
    )[name]
    assert found.found is not None
    assert found.judgement is not None
    content = {
        "command": f"python analysis/check_controls.py {options.images.name}",
        "images": {"learned_from": len(images) - cut, "held_out": cut},
        "steps": options.steps,
        "negative": name,
        "global": asdict(found.found.first),
        "local": asdict(found.found.second),
        "difference": asdict(found.found.difference),
        **asdict(found.judgement),
    }
    options.out.write_text(json.dumps(content, indent=1) + "\n")
    print(options.out)


if __name__ == "__main__":
    main()
