"""Everything the pages say about a run, read from its folder once."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nda.evaluation.record import Evaluation
from nda.report.words import duration, number
from nda.training.run_folder import RunFolder


@dataclass(frozen=True)
class RunContents:
    """A run as its folder tells it; every part but the settings may be empty."""

    label: str
    path: Path
    settings: dict[str, Any]
    versions: str  # what the run was made with, from the remark on top of config.yaml
    rows: list[dict[str, float]]  # of the log, by step
    evaluations: list[Evaluation]  # oldest first
    samples: dict[int, Path]  # step to picture, oldest first

    @property
    def recipe(self) -> str:
        return str(self.settings["recipe"]).replace("_", "-")  # runs of earlier versions

    @property
    def samples_are(self) -> str:
        """What a batch holds."""
        return "clips" if "blocks" in self.settings else "images"  # blocks are of frames

    @property
    def command(self) -> str:
        """What to type to train the same again, in lines short enough for a phone."""
        config = shlex.quote(str(self.path / "config.yaml"))
        return f"nda train {shlex.quote(self.recipe)} \\\n  --config {config} \\\n  --out NEW"

    @property
    def progress(self) -> dict[str, str]:
        """Steps, images seen, time and speed in words; empty without a log and an evaluation."""
        last = self.rows[-1] if self.rows else {}
        # The last steps of a run may make no whole row of the log, all of a short one none.
        steps = [last["step"]] if last else []
        steps += [measured.step for measured in self.evaluations[-1:]]
        if not steps:
            return {}
        done = int(max(steps))
        told = {"steps": number(done)}
        wanted = self.settings.get("steps")
        if isinstance(wanted, int) and done < wanted:
            told["steps"] += f" of {number(wanted)}"
        if "images" in last:
            told["images seen"] = number(int(last["images"]))
        if "seconds" in last:
            told["training time"] = duration(last["seconds"])
        if last.get("images") and last.get("seconds"):
            told["images/s"] = number(last["images"] / last["seconds"])
        return told


def read_run(run: RunFolder, label: str) -> RunContents:
    """Read a run folder; what is not there stays empty (`CheckpointError` for a broken config)."""
    settings = _flat(run.config())
    by_step = {row["step"]: row for row in run.log() if "step" in row}
    return RunContents(
        label=label,
        path=run.path,
        settings=settings,
        versions=_remark_on_top(run.config_path),
        rows=[by_step[step] for step in sorted(by_step)],
        evaluations=[Evaluation.from_dict(fields) for fields in run.evaluations()],
        samples=_samples(run.samples),
    )


def run_labels(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell the runs apart; usually the folders' names."""
    parts = [path.resolve().parts for path in paths]
    labels: list[str] = []
    for length in range(1, max(map(len, parts)) + 1):
        labels = [str(Path(*some[-length:])) for some in parts]
        if len(set(labels)) == len(labels):
            break
    return labels


def _samples(folder: Path) -> dict[int, Path]:
    found = {}
    for path in folder.glob("step-*.png"):
        if match := re.fullmatch(r"step-(\d+)\.png", path.name):
            found[int(match[1])] = path
    return dict(sorted(found.items()))


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings under dotted names."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _remark_on_top(config: Path) -> str:
    first = config.read_text(encoding="utf-8").partition("\n")[0]
    return first.lstrip("# ").strip() if first.startswith("#") else ""
