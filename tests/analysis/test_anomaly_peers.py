"""Other people's models are given kept maps of the images that their numbers stand for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "analysis"))
import anomaly_peers as peers


def maps(count: int = 40) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    shapes = ((24, 32), (40, 16), (112, 8))
    return [torch.randn(count, width, side, side, generator=rng) for width, side in shapes]


def test_numbers_in_the_place_of_pixels_give_the_kept_maps() -> None:
    kept = maps()
    rows = torch.tensor([39, 0, 7])
    found = peers.Given(kept, (0, 2))(peers.as_images(rows))
    assert list(found) == ["0", "2"]
    assert torch.equal(found["2"], kept[2][rows])


@pytest.mark.parametrize("method", ["padim", "patchcore"])
def test_a_peer_is_fitted_to_kept_maps_and_finds_what_lies_off_them(method: str) -> None:
    pytest.importorskip("anomalib")
    kept = maps()
    for level in kept:
        level[-1] += 20
    model, fit = peers.model_of(method, kept, 0.1)
    model.train()
    model(peers.as_images(torch.arange(38)))
    fit()
    found = model.eval()(peers.as_images(torch.tensor([38, 39]))).pred_score.flatten()
    assert found[1] > found[0]
