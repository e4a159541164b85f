"""The campaign: it goes on where it was, obeys its minutes, and a step can be captured."""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from nda.data import ImageSet
from tests.conftest import write_split

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
# All of the package's requirements that a bare machine may lack.
LACKING = ("lightning_fabric", "lightning", "jsonargparse", "tensorboard", "torchmetrics",
           "torch_fidelity", "jinja2", "yaml", "skimage")  # fmt: skip


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any, Any]:
    """The command, the runs and the augmentation."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    names = ("gpu_campaign", "campaign.runs", "campaign.diff_augment")
    command, runs, augment = (importlib.import_module(name) for name in names)
    return command, runs, augment


def options_for(folder: Path, **changes: Any) -> argparse.Namespace:
    settings: dict[str, Any] = {
        "data": folder / "images", "out": folder / "out" / "figures.json", "device": "cpu",
        "steps": 4, "every": 2, "images": 20, "width": 1, "batch_size": 4, "d_steps": 1,
        "minutes": 10.0, "arms": ["plain", "diffaugment+head"], "seeds": [0], "shares": [1.0],
        "quick": True, "state": folder / "state",
    }  # fmt: skip
    return argparse.Namespace(**settings | changes)


def some_images(count: int = 12) -> ImageSet:
    pixels = torch.randint(256, (count, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    return ImageSet.of(pixels.to(torch.uint8))


class StillRuler:
    """Measures nothing that takes time: a sum that shows which images were generated."""

    def measure(self, run: Any) -> float:
        from nda.runtime.seeding import generator_for

        images = run.state.sampler.generate(4, generator_for(0, purpose="test"))
        return float(images.double().sum())


def ended(command: Any, runs: Any, options: argparse.Namespace, *, end: float = 1e12) -> list[Any]:
    """The runs after a campaign."""
    built = [runs.build(arm, 0, 1.0, some_images(), options) for arm in options.arms]
    list(command.campaign(built, StillRuler(), options, end))
    return built


def test_it_goes_on_where_it_was(modules: tuple[Any, Any, Any], tmp_path: Path) -> None:
    command, runs, _ = modules
    whole = ended(command, runs, options_for(tmp_path / "whole"))
    ended(command, runs, options_for(tmp_path / "parts", steps=2))
    parts = ended(command, runs, options_for(tmp_path / "parts"))
    for one, other in zip(whole, parts, strict=True):
        assert one.done == other.done == 4
        assert one.curve == other.curve
        assert [step for step, _ in one.curve] == [2, 4]
        for a, b in zip(*(r.state.generator.parameters() for r in (one, other)), strict=True):
            assert torch.equal(a, b)
    assert whole[0].curve != whole[1].curve
    assert ended(command, runs, options_for(tmp_path / "parts"))[0].curve == parts[0].curve


def test_an_arm_that_is_added_catches_up(modules: tuple[Any, Any, Any], tmp_path: Path) -> None:
    command, runs, _ = modules
    ended(command, runs, options_for(tmp_path, arms=["plain"], steps=2))
    found = ended(command, runs, options_for(tmp_path, arms=["plain", "three_class"]))
    assert [[step for step, _ in run.curve] for run in found] == [[2, 4], [2, 4]]


@pytest.mark.parametrize(
    ("done", "left", "target"), [(0, 1e9, 100), (100, 1e9, 200), (130, 1e9, 200), (1000, 1e9, 1050),
                                 (100, 5.0, 110), (100, 0.4, 100), (100, -1.0, 100)]
)  # fmt: skip
def test_a_round_is_as_long_as_there_is_time(
    done: int, left: float, target: int, modules: tuple[Any, Any, Any], tmp_path: Path
) -> None:
    options = options_for(tmp_path, steps=1050, every=100)
    assert modules[0].next_target(done, options, 0.5, left) == target


def test_minutes_that_are_over_end_all_runs_alike(
    modules: tuple[Any, Any, Any], tmp_path: Path
) -> None:
    command, runs, _ = modules
    ended(command, runs, options_for(tmp_path, steps=2))
    options = options_for(tmp_path, steps=100, every=2, minutes=0.5)
    found = ended(command, runs, options, end=0.0)
    assert [[step for step, _ in run.curve] for run in found] == [[2], [2]]
    (told,) = command.report(found, options)["told"]
    assert told == "0.5 minutes were enough for 2 of 100 steps, of every run alike."


class Waits(TorchDispatchMode):
    """Refuses what a CUDA graph cannot hold: values that come from the host."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        made = [x for x in tree_leaves(result) if isinstance(x, Tensor)]
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        if any(x.is_meta for x in made) and any(not x.is_meta and x.dim() for x in given):
            raise AssertionError(f"{func} takes {[tuple(x.shape) for x in given if not x.is_meta]}")
        return result


@pytest.mark.parametrize("augmented", [False, True])
def test_a_step_of_every_arm_stays_on_its_device(
    augmented: bool,
    modules: tuple[Any, Any, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On the device without memory, where a value that is asked for is an error."""
    _, runs, _ = modules
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # unknown there
    for arm in [name for name, (_, how) in runs.ARMS.items() if how == augmented]:
        run = runs.build(arm, 0, 1.0, some_images(), options_for(tmp_path))
        state, run.rng = run.state, None
        for network in (state.generator, state.discriminator, state.ema.module):
            network.to("meta")
        if augmented:
            state.discriminator.module.generator = None
        if state.negative is not None:
            state.negative.to("meta")
        state.images, state.labels = state.images.to("meta"), state.labels.to("meta")
        state.fabric.device = torch.device("meta")
        for optimizer in (state.optimizer_g, state.optimizer_d):
            optimizer.step = lambda: None  # by parameters that are elsewhere now
        with Waits():
            run.eager_step()


def test_values_from_the_host_are_noticed() -> None:
    with Waits(), pytest.raises(AssertionError, match=r"takes \[\(3,\)\]"):
        torch.arange(3).to("meta")


@pytest.mark.slow
def test_the_command_needs_little_of_the_package_and_draws_its_pictures(tmp_path: Path) -> None:
    write_split(tmp_path / "images", 100)
    path = BENCHMARKS / "gpu_campaign.py"
    out = tmp_path / "out" / "figures.json"
    words = ["--data", str(tmp_path / "images"), "--out", str(out), "--quick", "--arms", "plain"]
    alone = f"""
import runpy, sys
for name in {LACKING!r}:
    sys.modules[name] = None
sys.argv, sys.path[0] = {[str(path), *words]!r}, {str(path.parent)!r}
runpy.run_path(sys.argv[0], run_name="__main__")
"""
    found = subprocess.run(
        [sys.executable, "-c", alone], capture_output=True, text=True, check=False, timeout=300
    )
    assert found.returncode == 0, found.stderr[-2000:]
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert [run["share"] for run in figures["runs"]] == [1.0, 0.1]
    assert all(run["curve"][-1][0] == 4 for run in figures["runs"])
    assert figures["told"] == []
    for name in ("curves", "samples"):
        assert (out.parent / f"figures-{name}.png").stat().st_size < 16 * 2**20


def test_diff_augment_by_the_pixel(modules: tuple[Any, Any, Any]) -> None:
    augment = modules[2]
    x = torch.rand(64, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    moved = augment.translated(x, torch.Generator().manual_seed(1))
    seen = set()
    for one, other in zip(x, moved, strict=True):
        fits = [
            (down, across)
            for down in range(-2, 3)
            for across in range(-2, 3)
            if torch.equal(shifted(one, down, across), other)
        ]
        assert len(fits) == 1
        seen.add(fits[0])
    assert len(seen) > 20
    cut = augment.cut_out(x, torch.Generator().manual_seed(1))
    for one, other in zip(x, cut, strict=True):
        gone = (other == 0).all(dim=0)
        assert torch.equal(other, one * ~gone)
        rows, columns = gone.any(dim=1).nonzero().flatten(), gone.any(dim=0).nonzero().flatten()
        assert int(gone.sum()) == len(rows) * len(columns)
        assert all(4 <= len(side) <= 8 for side in (rows, columns))
    coloured = augment.coloured(x, torch.Generator().manual_seed(1))
    bright, saturated, strong = torch.rand((3, 64), generator=torch.Generator().manual_seed(1))
    y = x[5] + bright[5] - 0.5
    y = y.mean(0) + (y - y.mean(0)) * saturated[5] * 2
    y = y.mean() + (y - y.mean()) * (strong[5] + 0.5)
    torch.testing.assert_close(coloured[5], y)


def shifted(image: Tensor, down: int, across: int) -> Tensor:
    wide = torch.nn.functional.pad(image, (2, 2, 2, 2))
    return wide[:, 2 - down : 18 - down, 2 - across : 18 - across]


def test_the_gradient_of_generated_images_passes_through(modules: tuple[Any, Any, Any]) -> None:
    x = torch.zeros(4, 3, 16, 16, requires_grad=True)
    seen = modules[2].diff_augment(x, torch.Generator().manual_seed(0))
    seen.square().sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
