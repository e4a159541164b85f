"""Train several runs side by side, each in a process of its own, with a bar for each."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from nda.errors import TrainingError
from nda.recipes.gan.config import GanConfig
from nda.runtime.console import console
from nda.training.run_folder import RunFolder

Settings = Mapping[str, Any]

# glibc otherwise hands large blocks back after each use and fetches them anew: a tenth of the time.
KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**32)}


def train_together(runs: Mapping[Path, Settings], *, recipe: str = GanConfig.recipe) -> None:
    """Train each run folder with its settings, all at once, sharing the cores equally.

    A run that was interrupted goes on; one that is complete is left alone. At Ctrl-C every run
    keeps a checkpoint. Raises `TrainingError` if one of them fails.
    """
    open_runs = {path: s for path, s in runs.items() if not is_complete(path, int(s["steps"]))}
    threads = str(max(1, (os.cpu_count() or 1) // max(1, len(open_runs))))
    environment = os.environ | KEPT_MEMORY | {"OMP_NUM_THREADS": threads}
    processes: dict[Path, subprocess.Popen[bytes]] = {}
    try:
        for path, settings in open_runs.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with (path.parent / f"{path.name}.log").open("wb") as log:
                processes[path] = subprocess.Popen(
                    [sys.executable, "-m", "nda", *_words(path, settings, recipe)],
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    env=environment,
                    # A terminal's Ctrl-C does not reach it: a second signal would break off what
                    # the one below begins.
                    start_new_session=True,
                )
        _watch(processes, {path: int(s["steps"]) for path, s in open_runs.items()})
    except BaseException:
        for process in processes.values():
            process.terminate()  # SIGTERM: the run keeps a checkpoint
        for process in processes.values():
            process.wait()
        raise


def is_complete(path: Path, steps: int) -> bool:
    """Whether the run has been trained to `steps` and measured there."""
    return any(evaluation["step"] >= steps for evaluation in RunFolder(path).evaluations())


def _words(path: Path, settings: Settings, recipe: str) -> list[str]:
    """The command line that begins the run or goes on with it."""
    if RunFolder(path).config_path.exists():
        return ["resume", str(path), "--steps", str(settings["steps"])]
    options = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    return ["train", recipe, *options, "--out", str(path)]


def _watch(processes: Mapping[Path, subprocess.Popen[bytes]], steps: Mapping[Path, int]) -> None:
    with _bars() as bars:
        tasks = {path: bars.add_task(path.name, total=steps[path]) for path in processes}
        while running := [p for p, process in processes.items() if process.poll() is None]:
            for path, task in tasks.items():
                rows = RunFolder(path).log()
                bars.update(task, completed=int(rows[-1]["step"]) if rows else 0)
            _refuse_failed(processes)
            time.sleep(1 if running else 0)
    _refuse_failed(processes)


def _refuse_failed(processes: Mapping[Path, subprocess.Popen[bytes]]) -> None:
    for path, process in processes.items():
        code = process.poll()
        if code == 130:
            raise KeyboardInterrupt
        if code:
            log = path.parent / f"{path.name}.log"
            last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            raise TrainingError(
                f"The run {path} failed ({''.join(last) or f'exit code {code}'}); {log} tells more."
            )


@contextlib.contextmanager
def _bars() -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description:>8}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} steps"),
        TimeRemainingColumn(),
    )
    err = console(stderr=True)
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
        yield progress
