from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from nda.errors import ConfigError, ShapeError
from nda.negatives import Jigsaw
from nda.negatives.orders import draw_orders, unrank_orders


def naive_jigsaw(image: Tensor, order: list[int], grid: int) -> Tensor:
    """Tile by tile, for one image (..., H, W)."""
    h, w = image.shape[-2] // grid, image.shape[-1] // grid
    result = torch.empty_like(image)
    for place, tile in enumerate(order):
        top, left = place // grid * h, place % grid * w
        from_top, from_left = tile // grid * h, tile % grid * w
        result[..., top : top + h, left : left + w] = image[
            ..., from_top : from_top + h, from_left : from_left + w
        ]
    return result


@settings(deadline=None, max_examples=40)
@given(
    grid=st.integers(2, 6),
    batch=st.integers(1, 4),
    frames=st.sampled_from([(), (2,)]),
    channels=st.integers(1, 3),
    tile=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.uint8]),
    seed=st.integers(0, 2**31),
)
def test_replay_agrees_with_moving_tiles_one_by_one(
    *,
    grid: int,
    batch: int,
    frames: tuple[int, ...],
    channels: int,
    tile: tuple[int, int],
    dtype: torch.dtype,
    seed: int,
) -> None:
    rng = torch.Generator().manual_seed(seed)
    shape = (batch, *frames, channels, tile[0] * grid, tile[1] * grid)
    x = torch.randint(256, shape, generator=rng).to(dtype)
    jigsaw = Jigsaw(grid)
    params = jigsaw.draw(x, rng)
    result = jigsaw.replay(x, params)
    assert result.shape == x.shape
    for b in range(batch):
        assert torch.equal(result[b], naive_jigsaw(x[b], params["permutation"][b].tolist(), grid))


@pytest.mark.parametrize("grid", [2, 3, 4, 5, 7])
def test_every_draw_is_an_order_other_than_the_original(grid: int) -> None:
    x = torch.zeros(5000, 1, grid, grid)
    order = Jigsaw(grid).draw(x, torch.Generator().manual_seed(0))["permutation"]
    original = torch.arange(grid**2)
    assert torch.equal(order.sort(dim=1).values, original.expand_as(order))
    assert not (order == original).all(dim=1).any()


def test_the_23_orders_of_a_grid_of_2_are_equally_likely() -> None:
    x = torch.zeros(23_000, 1, 2, 2)
    order = Jigsaw(2).draw(x, torch.Generator().manual_seed(0))["permutation"]
    kinds, counts = torch.unique(order, dim=0, return_counts=True)
    assert len(kinds) == 23
    chi_square = ((counts - 1000) ** 2 / 1000).sum()
    assert chi_square < 48.3  # 22 degrees of freedom, p = 0.001


@pytest.mark.parametrize("grid", [3, 5])
def test_every_tile_is_equally_likely_at_every_place(grid: int) -> None:
    n = grid**2
    x = torch.zeros(n * 400, 1, grid, grid)
    order = Jigsaw(grid).draw(x, torch.Generator().manual_seed(0))["permutation"]
    counts = torch.nn.functional.one_hot(order, n).sum(dim=0)  # place × tile
    assert ((counts - 400).abs() < 5 * math.sqrt(400)).all()


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_ranks_count_the_orders_lexicographically(n: int) -> None:
    orders = unrank_orders(torch.arange(math.factorial(n)), n)
    assert orders.tolist() == [list(order) for order in itertools.permutations(range(n))]


def test_largest_rank_of_a_grid_of_4() -> None:
    last = unrank_orders(torch.tensor([math.factorial(16) - 1]), 16)
    assert last.tolist() == [list(reversed(range(16)))]


@pytest.mark.parametrize("n", [19, 20])
def test_orders_are_ranked_as_long_as_the_rank_is_a_whole_number(n: int) -> None:
    rng, same = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
    ranks = torch.randint(1, math.factorial(n), (5,), generator=same)
    assert torch.equal(draw_orders(5, n, torch.device("cpu"), rng), unrank_orders(ranks, n))


def test_longer_orders_are_those_of_random_numbers() -> None:
    rng, same = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
    expected = torch.rand(5, 21, generator=same).argsort(dim=1)
    assert torch.equal(draw_orders(5, 21, torch.device("cpu"), rng), expected)


def test_an_original_order_beyond_ranking_is_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    ascending = torch.linspace(0, 0.9, 25).repeat(2, 1)
    ascending[1] = ascending[1].flip(0)
    monkeypatch.setattr(torch, "rand", lambda *_, **__: ascending)
    order = draw_orders(2, 25, torch.device("cpu"), None)
    assert order[0].tolist() == [24, *range(24)]
    assert order[1].tolist() == list(reversed(range(25)))


class Gathers(TorchDispatchMode):
    """Records the types of what `index_select` is given."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.types: list[torch.dtype] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func._schema.name == "aten::index_select":
            self.types.append(args[2].dtype)
        return func(*args, **(kwargs or {}))


def test_the_index_of_the_gather_is_half_as_wide_where_that_suffices() -> None:
    x = torch.zeros(3, 2, 8, 8)
    params = Jigsaw(4).draw(x)
    with Gathers() as gathers:
        Jigsaw(4).replay(x, params)
    assert gathers.types == [torch.int32]


def test_refuses_sizes_the_grid_does_not_divide() -> None:
    with pytest.raises(
        ShapeError, match=r"32 x 30 .* grid of 4 x 4 .* crop or resize .* or choose"
    ):
        Jigsaw(4)(torch.zeros(2, 3, 32, 30))


@pytest.mark.parametrize("grid", [1, 0, -2, 2.5, "2"])
def test_refuses_a_grid_that_is_no_whole_number_from_two_on(grid: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^jigsaw was given grid={grid}; expected"):
        Jigsaw(grid)
