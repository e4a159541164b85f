"""Channels-last batches stay channels-last, and are given what contiguous ones are, bit for bit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nda.negatives import Cutout, Jigsaw, Negative, Texture, negative_from_name
from nda.negatives.faults.fault import relit
from nda.negatives.pixels.layout import in_layout_of, is_channels_last, pixels_at, samples
from tests.negatives.test_contract import NAMES, random_batch, seeded

SHAPES = [(4, 3, 24, 16), (3, 2, 3, 16, 24)]  # images, clips


def channels_last(x: Tensor) -> Tensor:
    """The same values in the other layout; of clips, each frame's."""
    return x.movedim(-3, -1).contiguous().movedim(-1, -3)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
@pytest.mark.parametrize("name", NAMES)
def test_every_negative_keeps_the_layout_and_the_values(
    name: str, dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    x, negative = random_batch(shape, dtype), negative_from_name(name)
    params, other = negative.draw(x, seeded(1)), channels_last(x)
    assert {k: v.tolist() for k, v in negative.draw(other, seeded(1)).items()} == {
        k: v.tolist() for k, v in params.items()
    }
    for apply in (negative.replay, negative.null):
        result = apply(other, params)
        assert result.stride() == other.stride()
        assert torch.equal(result, apply(x, params))
        assert apply(x, params).is_contiguous()
    assert torch.equal(negative.mask(other, params), negative.mask(x, params))


@pytest.mark.parametrize("negative", [Cutout(), Texture(), Jigsaw(8, seam="poisson")])
def test_sums_over_large_images_come_out_alike_too(negative: Negative) -> None:
    x = torch.randn(4, 3, 96, 64, generator=seeded(0)).clamp(-1, 1)
    params = negative.draw(x, seeded(1))
    assert torch.equal(negative.replay(channels_last(x), params), negative.replay(x, params))


@pytest.mark.parametrize("bound", [-0.5, 0.5])
def test_a_mark_goes_the_same_way_in_both_layouts(bound: float) -> None:
    """Also where the mean under it hangs on the last bit at the bound at which a mark turns."""
    half = torch.rand(64, 3, 40, 20, generator=seeded(0)) * 0.5
    x = bound + torch.cat([half, -half], dim=-1)
    amount, light = torch.ones(64, 1, 40, 40), torch.tensor([-0.5, 0.5]).repeat(32)
    assert torch.equal(relit(channels_last(x), amount, light, x), relit(x, amount, light, x))


@pytest.mark.parametrize("shape", SHAPES)
def test_samples_and_pixels_are_picked_alike(shape: tuple[int, ...]) -> None:
    x = random_batch(shape, torch.float32)
    index = torch.tensor([2, 0, 0, 1])
    place = torch.randint(x.shape[-2:].numel(), (len(x), *x.shape[-2:]), generator=seeded(0))
    found = x.flatten(-2).gather(
        -1, place.flatten(1).view(len(x), *[1] * (x.dim() - 3), -1).expand_as(x.flatten(-2))
    )
    for given in (x, channels_last(x)):
        assert torch.equal(samples(given, index), x[index])
        assert torch.equal(pixels_at(given, place), found.view_as(x))
        assert is_channels_last(samples(given, index)) == is_channels_last(given)
        assert is_channels_last(pixels_at(given, place)) == is_channels_last(given)
        assert in_layout_of(given, x).stride() == given.stride()


@pytest.mark.parametrize(("shape", "expected"), [((2, 1, 8, 8), False), ((2, 3, 1, 1), False)])
def test_what_both_layouts_share_counts_as_contiguous(
    shape: tuple[int, ...], *, expected: bool
) -> None:
    assert is_channels_last(channels_last(torch.zeros(shape))) == expected


@pytest.mark.parametrize("name", ["jigsaw", "stitch", "cutmix", "mixup", "random_crop"])
def test_a_part_of_a_channels_last_batch_and_a_turned_one_are_taken(name: str) -> None:
    negative = negative_from_name(name)
    x = channels_last(random_batch((6, 4, 16, 16), torch.float32))
    for given in (x[1:5], x[::2], x[:, :3], x.mT):
        params = negative.draw(given, seeded(0))
        assert torch.equal(
            negative.replay(given, params), negative.replay(given.contiguous(), params)
        )
