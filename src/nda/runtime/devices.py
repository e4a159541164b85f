"""Which device a name stands for."""

from __future__ import annotations

import re

import torch

from nda.errors import DeviceError


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
