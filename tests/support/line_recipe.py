"""A recipe of a few lines for the tests of the engine: a straight line fitted to noisy points.

It draws from every source of randomness that the engine promises to repeat: the generator of the
step, the global generators (dropout) and the batch, which is a function of the step.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor, nn

from nda.errors import DataError
from nda.evaluation.record import Evaluation, Metric
from nda.training.config import RunConfig
from nda.training.engine import Recipe
from nda.training.run_folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class LineConfig(RunConfig):
    """Settings of the line: `rate` is the learning rate."""

    recipe: str = "line"
    rate: float = 0.05


@dataclass
class LineState:
    """The line, and the points (N, 2) it is fitted to."""

    config: LineConfig
    points: Tensor
    data: str
    line: nn.Linear
    optimizer: torch.optim.Optimizer
    step: int = 0

    @property
    def saved(self) -> dict[str, Any]:
        return {"line": self.line, "optimizer": self.optimizer}

    def batch(self, step: int) -> Tensor:
        size = self.config.batch_size
        return self.points[(torch.arange(size) + step * size) % len(self.points)]


def write_points(path: Path, *, slope: float = 2.0) -> Path:
    """The data of a line: a text file with a pair of numbers a row."""
    rows = [f"{x / 10} {slope * x / 10 + 1}" for x in range(37)]
    path.write_text("\n".join(rows))
    return path


def build(config: LineConfig, fabric: Fabric) -> LineState:
    path = Path(config.data)
    if not path.is_file():
        raise DataError(f"There is no {path}.")
    text = path.read_text()
    points = torch.tensor([[float(x) for x in row.split()] for row in text.splitlines()])
    torch.manual_seed(config.seed)
    line = nn.Linear(1, 1)
    optimizer = torch.optim.Adam(line.parameters(), lr=config.rate)
    return LineState(config, points, hashlib.sha256(text.encode()).hexdigest(), line, optimizer)


def step(state: LineState, batch: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
    x, y = batch[:, :1], batch[:, 1:]
    noise = 0.1 * torch.randn(y.shape, generator=rng)
    loss = F.dropout((state.line(x) - y - noise).square(), 0.2).mean()
    state.optimizer.zero_grad()
    torch.autograd.backward(loss)
    state.optimizer.step()
    return {"loss": loss, "slope": state.line.weight.detach().sum()}


def evaluate(state: LineState) -> Evaluation:
    slope = float(state.line.weight.item())
    return Evaluation(state.step, [Metric("slope", "Slope", slope, "", {"points": 37})])


def draw_samples(state: LineState, folder: RunFolder) -> None:
    (folder.samples / f"step-{state.step:08d}.txt").write_text(f"{state.line.weight.item()}")


def sample(state: LineState, count: int, seed: int) -> Tensor:
    return state.line(torch.arange(float(count))[:, None]).detach()


RECIPE: Recipe[LineConfig, LineState] = Recipe(build, step, evaluate, draw_samples)
