"""The most memory a run has used so far."""

from __future__ import annotations

import sys

import torch


def peak_memory(device: torch.device) -> float:
    """Peak in MiB: of the allocator on a CUDA device, else of the whole process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    import resource  # not on Windows; only needed here

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
