"""The fault campaign: kills, faults of single file operations, refusing disks, damaged inputs.

    python benchmarks/faults.py --out faults.json --kills 1000 --files 100000 --minutes 60

Every trial is a function of the seed and its number. Counts and faults are kept in the file after
each trial, and a campaign that was interrupted goes on from there. Ends with code 1 where a fault
was found. `--plant` puts a bug in first, to show that the campaign finds it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # before a foreign package named tests

from record import keep, parsed
from tests.faults.campaign import PARTS, Campaign, whole_trials
from tests.faults.imported import import_everything
from tests.faults.planted import BUGS, plant

UNIT = {"kills": "kills", "operations": "operations", "disk": "disks", "fuzz": "files"}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100, help="signals sent to running commands")
    parser.add_argument("--operations", type=int, default=50, help="faults at a file operation")
    parser.add_argument("--disks", type=int, default=20, help="full, read-only and denied places")
    parser.add_argument("--files", type=int, default=10_000, help="mutated inputs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=30, help="stop after so long")
    parser.add_argument("--recipes", default="", help="separated by commas; all if not given")
    parser.add_argument("--plant", choices=BUGS, default="", help="a bug that must be found")
    parser.add_argument("--out", type=Path, required=True)
    options = parsed(parser, kills=1, operations=0, disks=0, files=0, recipes="linear-probe")
    import_everything()
    if options.plant:
        plant(options.plant)
    found = load(options.out, options.seed)
    with tempfile.TemporaryDirectory(prefix="faults-", dir=memory()) as folder:
        os.environ |= {"NDA_CACHE": f"{folder}/cache", "TORCH_HOME": f"{folder}/torch"}
        recipes = tuple(filter(None, options.recipes.split(",")))
        go(Campaign(Path(folder), options.seed, recipes), found, options)
    faults = sum(len(part["faults"]) for part in found.values())
    print(json.dumps({name: part["counts"] for name, part in found.items()}), f"{faults} faults")
    return 1 if faults else 0


def go(campaign: Campaign, found: dict[str, Any], options: argparse.Namespace) -> None:
    """Trials of all parts in turn, until each has its count or the time is over."""
    until = time.monotonic() + 60 * options.minutes
    goals = {part: getattr(options, UNIT[part]) for part in PARTS}
    with whole_trials() as asked_to_stop:
        while time.monotonic() < until and not asked_to_stop():
            behind = [part for part in PARTS if found[part]["counts"] < goals[part]]
            if not behind:
                return
            part = min(behind, key=lambda name: found[name]["seconds"])
            started = time.monotonic()
            tally = campaign.trial(part, found[part]["trials"])
            found[part]["trials"] += 1
            found[part]["counts"] += tally.trials
            found[part]["faults"] += tally.faults
            found[part]["seconds"] += round(time.monotonic() - started, 2)
            for fault in tally.faults:
                print(fault[:400], flush=True)
            keep(options, {"parts": found}, command="python benchmarks/faults.py")


def load(path: Path, seed: int) -> dict[str, Any]:
    """What an earlier campaign of this seed has counted in the file, or nothing yet."""
    if path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["settings"]["seed"] != seed:
            raise SystemExit(f"{path} is of seed {kept['settings']['seed']}; give another --out.")
        return dict(kept["parts"])
    return {part: {"counts": 0, "trials": 0, "seconds": 0.0, "faults": []} for part in PARTS}


def memory() -> str | None:
    """A folder in memory, where there is one: trials write much and keep nothing."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


if __name__ == "__main__":
    sys.exit(main())
