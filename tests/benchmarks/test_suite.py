"""`python -m benchmarks` runs at its smallest size, and its file holds what is promised."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from nda.negatives import Cutout, Jigsaw, OneOf
from nda.recipes import RECIPES

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `python -m benchmarks` makes its modules so."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_the_usual_sizes_are_settings_that_recipes_take(recipe: str, tmp_path: Path) -> None:
    from suite import steps

    usual = steps.settings(recipe, tmp_path, quick=False)
    for changes in steps.VARIANTS[recipe].values():
        RECIPES[recipe].config_class()(**usual | changes).check()


def suite(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *words],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.mark.slow
def test_it_runs_at_its_smallest_size_and_keeps_all_figures(tmp_path: Path) -> None:
    done = suite("--quick", "--out", str(tmp_path / "all.json"))
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    found: dict[str, Any] = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
    assert found["command"] == "python -m benchmarks"
    assert found["threads"] == 1
    assert found.keys() >= {"processor", "cores", "versions", "negatives", "steps", "programs"}
    rows, growth = found["negatives"]["rows"], found["negatives"]["growth"]
    parts = {"types", "clips", "batch", "pixels of an image", "tiles", "members of a mixture"}
    assert {row["part"] for row in rows} == parts
    assert {row["dtype"] for row in rows} == {"float32", "uint8"}
    assert any(row["channels_last"] for row in rows)
    assert all(row["seconds"] > 0 for row in rows)
    assert {row["with"] for row in growth} == parts - {"types", "clips"}
    assert {row["recipe"] for row in found["steps"]["rows"]} == set(RECIPES)
    for row in found["steps"]["rows"]:
        assert sum(row["shares"].values()) == pytest.approx(1)
        assert row["shares"]["backward"] > 0
        assert row["shares"]["optimizer"] > 0
        assert row["trained_values"] > 0
    assert {row["command"] for row in found["programs"]["starts"]} >= {"import torch", "nda --help"}
    assert found["programs"]["scoring"]["scored"]


def test_an_unknown_part_is_refused_by_name() -> None:
    done = suite("--only", "speed")
    assert done.returncode == 2
    assert "invalid choice: 'speed'" in done.stderr


def test_growth_is_told_as_a_power() -> None:
    from suite.spread import slope, told

    assert slope([1, 2, 4, 8], [3, 12, 48, 192]) == pytest.approx(2)
    assert slope([1, 10], [5, 5]) == pytest.approx(0)
    figures = told([2, 4, 6, 80], [1, 2, 2, 4])
    assert figures["seconds"] == 5
    assert figures["ratio"] == 2.5
    assert figures["ratio_quartiles"] == [2, 15.75]


def test_parts_of_a_step_are_the_outermost_and_everything_is_put_back() -> None:
    from suite.steps import PARTS, parts_of

    replay, spent = Jigsaw.replay, dict.fromkeys(PARTS, 0.0)
    weight = torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.SGD([weight], 0.1)
    with parts_of(spent):
        assert Jigsaw.replay is not replay
        OneOf([Jigsaw(), Cutout()])(torch.rand(64, 3, 32, 32))
        (weight - 1).square().sum().backward()
        optimizer.step()
    assert all(spent[part] > 0 for part in ("negatives", "backward", "optimizer"))
    assert spent["data"] == spent["forward"] == 0
    assert Jigsaw.replay is replay
    kept = dict(spent)
    optimizer.step()
    assert spent == kept


@pytest.mark.parametrize("memory", [0, 200])
def test_the_memory_of_a_start_is_its_own(memory: int) -> None:
    from suite.programs import started

    held = bytearray(300 * 2**20)  # of this process, which is not to be counted
    seconds, peak = started(["-S", "-c", f"x = bytearray({memory} * 2**20)"])
    assert held
    assert seconds < 5
    assert memory < peak < memory + 60


def test_operations_and_what_gradients_keep_are_counted() -> None:
    from suite.counted import Kept, Operations, exchanged

    layer, x = torch.nn.Linear(30, 20, bias=False), torch.rand(10, 30)
    optimizer, kept = torch.optim.SGD(layer.parameters(), 0.1), Kept()
    with Operations() as operations, kept.hooks(), exchanged() as numbers:
        for _ in range(3):
            loss = layer(x).exp().sum()
            torch.autograd.grad(loss, layer.weight, retain_graph=True)
            loss.backward()
            optimizer.step()
            del loss
    # Forward, and twice the gradient of the weight.
    assert operations.total == 3 * 3 * 2 * 10 * 30 * 20
    # The batch, the weight and the result of exp, of one step at a time.
    assert 4 * (10 * 30 + 10 * 20) <= kept.most <= 4 * (10 * 30 + 30 * 20 + 10 * 20)
    assert kept.now == 0
    assert numbers == [600] * 3
