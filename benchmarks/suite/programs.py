"""Programs as a user starts them, and what reading and scoring images takes."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from argparse import Namespace
from pathlib import Path
from typing import Any

import score

COMMANDS = {
    "python alone": ["-c", "pass"],
    "import torch": ["-c", "import torch"],
    "import nda": ["-c", "import nda"],
    "import nda, a jigsaw": ["-c", "import nda; nda.Jigsaw()"],
    "nda --help": ["-m", "nda", "--help"],
    "nda, a wrong path": ["-m", "nda", "score", "nowhere", "nothing"],
}


# A process counts the memory of the one that it was started from, so a small one stands between.
BETWEEN = """
import os, sys
silent = [(os.POSIX_SPAWN_OPEN, n, os.devnull, os.O_WRONLY, 0) for n in (1, 2)]
words = [sys.executable, *sys.argv[1:]]
child = os.posix_spawn(sys.executable, words, os.environ, file_actions=silent)
used = os.wait4(child, 0)[2]
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


def started(words: list[str]) -> tuple[float, float]:
    """Processor seconds and peak MiB of a process, whatever it ends with."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", BETWEEN, *words],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    seconds, peak = map(float, done.stdout.split())
    return seconds, peak


def starts(turns: int) -> list[dict[str, Any]]:
    """A row for each command, in turns; the ratio is to `import torch`."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for _ in range(turns):
        for name, words in COMMANDS.items():
            found[name].append(started(words))
    torch_alone = statistics.median(seconds for seconds, _ in found["import torch"])
    return [
        {
            "command": name,
            "processor_seconds": statistics.median(seconds for seconds, _ in of),
            "spread": [min(seconds for seconds, _ in of), max(seconds for seconds, _ in of)],
            "ratio": statistics.median(seconds for seconds, _ in of) / torch_alone,
            "peak_mib": max(peak for _, peak in of),
        }
        for name, of in found.items()
    ]


def measured(*, quick: bool) -> dict[str, Any]:
    """Start-up, decoding and scoring."""
    small = {"resolution": 32, "picture_side": 40, "width": 8, "batch_size": 32, "turns": 2}
    usual = {"resolution": 128, "picture_side": 160, "width": 16, "batch_size": 256, "turns": 9}
    options = Namespace(counts=[32, 40] if quick else [1000, 4000], **(small if quick else usual))
    with tempfile.TemporaryDirectory() as folder:
        scoring = score.measure(options, Path(folder))
    return {"starts": starts(1 if quick else 5), "scoring": scoring}
