"""A tiny run of every recipe, with data that it makes itself, as words of the command line."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nda.recipes.linear_probe.config import LinearProbeConfig
from nda.training.config import RunConfig
from tests.conftest import write_split
from tests.support.made_boxes import write_voc
from tests.support.tiny_anomaly import tiny_anomaly, write_surfaces
from tests.support.tiny_detection import tiny_detection
from tests.support.tiny_gan import tiny
from tests.support.tiny_moco import tiny_moco
from tests.support.tiny_numerosity import tiny_numerosity, write_dots
from tests.support.tiny_pix2pix import tiny_pix2pix, write_street
from tests.support.tiny_video import tiny_action, tiny_dpc, write_videos

LENGTH: dict[str, Any] = {
    "steps": 6,
    "log_every": 1,
    "checkpoint_every": 2,
    "sample_every": 3,
    "evaluate_every": 3,
}


@dataclass(frozen=True)
class World:
    """A recipe at tiny size: the words that train it and those that use the finished run.

    `uses` write into the folder `drawn` beside the run, which takes part in comparisons.
    """

    recipe: str
    home: Path
    options: tuple[str, ...]
    uses: tuple[tuple[str, ...], ...]

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def drawn(self) -> Path:
        return self.home / "drawn"

    @property
    def train(self) -> list[str]:
        return ["train", self.recipe, *self.options]

    @property
    def go_on(self) -> list[str]:
        """What a user types after an interruption."""
        begun = (self.run / "config.yaml").exists()
        return ["resume", str(self.run)] if begun else self.train

    def clear(self) -> None:
        """As if nothing had ever been trained here."""
        shutil.rmtree(self.run, ignore_errors=True)
        self.clear_drawn()

    def clear_drawn(self) -> None:
        """As if the run had not been used yet: commands never write over what is there."""
        shutil.rmtree(self.drawn, ignore_errors=True)
        self.drawn.mkdir(parents=True)


def worlds(home: Path) -> dict[str, World]:
    """Of every recipe; their data are where `make_data` puts them."""
    data = home / "data"
    configs: dict[str, RunConfig] = {
        "gan": tiny(data / "images", evaluation_samples=10, d_steps=1, network="dcgan"),
        "numerosity": tiny_numerosity(data / "dots.zip", d_steps=1, evaluation_samples=10),
        "anomaly": tiny_anomaly(data / "surfaces"),
        "pix2pix": tiny_pix2pix(data / "street"),
        "moco": tiny_moco(data / "images"),
        "detection": tiny_detection(data / "voc"),
        "linear-probe": LinearProbeConfig(
            data=str(data / "images"),
            out="unused",
            encoder="none",
            network="cifar_resnet18",
            width=4,
            resolution=16,
            batch_size=8,
            lrs="0.1,1",
            validation=0.25,
            steps=6,
            device="cpu",
        ),
        "dpc": tiny_dpc(data / "videos"),
        "action": tiny_action(data / "videos"),
    }
    return {name: _world(name, config, home / name, data) for name, config in configs.items()}


def make_data(home: Path) -> int:
    """Write what the recipes train on: for a child, since it draws with torch."""
    data = home / "data"
    data.mkdir(parents=True)
    write_split(data / "images/train", 12, size=16)
    write_split(data / "images/test", 6, size=16)
    write_dots(data / "dots.zip", {1: 8, 2: 12, 3: 8})
    write_surfaces(data / "surfaces", normal=40, test=3)
    write_street(data / "street", train=4, test=2)
    write_voc(data / "voc", train=6, test=3)
    write_videos(data / "videos", train=3, test=2)
    return 0


def _world(name: str, config: RunConfig, home: Path, data: Path) -> World:
    settings = dataclasses.replace(config, out=str(home / "run"), **LENGTH)
    options: list[str] = []
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if value is not None and value != field.default:
            options += [f"--{field.name}", str(value)]
    return World(name, home, tuple(options), _USES.get(name, _nothing)(home, data))


def _nothing(home: Path, data: Path) -> tuple[tuple[str, ...], ...]:
    return ()


def _samples(home: Path, data: Path) -> tuple[tuple[str, ...], ...]:
    run, drawn = str(home / "run"), home / "drawn"
    return (
        ("sample", run, "--count", "6", "--device", "cpu", "--out", str(drawn / "grid.png")),
        ("sample", run, "--count", "6", "--device", "cpu", "--out", str(drawn / "each")),
    )


def _translations(home: Path, data: Path) -> tuple[tuple[str, ...], ...]:
    images = str(data / "street/test/labels")
    return (
        ("sample", str(home / "run"), images, "--device", "cpu", "--out", str(home / "drawn/t")),
    )


def _scores(home: Path, data: Path) -> tuple[tuple[str, ...], ...]:
    run, drawn = str(home / "run"), home / "drawn"
    words: tuple[str, ...] = ("score", run, str(data / "surfaces/test"), "--device", "cpu")
    words += ("--out", str(drawn / "scores.csv"), "--html", str(drawn / "scores.html"))
    return ((*words, "--heatmaps", str(drawn / "heat")),)


def _video_scores(home: Path, data: Path) -> tuple[tuple[str, ...], ...]:
    run, drawn = str(home / "run"), home / "drawn"
    words: tuple[str, ...] = ("score", run, str(data / "videos/test"), "--device", "cpu")
    words += ("--false_alarm_rate", "0.3")
    return ((*words, "--out", str(drawn / "scores.csv"), "--html", str(drawn / "scores.html")),)


_USES: dict[str, Callable[[Path, Path], tuple[tuple[str, ...], ...]]] = {
    "gan": _samples,
    "numerosity": _samples,
    "anomaly": _scores,
    "pix2pix": _translations,
    "dpc": _video_scores,
}
