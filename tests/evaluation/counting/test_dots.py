from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from nda.data import draw_dots
from nda.errors import ShapeError
from nda.evaluation.counting.dots import count_dots, dot_diversity, find_blobs


def painted(*discs: tuple[int, int, tuple[int, int, int]], size: int = 32) -> Tensor:
    """One image with a 5 x 5 square of a colour around each (x, y)."""
    image = torch.zeros(1, 3, size, size, dtype=torch.uint8)
    for x, y, colour in discs:
        image[0, :, y - 2 : y + 3, x - 2 : x + 3] = torch.tensor(colour, dtype=torch.uint8)[
            :, None, None
        ]
    return image


RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.mark.parametrize(("size", "most"), [(24, 5), (32, 7), (64, 9)])
def test_real_dots_are_counted_exactly(size: int, most: int) -> None:
    rng = torch.Generator().manual_seed(size)
    counts = torch.randint(0, most + 1, (3000,), generator=rng)
    counted = count_dots(draw_dots(counts, size, generator=rng))
    assert counted.dtype == torch.int64
    assert (counted == counts).double().mean() >= 0.999


@pytest.mark.slow
@pytest.mark.parametrize("count", [4, 5, 6, 7])
def test_ten_thousand_real_images_are_counted_exactly(count: int) -> None:
    rng = torch.Generator().manual_seed(count)
    images = draw_dots(torch.full((10_000,), count), 64, generator=rng)
    assert (count_dots(images) == count).double().mean() >= 0.999


def test_dots_of_neighbouring_images_are_not_joined() -> None:
    image = painted((8, 8, RED), (20, 20, GREEN))
    assert count_dots(image.repeat(5, 1, 1, 1)).tolist() == [2] * 5


def test_many_images_keep_their_own_counts() -> None:
    images = torch.cat([painted((8, 8, RED)), painted(), painted((8, 8, RED), (20, 8, BLUE))])
    assert count_dots(images.repeat(1000, 1, 1, 1)).tolist() == [1, 0, 2] * 1000


@pytest.mark.parametrize(
    ("image", "count"),
    [
        (painted((8, 8, RED), (12, 8, GREEN)), 1),  # merged
        (painted((8, 8, RED), (13, 13, GREEN)), 1),  # touching at a corner
        (painted((8, 8, RED), (14, 8, GREEN)), 2),  # a dark column between
        (painted((8, 8, (127, 127, 127))), 0),  # faint
        (painted((8, 8, (128, 0, 0))), 1),
        (painted((8, 8, RED), size=96), 0),  # a speck: 25 of 9,216 pixels
    ],
)
def test_merged_faint_and_tiny_blobs(image: Tensor, count: int) -> None:
    assert count_dots(image).tolist() == [count]


def test_no_images_have_no_counts() -> None:
    assert count_dots(torch.zeros(0, 3, 8, 8, dtype=torch.uint8)).shape == (0,)


@pytest.mark.parametrize("images", [torch.zeros(1, 3, 8, 8), torch.zeros(3, 8, 8).byte()])
def test_other_tensors_are_refused(images: Tensor) -> None:
    with pytest.raises(ShapeError, match=r"find blobs in must be uint8 of shape \(N, 3, H, W\)"):
        count_dots(images)


def test_blobs_have_their_image_colour_and_centre() -> None:
    blobs = find_blobs(torch.cat([painted(), painted((8, 20, (255, 51, 0)))]))
    assert blobs.image.tolist() == [1]
    assert blobs.colour[0].tolist() == pytest.approx([1.0, 0.2, 0.0])
    assert blobs.centre[0].tolist() == pytest.approx([8.5 / 32, 20.5 / 32])


def test_diversity_of_three_hues_in_two_cells() -> None:
    image = painted((4, 4, RED), (20, 4, GREEN), (20, 28, BLUE), (28, 28, BLUE))
    diversity = dot_diversity(image)
    assert diversity.hue_entropy == pytest.approx(1.5)  # shares 1/4, 1/4, 1/2
    assert diversity.position_entropy == pytest.approx(2.0)  # four cells
    assert diversity.saturation == pytest.approx(1.0)
    assert diversity.brightness == pytest.approx(1.0)


def test_one_colour_in_one_place_has_no_diversity() -> None:
    diversity = dot_diversity(painted((4, 4, (255, 204, 204))).repeat(9, 1, 1, 1))
    assert diversity.hue_entropy == 0.0
    assert diversity.position_entropy == 0.0
    assert diversity.saturation == pytest.approx(0.2)


def test_no_dots_have_no_diversity_and_no_nan() -> None:
    diversity = dot_diversity(painted())
    assert (diversity.hue_entropy, diversity.saturation) == (0.0, 0.0)
    assert (diversity.brightness, diversity.position_entropy) == (0.0, 0.0)


def test_real_dots_are_nearly_as_diverse_as_can_be() -> None:
    images = draw_dots(torch.full((2000,), 6), 32, generator=torch.Generator().manual_seed(0))
    diversity = dot_diversity(images)
    assert math.log2(12) - 0.01 < diversity.hue_entropy <= math.log2(12)
    assert 3.9 < diversity.position_entropy <= 4.0
    assert diversity.saturation == pytest.approx(0.75, abs=0.01)
