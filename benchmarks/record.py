"""Options that all benchmarks share, and the file that they keep their figures in."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch


def parsed(
    parser: argparse.ArgumentParser, argv: list[str] | None = None, **smallest: Any
) -> argparse.Namespace:
    """The options; with `--quick` those in `smallest` are the defaults, to see that it runs."""
    parser.add_argument("--quick", action="store_true", help="smallest sizes: only that it runs")
    words = sys.argv[1:] if argv is None else argv
    if "--quick" in words:
        parser.set_defaults(**smallest)
    return parser.parse_args(words)


def keep(
    options: argparse.Namespace,
    found: Mapping[str, Any],
    *,
    command: str = "",
    apart: Collection[str] = ("out",),
) -> None:
    """Write figures to `options.out`, if it is given; options named in `apart` are no settings."""
    if options.out is None:
        return
    device = torch.device(getattr(options, "device", "cpu"))
    content = {
        "command": command or f"python benchmarks/{Path(sys.argv[0]).name}",
        "settings": {n: value for n, value in vars(options).items() if n not in apart},
        "torch": torch.__version__,
        "processor": processor(device),
        "cores": os.cpu_count(),
        **found,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(content, indent=1) + "\n")


def processor(device: torch.device) -> str:
    """Its name as its maker has it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
