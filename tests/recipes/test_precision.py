"""Mixed precision in every recipe that offers it, and torch.compile, with and without a penalty."""

from __future__ import annotations

import shutil
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest
import torch

from nda.recipes import RECIPES
from nda.runtime.seeding import generator_for
from nda.training.start import start
from tests.support.each_recipe import data_for

PENALISED = {"gan", "numerosity", "pix2pix"}
CHEAP: dict[str, dict[str, Any]] = {
    "gan": {"network": "dcgan", "width": 2, "batch_size": 4, "d_steps": 1},
    "numerosity": {"network": "dcgan", "width": 2, "batch_size": 4, "d_steps": 1,
                   "resolution": 24},
    "anomaly": {"width": 8, "batch_size": 2, "resolution": 32},
    "pix2pix": {"width": 2, "batch_size": 2, "resolution": 64, "norm": "instance"},
    "moco": {"width": 8, "batch_size": 4, "bn_splits": 2, "queue_size": 4, "dim": 8},
    "linear-probe": {"width": 2, "batch_size": 4},
    "dpc": {"width": 8, "batch_size": 2, "resolution": 64, "blocks": 4, "frames": 2,
            "stride": 1, "predict": 1},
    "action": {"width": 8, "batch_size": 2, "resolution": 64, "blocks": 4, "frames": 2,
               "stride": 1},
}  # fmt: skip
# Detection takes neither, and says so.
CASES = [
    *((recipe, None) for recipe in CHEAP),
    *((recipe, weight) for recipe in sorted(PENALISED) for weight in (0.0, 10.0)),
]
# Each once: with the penalty, which is a second backward through the network, where there is one.
COMPILED = [(recipe, 10.0 if recipe in PENALISED else None) for recipe in CHEAP]


# Objectives of the GAN that are none of the four families in a mixture.
OBJECTIVES = ("prior_corrected", "three_class", "relativistic")


def one_step(recipe: str, folder: Path, **changes: Any) -> dict[str, torch.Tensor]:
    """The scalars of the first step of a run."""
    entry = RECIPES[recipe]
    settings = data_for(recipe, folder) | {"steps": 1} | CHEAP[recipe] | changes
    module = entry.recipe()
    run = start(module, entry.config_class()(**settings))
    rng = generator_for(0, step=0, purpose="train", device=run.fabric.device)
    logs: dict[str, torch.Tensor] = module.step(run.state, run.state.batch(0), rng)
    return logs


def penalty(weight: float | None) -> dict[str, float]:
    return {} if weight is None else {"gradient_penalty": weight}


def test_every_recipe_is_here() -> None:
    assert CHEAP.keys() == RECIPES.keys() - {"detection"}


@pytest.mark.parametrize(("recipe", "weight"), CASES)
def test_bfloat16(recipe: str, weight: float | None, tmp_path: Path) -> None:
    logs = one_step(recipe, tmp_path, precision="bf16-mixed", **penalty(weight))
    assert all(value.isfinite() for value in logs.values())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="float16 needs a CUDA device")
@pytest.mark.parametrize(("recipe", "weight"), CASES)
def test_float16(recipe: str, weight: float | None, tmp_path: Path) -> None:
    logs = one_step(recipe, tmp_path, precision="16-mixed", device="cuda", **penalty(weight))
    assert all(value.isfinite() for value in logs.values())


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")  # of inductor
@pytest.mark.parametrize(("recipe", "weight"), COMPILED)
def test_compile(
    recipe: str, weight: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch._inductor.config as inductor

    torch.compiler.reset()
    if recipe != "gan":  # one goes through the C++ compiler, which takes a minute each
        whole = torch.nn.Module.compile
        monkeypatch.setattr(torch.nn.Module, "compile", partialmethod(whole, backend="aot_eager"))
    changes = penalty(weight)
    plain = one_step(recipe, tmp_path / "plain", **changes)
    with inductor.patch("fallback_random", True):  # so that dropout is the same
        compiled = one_step(recipe, tmp_path / "compiled", compile=True, **changes)
    assert compiled.keys() == plain.keys()
    for name, value in plain.items():
        # After an update of the discriminator, whose first by Adam makes much of little gradients.
        atol = 1e-2 if name in {"loss_g", "l1"} else 1e-4
        torch.testing.assert_close(compiled[name], value, rtol=1e-3, atol=atol)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")  # of tracing
@pytest.mark.parametrize("matched", ["none", "consistency"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_compile_of_every_objective(
    objective: str, matched: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traced, not compiled: a penalty is a second backward, which compiled code has none of."""
    torch.compiler.reset()
    whole = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", partialmethod(whole, backend="aot_eager"))
    changes: dict[str, Any] = {"objective": objective, "zero_centred_penalty": 1.0}
    changes |= {"matched": matched, "negative": "jigsaw:seam=feather"}
    plain = one_step("gan", tmp_path / "plain", **changes)
    compiled = one_step("gan", tmp_path / "compiled", compile=True, **changes)
    assert compiled.keys() == plain.keys() >= {"zero_centred_penalty"}
    for name, value in plain.items():
        torch.testing.assert_close(compiled[name], value, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_objectives_in_bfloat16_and_their_penalty_in_float32(
    objective: str, tmp_path: Path
) -> None:
    changes: dict[str, Any] = {"objective": objective, "zero_centred_penalty": 1.0}
    full, half = (
        one_step("gan", tmp_path / precision, precision=precision, **changes)
        for precision in ("32-true", "bf16-mixed")
    )
    assert half.keys() == full.keys()
    for name, value in half.items():
        atol = 1e-6 if name == "zero_centred_penalty" else 2e-2
        torch.testing.assert_close(value, full[name], rtol=0.03, atol=atol)


@pytest.mark.parametrize("recipe", sorted(PENALISED))
def test_the_penalty_in_bfloat16_is_that_of_float32(recipe: str, tmp_path: Path) -> None:
    found = [
        one_step(recipe, tmp_path / precision, precision=precision, **penalty(10.0))
        for precision in ("32-true", "bf16-mixed")
    ]
    full, half = (logs["gradient_penalty"] for logs in found)
    # Not equal: the generated images it lies between were made in bfloat16.
    torch.testing.assert_close(half, full, rtol=0.03, atol=1e-3)
