"""What a count costs, told before it is paid: hours and a full disk are asked for first."""

from __future__ import annotations

import shutil
from pathlib import Path

from nda.errors import ConfigError

LONG = 2 * 3600  # seconds
LARGE = 20 * 2**30  # bytes
FEW = 10_000  # images that are made without asking what they cost


def refuse_costly(out: Path, images: int, cost: tuple[float, float], *, allowed: bool) -> None:
    """Refuse (`ConfigError`) what does not fit on the disk, or takes hours and was not allowed.

    `cost` is that of an image: seconds, and bytes on the disk.
    """
    time_needed, room = (each * images for each in cost)
    told = f"{images:,} images take about {_in_words(time_needed)} and {room / 2**30:,.1f} GiB"
    free = _free(out)
    if room > free:
        raise ConfigError(
            f"{told}, and there is room for {free / 2**30:,.1f} GiB at {out}. Give a smaller "
            "--count, or another place."
        )
    if not allowed and (time_needed > LONG or room > LARGE):
        raise ConfigError(f"{told}. Give --costly true if that is meant, or a smaller --count.")


def _free(out: Path) -> int:
    """Bytes that are free where `out` will be."""
    place = out.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def _in_words(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{max(1, round(seconds))} seconds"
