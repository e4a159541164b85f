"""Colours changed in a batch against torchvision, image by image."""

from __future__ import annotations

import pytest
import torch
import torchvision.transforms.v2.functional as TF

from nda.data.augment.colour_jitter import draw_jitter, grey_of, jittered, shift_hue
from nda.errors import ShapeError

ADJUST = (TF.adjust_brightness, TF.adjust_contrast, TF.adjust_saturation, TF.adjust_hue)


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("seed", range(6))
def test_every_image_is_changed_as_torchvision_changes_it(seed: int) -> None:
    x = torch.rand(40, 3, 7, 9, generator=draws(seed))
    jitter = draw_jitter(40, probability=0.7, grey=0.3, generator=draws(seed + 100))
    found = jittered(x, jitter)
    assert len(jitter.applied.unique()) == len(jitter.grey.unique()) == 2
    for index, image in enumerate(x):
        expected = image
        if jitter.applied[index]:
            for operation in jitter.order:
                expected = ADJUST[operation](expected, float(jitter.strength[operation, index]))
        if jitter.grey[index]:
            expected = TF.rgb_to_grayscale(expected, 3)
        torch.testing.assert_close(found[index], expected, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("turns", [-0.5, -0.2, 0.0, 0.1, 0.5])
def test_the_hue_of_grey_and_pure_colours_is_shifted_as_torchvision_does(turns: float) -> None:
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 0.5, 1.0])] * 3)  # 27 colours
    x = corners.T.reshape(1, 3, 3, 9)
    found = shift_hue(x, torch.full((1, 1, 1, 1), turns))
    torch.testing.assert_close(found, TF.adjust_hue(x, turns), atol=1e-5, rtol=1e-5)


def test_strengths_lie_in_their_ranges_and_shares_are_kept() -> None:
    jitter = draw_jitter(4000, strength=(0.4, 0.3, 0.2, 0.1), generator=draws())
    for row, (low, high) in zip(
        jitter.strength, [(0.6, 1.4), (0.7, 1.3), (0.8, 1.2), (-0.1, 0.1)], strict=True
    ):
        assert low <= float(row.min()) < low + 0.01
        assert high - 0.01 < float(row.max()) <= high
    assert 0.77 < jitter.applied.float().mean() < 0.83
    assert 0.17 < jitter.grey.float().mean() < 0.23


def test_every_order_comes_up() -> None:
    orders = {tuple(draw_jitter(1, generator=draws(seed)).order) for seed in range(400)}
    assert len(orders) == 24


def test_grey_is_torchvisions() -> None:
    x = torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(grey_of(x), TF.rgb_to_grayscale(x), atol=1e-6, rtol=1e-5)


def test_other_tensors_are_refused() -> None:
    jitter = draw_jitter(2, generator=draws())
    with pytest.raises(ShapeError, match=r"\(B, 3, H, W\); got torch.float32 of shape \(2, 1"):
        jittered(torch.rand(2, 1, 4, 4), jitter)
