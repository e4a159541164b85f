"""The peak of a process is its own, whoever started it."""

from __future__ import annotations

import subprocess
import sys

import torch

from nda.runtime.devices import peak_memory

PRINT_PEAK = (
    "import torch; from nda.runtime.devices import peak_memory; "
    "x = torch.ones({mib} * 2**18); print(peak_memory(torch.device('cpu')))"
)


def peak_of_child(mib: int) -> float:
    command = [sys.executable, "-c", PRINT_PEAK.format(mib=mib)]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(found.stdout)


def test_the_peak_of_a_child_is_not_its_parents() -> None:
    held = torch.ones(900 * 2**18)  # 900 MiB here
    small, large = peak_of_child(1), peak_of_child(400)
    assert peak_memory(torch.device("cpu")) > 900
    assert large - small > 300
    if sys.platform == "linux":
        assert small < 900
    del held
