"""Time of `nda check`, from the command to the page.

    python benchmarks/check.py IMAGES [--out results/benchmarks/check.json]

The twelve default negatives on 10,000 images at most. Processor time is that of the command alone,
so it says what a busy machine's clock cannot.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from record import parsed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path)
    parser.add_argument("--out", type=Path)
    options = parsed(parser)
    with tempfile.TemporaryDirectory() as folder:
        command = ["check", str(options.images), "--out", f"{folder}/check.html"]
        if options.quick:
            command += ["--negatives", "blemish", "--steps", "2"]
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "nda", *command], check=True)
        seconds = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = {
        "command": f"python benchmarks/check.py {options.images.name}",
        "torch": torch.__version__,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "load_average": os.getloadavg()[0],
        "seconds": seconds,
        "processor_seconds": used.ru_utime + used.ru_stime,
        "peak_mib": used.ru_maxrss / 1024,
    }
    print(json.dumps(found, indent=1))
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
