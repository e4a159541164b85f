"""MoCo's views: their range, their draws, and the blur against torchvision's."""

from __future__ import annotations

import pytest
import torch
import torchvision.transforms.v2.functional as TF

from nda.data.augment.views import SIGMA, Views, blurred, gaussian_kernels


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 6, side: int = 20) -> torch.Tensor:
    return torch.randint(256, (count, 3, side, side), generator=draws(9), dtype=torch.uint8)


def test_views_are_in_range_and_follow_from_the_generator() -> None:
    views = Views()
    one, same, other = (views(images(), generator=draws(seed)) for seed in (1, 1, 2))
    assert one.shape == (6, 3, 20, 20)
    assert one.dtype == torch.float32
    assert -1 <= float(one.min()) < float(one.max()) <= 1
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_images_are_left_as_they_were() -> None:
    x = images()
    before = x.clone()
    Views()(x, generator=draws())
    assert torch.equal(x, before)


def test_without_colour_changes_a_view_is_a_crop() -> None:
    flat = torch.full((5, 3, 16, 16), 51, dtype=torch.uint8)  # 0.2
    views = Views(jitter_probability=0, grey=0)
    torch.testing.assert_close(views(flat, generator=draws()), torch.full((5, 3, 16, 16), -0.6))


@pytest.mark.parametrize("side", [20, 96])
def test_the_blur_is_torchvisions_image_by_image(side: int) -> None:
    x = torch.rand(5, 3, side, side, generator=draws(1))
    found = blurred(x, 0.6, draws(4))
    same = torch.rand(2, 5, generator=draws(4))
    sigma = SIGMA[0] + (SIGMA[1] - SIGMA[0]) * same[0]
    taps = 2 * max(1, round(side / 20)) + 1
    for index, image in enumerate(x):
        expected = image
        if same[1, index] < 0.6:
            expected = TF.gaussian_blur(image, [taps, taps], [float(sigma[index])] * 2)
        torch.testing.assert_close(found[index], expected, atol=1e-5, rtol=1e-4)


def test_kernels_are_normalised_and_symmetric() -> None:
    kernels = gaussian_kernels(torch.tensor([0.1, 1.0, 2.0]), 3)
    torch.testing.assert_close(kernels.sum(dim=1), torch.ones(3))
    torch.testing.assert_close(kernels, kernels.flip(1))
    assert kernels[0, 3] > 0.999
