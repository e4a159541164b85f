"""Which device a name stands for, and the most of its memory that was used."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import torch

from nda.errors import DeviceError

_STATUS = Path("/proc/self/status")  # on Linux; unlike getrusage, without the parent's peak


def choose_device(name: str) -> torch.device:
    """The device by name; `auto` takes a GPU where there is one."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    refuse_unknown_device(name)
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"--device {name} was asked for, but torch sees {torch.cuda.device_count()} CUDA "
            "devices here. Use --device cpu, or install a torch that fits your driver."
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("--device mps was asked for, but it is not here. Use --device cpu.")
    return device


def refuse_unknown_device(name: str) -> None:
    """Refuse (`DeviceError`) what is the name of no device anywhere."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", name):
        raise DeviceError(
            f"--device {name} is not known; give auto, cpu, cuda, cuda:<number> or mps."
        )


def peak_memory(device: torch.device) -> float:
    """The most memory so far in MiB: of the allocator on a CUDA device, else of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    if _STATUS.is_file():
        found = re.search(r"^VmHWM:\s*(\d+) kB", _STATUS.read_text(encoding="utf-8"), re.MULTILINE)
        if found:
            return int(found.group(1)) / 2**10
    import resource  # not on Windows; only needed here

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
