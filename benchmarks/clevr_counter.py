"""How often the counting network is right on scenes it has not seen, and what that costs.

    nda data clevr --objects 0,1,2,3,4 --count 2250 --out clevr.zip
    python benchmarks/clevr_counter.py clevr.zip --out results/numerosity/clevr_counter.json

Each resolution and budget (images to learn from) is trained anew, as `--counter network` does it:
every tenth scene is held out. Times are of the processor, so that a busy machine does not count.
Rows are written as they are finished.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from record import parsed
from rich.console import Console
from rich.table import Table

from nda.data.images.counted import counts_by_class
from nda.data.images.load import load_splits
from nda.evaluation.counting.network import BUDGET, FORMAT, train_count_network
from nda.evaluation.intervals import wilson_interval


def measure(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for resolution in options.resolutions:
        splits = load_splits(options.data, holdout=0.1, resolution=resolution)
        counts, heldout_counts = counts_by_class(splits.train), counts_by_class(splits.heldout)
        for budget in options.budgets:
            started = time.process_time()
            trained = train_count_network(
                splits.train.images,
                counts,
                heldout_images=splits.heldout.images,
                heldout_counts=heldout_counts,
                seed=options.seed,
                budget=budget,
            )
            seconds = time.process_time() - started
            known = trained.count(splits.train.images) == counts
            right, total = int(trained.confusion.diagonal().sum()), len(splits.heldout)
            yield {
                "resolution": resolution,
                "budget": budget,
                "training_images": len(splits.train),
                "heldout_images": total,
                "accuracy": right / total,
                "interval": wilson_interval(right, total),
                "training_accuracy": float(known.double().mean()),
                "counts": trained.counts,
                "confusion": trained.confusion.tolist(),
                "processor_seconds": seconds,
            }


def show(rows: list[dict[str, Any]]) -> None:
    table = Table(title="the counting network on held-out scenes")
    for heading in ("resolution", "budget", "accuracy", "95 % interval", "in training", "minutes"):
        table.add_column(heading, justify="right")
    for row in rows:
        low, high = row["interval"]
        table.add_row(
            str(row["resolution"]),
            f"{row['budget']:,}",
            f"{row['accuracy']:.2%}",
            f"{low:.2%} to {high:.2%}",
            f"{row['training_accuracy']:.2%}",
            f"{row['processor_seconds'] / 60:.1f}",
        )
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="archive of 'nda data clevr'")
    parser.add_argument("--resolutions", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--budgets", type=int, nargs="+", default=[BUDGET])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parsed(parser, resolutions=[32], budgets=[64])
    torch.set_num_threads(1)
    about = {
        "command": " ".join(["python", *sys.argv]),
        "network": FORMAT,
        "heldout": "every 10th image",
        "seed": options.seed,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
    }
    rows: list[dict[str, Any]] = []
    for row in measure(options):
        rows.append(row)
        if options.out:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n")
    show(rows)


if __name__ == "__main__":
    main()
