"""How often the alarm for drift is false, and how soon it comes: scores that are drawn.

Normal scores are standard normal. After a change they are higher by a shift, or a share of them is
by three deviations, as where faults come more often.

    python analysis/drift_power.py --out results/anomaly/drift.json
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from pathlib import Path
from typing import Any

import torch

from nda.evaluation.outliers.drift import DriftWatch

STREAMS = 1000
LENGTH = 1000  # images of a stream in which nothing changes
CHANGE = 200  # images before a change, where there is one
WATCHED = 1000  # and after it
LATE = (0, 1000, 5000, 20_000)  # images before a change, elsewhere
CHANGES = {"all by 0.5": (1.0, 0.5), "all by 1": (1.0, 1.0), "all by 2": (1.0, 2.0),
           "all by -1": (1.0, -1.0), "5 % by 3": (0.05, 3.0), "20 % by 3": (0.2, 3.0)}  # fmt: skip


def false_alarms(calibrated: int, rate: float) -> float:
    """The share of streams without a change in which there was an alarm."""
    return sum(alarm(seed, calibrated, rate) is not None for seed in range(STREAMS)) / STREAMS


def alarm(
    seed: int,
    calibrated: int,
    rate: float,
    change: tuple[float, float] | None = None,
    before: int | None = None,
) -> int | None:
    """At which image of a stream the alarm came; with a change after `before` of them."""
    before = CHANGE if before is None else before
    rng = random.Random(seed)
    known = torch.tensor([rng.gauss(0, 1) for _ in range(calibrated)], dtype=torch.float64)
    watch = DriftWatch(known, rate, seed=seed)
    for number in range(LENGTH if change is None else before + WATCHED):
        score = rng.gauss(0, 1)
        if change is not None and number >= before and rng.random() < change[0]:
            score += change[1]
        watch.see(score)
        if watch.alarm is not None:
            break
    return watch.alarm


def delays(calibrated: int, rate: float, change: tuple[float, float]) -> dict[str, Any]:
    """How long after a change the alarm came, in 200 streams."""
    found = [alarm(seed, calibrated, rate, change) for seed in range(200)]
    after = [each - CHANGE for each in found if each is not None and each > CHANGE]
    late = [float("inf")] * sum(each is None for each in found)
    middle = statistics.median([*after, *late]) if after or late else None
    return {
        "seen": round(len(after) / len(found), 3),
        "before": round(sum(each is not None and each <= CHANGE for each in found) / 200, 3),
        "median_images": None if middle == float("inf") else middle,
    }


def late_delays(change: tuple[float, float], streams: int = 50) -> dict[int, float]:
    """How long after a change the alarm came in the middle, by how much was normal before it."""
    return {
        before: statistics.median(
            (alarm(seed, 100, 0.01, change, before) or float("inf")) - before
            for seed in range(streams)
        )
        for before in LATE
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    found: dict[str, Any] = {"streams": STREAMS, "images": LENGTH, "rows": []}
    for calibrated in (20, 100, 500):
        for rate in (0.01, 0.1):
            row: dict[str, Any] = {"calibrated": calibrated, "rate": rate}
            row["false_alarms"] = false_alarms(calibrated, rate)
            if rate == 0.01:
                row["changes"] = {
                    name: delays(calibrated, rate, each) for name, each in CHANGES.items()
                }
            found["rows"].append(row)
            print(row, flush=True)
    found["late"] = {name: late_delays(CHANGES[name]) for name in ("all by 0.5", "all by 1")}
    print(found["late"], flush=True)
    options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
