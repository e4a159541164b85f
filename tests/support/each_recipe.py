"""Data and the fewest settings that a run of each recipe needs, whatever its sizes are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import write_split
from tests.support.tiny_anomaly import write_surfaces
from tests.support.tiny_detection import write_voc
from tests.support.tiny_numerosity import write_dots
from tests.support.tiny_pix2pix import write_street
from tests.support.tiny_video import write_videos

Settings = dict[str, Any]


def _images(folder: Path, side: int = 32) -> Settings:
    write_split(folder / "images" / "train", 10, size=side)
    write_split(folder / "images" / "test", 4, size=side)
    return {"data": str(folder / "images")}


def _anomaly(folder: Path) -> Settings:
    surfaces = write_surfaces(folder / "surfaces")
    return {"data": str(surfaces), "holdout": 1 / 3, "false_alarm_rate": 0.1}


def _pix2pix(folder: Path) -> Settings:
    street = write_street(folder / "street")
    return {"data": str(street), "palette": str(street / "palette.txt")}


def _videos(folder: Path) -> Settings:
    return {"data": str(write_videos(folder / "videos")), "short": "loop"}


WRITERS: dict[str, Callable[[Path], Settings]] = {
    "gan": _images,
    "numerosity": lambda folder: {
        "data": str(write_dots(folder / "dots.zip")),
        "right_count": 2,
    },
    "anomaly": _anomaly,
    "pix2pix": _pix2pix,
    "moco": _images,
    "detection": lambda folder: {"data": str(write_voc(folder / "voc"))},
    "linear-probe": lambda folder: _images(folder) | {"encoder": "none"},
    "dpc": _videos,
    "action": _videos,
}


def data_for(recipe: str, folder: Path) -> Settings:
    """Write what the recipe trains on, and give the settings that say so; on the CPU."""
    return WRITERS[recipe](folder) | {"device": "cpu", "out": str(folder / "run")}
