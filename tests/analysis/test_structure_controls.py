"""The controls of a structure head keep what they say they keep."""

from __future__ import annotations

import runpy
from pathlib import Path

import torch

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "analysis" / "structure_controls.py"))


def middles(x: torch.Tensor) -> torch.Tensor:
    """The quadrants without what lies within four pixels of a cut or the border."""
    return x.unflatten(-1, (2, 16)).unflatten(-3, (2, 16))[..., 4:12, :, 4:12]


def test_colours_and_order_come_apart() -> None:
    rng = torch.Generator().manual_seed(0)
    x = 0.2 * torch.rand(6, 3, 32, 32, generator=rng) - 0.1
    x += 0.5 * (2 * torch.rand(6, 3, 2, 2, generator=rng) - 1).repeat_interleave(
        16, -1
    ).repeat_interleave(16, -2)
    made = SCRIPT["treated"](x, rng)
    assert {name for pair in SCRIPT["PAIRS"] for name in pair} == set(made)
    means = SCRIPT["quadrant_means"]
    jigsaw = made["jigsaw, feathered"]
    moved = made["image in the jigsaw's colours, feathered"]
    put_back = made["jigsaw in the image's colours, feathered"]
    # The order of one and the colours of the other: detail and means of the quadrants' middles.
    for got, detail, colours in ((moved, x, jigsaw), (put_back, jigsaw, x)):
        inner, of_detail = middles(got), middles(detail)
        flat = (-3, -1)
        torch.testing.assert_close(
            inner - inner.mean(flat, keepdim=True),
            of_detail - of_detail.mean(flat, keepdim=True),
            atol=1e-5, rtol=0,
        )  # fmt: skip
        assert (means(got) - means(colours)).abs().max() < 0.15
    assert (means(jigsaw) - means(x)).abs().max() > 0.3
