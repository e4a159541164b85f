"""Feathered seams, against loops over samples and pixels."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda.errors import ConfigError
from nda.negatives import Jigsaw
from nda.negatives.feather import bordered
from tests.negatives.test_contract import random_batch, seeded
from tests.negatives.test_jigsaw import naive_jigsaw


def mirrored(place: int, size: int) -> int:
    """Walk from border to border, turning round on the border pixel."""
    while not 0 <= place < size:
        place = -place if place < 0 else 2 * (size - 1) - place
        if size == 1:
            return 0
    return place


def naive_blur(image: Tensor, width: int, row: int, column: int) -> Tensor:
    """One pixel of an image (..., H, W) under the triangular kernel: (...)."""
    H, W = image.shape[-2:]
    total = torch.zeros(image.shape[:-2], dtype=torch.float64)
    for down in range(-width, width + 1):
        for across in range(-width, width + 1):
            weight = (width + 1 - abs(down)) * (width + 1 - abs(across)) / (width + 1) ** 4
            total += weight * image[..., mirrored(row + down, H), mirrored(column + across, W)]
    return total


def naive_feather(image: Tensor, mask: Tensor, width: int) -> Tensor:
    result = image.double().clone()
    for row, column in mask.nonzero().tolist():
        result[..., row, column] = naive_blur(image.double(), width, row, column)
    return result if image.is_floating_point() else result.round()


@settings(deadline=None, max_examples=25)
@given(
    grid=st.integers(2, 4),
    tile=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    width=st.integers(1, 4),
    frames=st.sampled_from([(), (2,)]),
    dtype=st.sampled_from([torch.float32, torch.uint8]),
    seed=st.integers(0, 2**31),
)
def test_a_feathered_jigsaw_is_the_hard_one_blurred_at_its_seams(
    *,
    grid: int,
    tile: tuple[int, int],
    width: int,
    frames: tuple[int, ...],
    dtype: torch.dtype,
    seed: int,
) -> None:
    x = random_batch((2, *frames, 2, grid * tile[0], grid * tile[1]), dtype, seed)
    negative = Jigsaw(grid, seam="feather", width=width)
    params = negative.draw(x, seeded(seed))
    result, null, mask = (f(x, params) for f in (negative.replay, negative.null, negative.mask))
    for b, order in enumerate(params["permutation"].tolist()):
        hard = naive_jigsaw(x[b], order, grid)
        for made, image in ((result[b], hard), (null[b], x[b])):
            expected = naive_feather(image, mask[b, 0], width)
            torch.testing.assert_close(made.double(), expected, rtol=0, atol=1e-5)


def test_the_mask_of_a_feather_is_as_wide_as_the_feather() -> None:
    x = torch.zeros(1, 1, 32, 32)
    swapped = {"permutation": torch.tensor([[1, 0, 3, 2]])}  # left and right
    for width in (1, 3, 5):
        mask = Jigsaw(seam="feather", width=width).mask(x, swapped)
        expected = torch.zeros(1, 1, 32, 32)
        expected[..., 16 - width : 16 + width] = 1
        expected[..., 16 - width : 16 + width, :] = 1  # blurred too, though nothing broke there
        assert torch.equal(mask, expected)


def test_feathering_takes_the_edge_from_a_seam() -> None:
    """Of two flat tiles the step is spread over the seven taps."""
    x = torch.cat([torch.zeros(1, 1, 32, 16), torch.ones(1, 1, 32, 16)], dim=-1)
    swapped = {"permutation": torch.tensor([[1, 0, 3, 2]])}
    row = Jigsaw(seam="feather").replay(x, swapped)[0, 0, 5]
    assert (16 * row[12:20]).tolist() == [16, 15, 13, 10, 6, 3, 1, 0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seam": "fether"}, r"jigsaw was given seam=fether; expected hard, feather or poisson"),
        ({"seam": "feather", "width": 0}, r"jigsaw was given width=0; expected a whole number"),
    ],
)
def test_refuses_other_seams(settings: dict[str, str | int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Jigsaw(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(2, 3, 4, 6), (2, 2, 1, 6, 5)])
@pytest.mark.parametrize("width", [1, 3, 4, 9])
def test_borders_reflect_also_where_they_are_wider_than_the_image(
    width: int, shape: tuple[int, ...]
) -> None:
    x = torch.rand(shape, generator=torch.Generator().manual_seed(width))
    H, W = shape[-2:]

    found = bordered(x, width)
    assert found.shape == (*shape[:-2], H + 2 * width, W + 2 * width)
    for row in range(-width, H + width):
        for column in range(-width, W + width):
            expected = x[..., mirrored(row, H), mirrored(column, W)]
            assert torch.equal(found[..., row + width, column + width], expected)
