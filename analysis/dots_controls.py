"""Runs on dots, counted: is it what the negatives say of counts, or would any negative do?

    python analysis/dots_controls.py RUN RUN ... --wanted 4 --out results/quickstart/controls.json

Each run is a GAN of images with `--wanted` dots; arms are told apart by their negative.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nda.commands.quickstart.counts import count_run
from nda.training.run_folder import RunFolder


def counted(runs: list[Path], wanted: int, images: int) -> dict[str, Any]:
    """What `nda quickstart` counts, of each negative and seed."""
    arms: dict[str, dict[int, Any]] = defaultdict(dict)
    for run in runs:
        config = RunFolder.open(run).config()
        found = asdict(count_run(run, wanted, images))
        del found["title"]
        arms[config["negative"]][config["seed"]] = found
    return {"wanted": wanted, "arms": arms}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--wanted", type=int, default=4)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(argv)
    found = counted(options.runs, options.wanted, options.images)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    for negative, seeds in found["arms"].items():
        shares = {seed: each["exact"] / each["images"] for seed, each in seeds.items()}
        print(f"{negative}: {', '.join(f'{seed}: {share:.1%}' for seed, share in shares.items())}")


if __name__ == "__main__":
    main()
