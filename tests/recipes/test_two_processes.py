"""Every recipe trains in two processes; gan and moco in tests/commands/test_processes.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nda.recipes import RECIPES
from nda.training.run_folder import RunFolder
from tests.recipes.test_precision import CHEAP
from tests.support.each_recipe import data_for
from tests.support.processes import PATIENCE, started

SEEN_ELSEWHERE = {"gan", "moco"}
DETECTION: dict[str, Any] = {
    "network": "resnet18", "width": 8, "train_sides": "32,40", "longest_side": 64,
    "anchors": "8,16,32", "rois": 8, "proposals": 20, "batch_size": 2,
}  # fmt: skip


OWN: dict[str, dict[str, Any]] = {
    "detection": DETECTION,
    "numerosity": CHEAP["numerosity"] | {"gradient_penalty": 0},  # one process alone has a penalty
}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", sorted(RECIPES.keys() - SEEN_ELSEWHERE))
def test_two_processes_train_it(recipe: str, tmp_path: Path) -> None:
    settings = data_for(recipe, tmp_path) | (CHEAP | OWN)[recipe]
    settings |= {"steps": 2, "devices": 2, "log_every": 1}
    words = [f"--{name}={value}" for name, value in settings.items()]
    with started(["train", recipe, *words]) as process:
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    run = RunFolder.open(tmp_path / "run")
    seen = [row["images" if "images" in row else "clips"] for row in run.log()]
    assert [count / seen[0] for count in seen] == [1, 2]
    assert [each["step"] for each in run.evaluations()] == [2]
