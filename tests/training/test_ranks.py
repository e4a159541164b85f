"""Two processes with half of a batch each take the step of one with all of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.support.line_recipe import write_points

# Started again by Fabric for each further process, so it is a file; the first one writes.
SCRIPT = """
import sys
from pathlib import Path

import torch
from torch import nn

from nda.negatives import Jigsaw
from nda.runtime.seeding import draws_of_step
from nda.training.launch import launch
from tests.support.line_recipe import LineConfig

devices, data, out = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
config = LineConfig(data=data, out="unused", device="cpu", devices=devices, steps=3)
fabric = launch(config)
images = torch.rand(8, 3, 8, 8, generator=torch.Generator().manual_seed(1))
torch.manual_seed(0)
layers = nn.Conv2d(3, 4, 3, stride=2), nn.LeakyReLU(), nn.Flatten(), nn.Linear(36, 1)
network = nn.Sequential(*layers)
optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
network, optimizer = fabric.setup(network, optimizer)
mine = images[fabric.global_rank :: devices]
drawn = []
for step in range(3):
    optimizer.zero_grad()
    loss = nn.functional.softplus(-network(mine)).mean()
    fabric.backward(loss)
    optimizer.step()
    rng = draws_of_step(0, fabric.global_rank, step, "cpu")
    drawn.append(torch.rand(4, generator=rng))
    drawn.append(Jigsaw(grid=4)(images[:4], generator=rng))
gathered = [fabric.all_gather(part).reshape(devices, -1) for part in drawn]
weights = torch.cat([p.detach().flatten() for p in network.parameters()])
ranks = fabric.all_gather(weights).reshape(devices, -1)
if fabric.is_global_zero:
    torch.save({"weights": ranks, "drawn": gathered}, out)
"""


def found(devices: int, tmp_path: Path) -> dict[str, torch.Tensor]:
    """What each of that many processes has after three steps, a row each."""
    script, out = tmp_path / "script.py", tmp_path / f"{devices}.pt"
    script.write_text(SCRIPT, encoding="utf-8")
    data = write_points(tmp_path / "points.txt")
    done = subprocess.run(
        [sys.executable, str(script), str(devices), str(data), str(out)],
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    content: dict[str, torch.Tensor] = torch.load(out)
    return content


@pytest.mark.slow
def test_halves_give_the_step_of_the_whole_and_draw_by_themselves(tmp_path: Path) -> None:
    one, two = found(1, tmp_path), found(2, tmp_path)
    first, second = two["weights"]
    assert torch.equal(first, second)
    torch.testing.assert_close(first, one["weights"][0], rtol=1e-5, atol=1e-6)
    for alone, shared in zip(one["drawn"], two["drawn"], strict=True):
        assert torch.equal(shared[0], alone[0])  # the first draws what it does alone
        assert not torch.equal(shared[0], shared[1])
