"""Ctrl-C while one of two processes measures: both stop, and the run goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.line_recipe import write_points
from tests.support.processes import PATIENCE

# Started again by Fabric for the further process, so it is a file.
SCRIPT = """
import os
import signal
import sys
import time
from dataclasses import replace

from nda.runtime.signals import ended_by_signals
from nda.training.start import start
from tests.support import line_recipe
from tests.support.line_recipe import LineConfig


def build(config, fabric):
    state = line_recipe.build(config, fabric)
    state.line = fabric.setup_module(state.line)
    return state


def evaluate(state):
    os.killpg(0, signal.SIGINT)
    time.sleep(60)


settings = dict(steps=20, batch_size=5, log_every=5, evaluate_every=6, device="cpu", devices=2)
with ended_by_signals():
    recipe = replace(line_recipe.RECIPE, build=build, evaluate=evaluate)
    run = start(recipe, LineConfig(data=sys.argv[1], out=sys.argv[2], logger="csv", **settings))
    complete = run.train()
    print(run.fabric.global_rank, complete, run.stopped_by, run.state.step, flush=True)
"""


@pytest.mark.slow
def test_a_signal_during_an_evaluation_on_the_way_stops_all(tmp_path: Path) -> None:
    script, data = tmp_path / "script.py", write_points(tmp_path / "points.txt")
    script.write_text(SCRIPT, encoding="utf-8")
    paths = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    process = subprocess.run(
        [sys.executable, str(script), str(data), str(tmp_path / "run")],
        env=os.environ | {"PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        start_new_session=True,
        timeout=PATIENCE,
    )
    assert process.returncode == 0
    assert sorted(process.stdout.splitlines()) == ["0 False 2 6", "1 False 2 6"]
