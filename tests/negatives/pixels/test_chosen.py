"""Pixels chosen by looking: against loops, and against computing all of them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda.negatives import blemish, negative_from_name
from nda.negatives.pixels import chosen
from nda.negatives.pixels.chosen import Pixels, may_look, put, ranked, taken
from tests.negatives.pixels.test_layout import SHAPES, channels_last
from tests.negatives.test_contract import random_batch, seeded

H, W = 6, 9


def listed(pixels: Pixels) -> list[tuple[int, int, int]]:
    return sorted(
        zip(pixels.sample.tolist(), pixels.row.tolist(), pixels.column.tolist(), strict=True)
    )


@given(seed=st.integers(0, 2**31))
def test_true_pixels_are_those_of_the_samples_named(seed: int) -> None:
    mask, sample = torch.rand(3, H, W, generator=seeded(seed)) < 0.2, torch.tensor([4, 0, 7])
    found = [(int(sample[n]), y, x) for n, y, x in mask.nonzero().tolist()]
    assert listed(Pixels.where(mask, sample)) == sorted(found)


@given(seed=st.integers(0, 2**31))
def test_pixels_inside_boxes_are_those_of_a_loop(seed: int) -> None:
    rng = seeded(seed)
    start = torch.randint(0, 3, (4, 2), generator=rng)
    box = torch.cat([start, torch.randint(0, 4, (4, 2), generator=rng)], dim=1)  # some are empty
    sample = torch.tensor([1, 3, 4, 8])
    found = [
        (int(sample[n]), y, x)
        for n, (top, left, height, width) in enumerate(box.tolist())
        for y in range(top, top + height)
        for x in range(left, left + width)
    ]
    pixels = Pixels.inside(box, sample)
    assert listed(pixels) == sorted(found)
    assert pixels.mask(9, H, W).nonzero().tolist() == [list(place) for place in sorted(found)]


def test_none_at_all_are_none() -> None:
    nobody = torch.empty(0, dtype=torch.int64)
    pixels = Pixels.where(torch.zeros(0, H, W, dtype=torch.bool), nobody)
    pixels += Pixels.inside(torch.zeros(0, 4, dtype=torch.int64), nobody)
    assert listed(pixels) == []
    x = random_batch((2, 3, H, W), torch.float32)
    place = pixels.places(x)
    assert torch.equal(put(x, place, taken(x, place)), x)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("turn", [Tensor.contiguous, channels_last])
def test_pixels_are_moved_from_where_they_are(shape: tuple[int, ...], turn: object) -> None:
    assert callable(turn)
    x = turn(random_batch(shape, torch.float32))
    height, width = shape[-2:]
    mask = torch.rand(shape[0], height, width, generator=seeded(1)) < 0.2
    pixels = Pixels.where(mask, torch.arange(shape[0]))
    other = (pixels.sample + 1) % shape[0]
    down, across = pixels.sample % 3 + 2, pixels.sample % 2 + 5
    source = pixels.moved(other, down, across, height, width)
    result = put(x, pixels.places(x), taken(x, source.places(x)))
    expected = x.clone()
    for b, y, column in mask.nonzero().tolist():
        expected[b, ..., y, column] = x[
            (b + 1) % shape[0], ..., (y - b % 3 - 2) % height, (column - b % 2 - 5) % width
        ]
    assert torch.equal(result, expected)
    assert result.stride() == x.stride()
    assert result.data_ptr() != x.data_ptr()


@given(most=st.integers(1, 20), ties=st.booleans(), seed=st.integers(0, 2**31))
def test_ranked_is_the_value_of_a_sorted_row(*, most: int, ties: bool, seed: int) -> None:
    values = torch.randn(5, 20, generator=seeded(seed))
    values = values.round() if ties else values
    rank = torch.randint(1, most + 3, (5,), generator=seeded(seed))
    found = ranked(values, rank, most)
    for row, place, value in zip(values.tolist(), rank.tolist(), found.tolist(), strict=True):
        assert value == [sorted(row, reverse=True)[min(place, most) - 1]]


def test_nobody_looks_in_a_compiled_graph_or_on_another_device() -> None:
    assert may_look(torch.zeros(1))
    assert not may_look(torch.zeros(1, device="meta"))
    compiled = torch.compile(lambda x: x + may_look(x), fullgraph=True, backend="eager")
    assert compiled(torch.zeros(1)).item() == 0


@pytest.mark.parametrize("name", ["blemish", "blemish:seam=feather"])
@settings(deadline=None, max_examples=25)
@given(
    shape=st.sampled_from([(5, 3, 32, 32), (3, 2, 3, 24, 40), (2, 1, 4, 4), (9, 4, 2, 5)]),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.uint8]),
    seed=st.integers(0, 2**31),
)
def test_a_blemish_of_chosen_pixels_is_that_of_all_bit_for_bit(
    name: str, shape: tuple[int, ...], dtype: torch.dtype, seed: int
) -> None:
    x, negative = random_batch(shape, dtype, seed), negative_from_name(name)
    params = negative.draw(x, seeded(seed))
    far = {**params, "shift": params["shift"] * 3 + 7}  # further than the image is wide
    uses = (negative.replay, negative.null, negative.mask)
    looked = [
        use(given, p) for use in uses for given in (x, channels_last(x)) for p in (params, far)
    ]
    with pytest.MonkeyPatch.context() as patch:
        for module in (blemish, chosen):
            patch.setattr(module, "may_look", lambda x: False)
        every = [use(x, p) for use in uses for _ in range(2) for p in (params, far)]
    for one, other in zip(looked, every, strict=True):
        assert torch.equal(one, other)


def test_one_draw_gives_what_one_after_the_other_would() -> None:
    x, rng = torch.zeros(7, 1, 1, 1), seeded(3)
    uniform = blemish.draws_at_once(x, seeded(3), 1, 12, 1)
    for count, (low, high) in ((1, (0, 1)), (12, (-2, 3)), (1, (0.3, 0.4))):
        share = torch.rand(7, *[count] * (count > 1), generator=rng)
        assert torch.equal(uniform(low, high), low + (high - low) * share)


def test_gradients_flow_to_the_texture_and_to_what_shows_through() -> None:
    x = random_batch((6, 2, 12, 12), torch.float64).requires_grad_()
    negative = negative_from_name("blemish")
    params = negative.draw(x, seeded(0))
    (grad,) = torch.autograd.grad(negative.replay(x, params).sum(), x)
    assert not torch.equal(grad, torch.ones_like(grad))
    assert torch.autograd.gradcheck(lambda x: negative.replay(x, params), x)
