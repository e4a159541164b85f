from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nda.errors import ShapeError
from nda.negatives import Stitch


@settings(deadline=None, max_examples=30)
@given(
    batch=st.integers(2, 6),
    frames=st.sampled_from([(), (3,)]),
    half=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.uint8]),
    seed=st.integers(0, 2**31),
)
def test_replay_agrees_with_pasting_halves_one_by_one(
    batch: int,
    frames: tuple[int, ...],
    half: tuple[int, int],
    dtype: torch.dtype,
    seed: int,
) -> None:
    rng = torch.Generator().manual_seed(seed)
    h, w = half
    x = torch.randint(256, (batch, *frames, 2, 2 * h, 2 * w), generator=rng).to(dtype)
    params = Stitch().draw(x, rng)
    result = Stitch().replay(x, params)
    for b in range(batch):
        expected, partner = x[b].clone(), x[params["partner"][b]]
        if params["upright"][b]:
            expected[..., :, w:] = partner[..., :, w:]
        else:
            expected[..., h:, :] = partner[..., h:, :]
        assert torch.equal(result[b], expected)


def test_both_ways_are_equally_likely_within_a_batch() -> None:
    upright = Stitch().draw(torch.zeros(4000, 1, 2, 2), torch.Generator().manual_seed(0))["upright"]
    assert 1880 < upright.sum() < 2120


@pytest.mark.parametrize("size", [(7, 8), (8, 7)])
def test_refuses_odd_sizes(size: tuple[int, int]) -> None:
    with pytest.raises(ShapeError, match=f"{size[0]} x {size[1]} .* even sizes"):
        Stitch()(torch.zeros(2, 3, *size))
