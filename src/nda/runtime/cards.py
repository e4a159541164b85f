"""Is there a card to train on? Told from the system alone, since importing torch takes seconds."""

from __future__ import annotations

import os
import platform
import re
import shutil
from pathlib import Path

DEVICES = Path("/dev")


def card_is_likely(device: str) -> bool:
    """Whether a run with this `--device` will find a GPU; False for `cpu`.

    Looks for what the drivers of NVIDIA, AMD and Apple leave. torch may still have been built
    without them, which only torch knows.
    """
    if device != "auto":
        return device != "cpu"
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    if platform.system() == "Darwin":
        return platform.machine() == "arm64"
    names = {entry.name for entry in DEVICES.iterdir()} if DEVICES.is_dir() else set()
    if {"kfd", "dxg"} & names or any(re.fullmatch(r"nvidia\d+", name) for name in names):
        return True
    return platform.system() == "Windows" and shutil.which("nvidia-smi") is not None
