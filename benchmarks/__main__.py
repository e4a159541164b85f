"""All measurements of speed, by one command into one file.

    uv run python -m benchmarks [--quick] [--only negatives steps programs] [--out FILE]

Times are the processor's on one thread; whatever is compared takes turns within this run, and what
is told are medians, and ratios with their quartiles. A ratio is worth more than a time: a busy
machine has slow copies too. `--quick` only shows that everything runs, in under two minutes.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path

FOLDER = Path(__file__).parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parent)]

import torch  # noqa: E402
from record import keep, parsed  # noqa: E402
from rich.console import Console  # noqa: E402
from suite import grid, programs, shown, steps  # noqa: E402

from negatives import keep_freed_memory  # noqa: E402

PARTS = {"negatives": grid, "steps": steps, "programs": programs}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--alone", help=argparse.SUPPRESS)  # the peak memory of one step
    parser.add_argument("--out", type=Path, default=Path("benchmarks.json"))
    options = parsed(parser)
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    if options.alone:
        print(steps.alone(options.alone))
        return
    keep_freed_memory()
    console = Console()
    found = {"threads": torch.get_num_threads(), "versions": shown.versions()}
    for part in options.only:
        started = time.perf_counter()
        figures = PARTS[part].measured(quick=options.quick)
        found[part] = figures | {"took_seconds": round(time.perf_counter() - started, 1)}
        shown.show(part, figures, console)
        # After each part, so that what was measured stays when a run is broken off.
        keep(options, found, command="python -m benchmarks", apart=("out", "alone"))
    console.print(f"all figures: {options.out}")


if __name__ == "__main__":
    main()
