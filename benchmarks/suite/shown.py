"""The figures as tables on the screen, and what they were taken with."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

PACKAGES = ("torch", "numpy", "torchvision", "kornia", "timm", "lightning-fabric")


def versions() -> dict[str, str]:
    """Of Python and of those packages that are installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def table(title: str, *headings: str) -> Table:
    made = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for index, heading in enumerate(headings):
        made.add_column(heading, justify="right" if index else "left")
    return made


def show(part: str, found: dict[str, Any], console: Console) -> None:
    """Of one part."""
    {"negatives": negatives, "steps": steps, "programs": programs}[part](found, console)


def negatives(found: dict[str, Any], console: Console) -> None:
    settings: dict[str, list[dict[str, Any]]] = {}
    for row in found["rows"]:
        shape = " x ".join(map(str, row["shape"]))
        layout = ", channels-last" if row["channels_last"] else ""
        settings.setdefault(f"{row['part']}: {shape}, {row['dtype']}{layout}", []).append(row)
    for title, rows in settings.items():
        made = table(title, "transform", "from", "ms", "x copy", "quartiles")
        for row in rows:
            low, high = row["ratio_quartiles"]
            times = (
                f"{1e3 * row['seconds']:.3f}",
                f"{row['ratio']:.1f}",
                f"{low:.1f} - {high:.1f}",
            )
            made.add_row(row["name"], row["source"], *times)
        console.print(made)
    made = table("growth: time as a power of", "what", "of", "slope")
    for row in found["growth"]:
        made.add_row(row["with"], row["name"], f"{row['slope']:.2f}")
    console.print(made)


def steps(found: dict[str, Any], console: Console) -> None:
    shares = list(found["rows"][0]["shares"])
    title = f"a training step, its shares: {', '.join(shares)}"
    made = table(title, "recipe", "negatives", "ms", "x first", "shares, %", "MiB")
    for row in found["rows"]:
        parts = "  ".join(f"{100 * row['shares'][part]:2.0f}" for part in shares)
        times = f"{1e3 * row['seconds']:.1f}", f"{row['ratio']:.2f}"
        peak = "" if row["peak_mib"] is None else f"{row['peak_mib']:.0f}"
        made.add_row(row["recipe"], row["negatives"], *times, parts, peak)
    console.print(made)


def programs(found: dict[str, Any], console: Console) -> None:
    made = table("start-up", "command", "processor s", "x import torch", "peak MiB")
    for row in found["starts"]:
        seconds = f"{row['processor_seconds']:.2f}", f"{row['ratio']:.2f}"
        made.add_row(row["command"], *seconds, f"{row['peak_mib']:.0f}")
    console.print(made)
    made = table("scoring", "what", "images/s", "peak MiB")
    scoring = found["scoring"]
    for name in ("bare_network", "bare_network_of_32", "bare_decoder"):
        made.add_row(name.replace("_", " "), f"{scoring[name]:.0f}", "")
    for row in scoring["scored"]:
        name = f"nda score, {row['images']:,} images"
        made.add_row(name, f"{row['images_per_second']:.0f}", f"{row['peak_mib']:.0f}")
    console.print(made)
