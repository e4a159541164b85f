from __future__ import annotations

import colorsys
from io import BytesIO

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from nda.data.corruptions import SEVERITIES, corrupt
from nda.data.corruptions.levels import uniform
from tests.support.corruption_images import (
    assert_cut,
    noisy_images,
    pictures_of,
    seeded,
    smooth_images,
)

Colour = tuple[float, float, float]


def colour_wheel() -> torch.Tensor:
    """Noise with black, white, greys and pure colours among it, `(2, 3, 12, 12)`."""
    images = noisy_images(2, 12, 12)
    special = [(0, 0, 0), (255, 255, 255), (7, 7, 7), (128, 128, 128), (255, 0, 0), (0, 200, 200)]
    for column, colour in enumerate(special):
        images[:, :, 0, column] = torch.tensor(colour, dtype=torch.uint8)
    return images


def by_pixel(images: torch.Tensor, change: dict[str, float]) -> NDArray[np.float64]:
    """Through colorsys, one pixel after another; `change` scales saturation and adds to both."""
    pictures = pictures_of(images)
    out = np.zeros_like(pictures)
    for place in np.ndindex(pictures.shape[:3]):
        hue, saturation, value = colorsys.rgb_to_hsv(*pictures[place])
        saturation = min(max(saturation * change.get("times", 1) + change.get("plus", 0), 0), 1)
        value = min(value + change.get("lighter", 0), 1)
        out[place] = colorsys.hsv_to_rgb(hue, saturation, value)
    return out


@pytest.mark.parametrize(
    ("severity", "lighter"), list(zip(SEVERITIES, (0.05, 0.1, 0.15, 0.2, 0.3), strict=True))
)
def test_brightness_raises_the_value(severity: int, lighter: float) -> None:
    images = colour_wheel()
    wanted = by_pixel(images, {"lighter": lighter})
    assert_cut(corrupt(images, "brightness", severity, generator=seeded()), wanted)


@pytest.mark.parametrize(
    ("severity", "times", "plus"),
    [(1, 0.3, 0), (2, 0.1, 0), (3, 1.5, 0), (4, 2, 0.1), (5, 2.5, 0.2)],
)
def test_saturate_scales_the_saturation(severity: int, times: float, plus: float) -> None:
    images = colour_wheel()
    wanted = by_pixel(images, {"times": times, "plus": plus})
    assert_cut(corrupt(images, "saturate", severity, generator=seeded()), wanted)


@pytest.mark.parametrize(
    ("severity", "factor"), list(zip(SEVERITIES, (0.75, 0.5, 0.4, 0.3, 0.15), strict=True))
)
def test_contrast_draws_each_channel_to_its_mean(severity: int, factor: float) -> None:
    images = noisy_images(3, 9, 13)
    wanted = np.zeros((3, 9, 13, 3))
    for index, picture in enumerate(pictures_of(images)):
        for channel in range(3):
            mean = sum(picture[..., channel].flatten()) / (9 * 13)
            for y in range(9):
                for x in range(13):
                    value = picture[y, x, channel]
                    wanted[index, y, x, channel] = mean + factor * (value - mean)
    assert_cut(corrupt(images, "contrast", severity, generator=seeded()), wanted)


def covered(new: int, old: int) -> list[list[int]]:
    """For each of `new` pixels the `old` ones whose centres lie in it, or the nearest."""
    groups = []
    for index in range(new):
        # In units of 1 / (2 new) of an old pixel, so that everything is whole.
        centre, reach = (2 * index + 1) * old, max(old, new)
        offsets = [(2 * place + 1) * new - centre for place in range(old)]
        groups.append([place for place, off in enumerate(offsets) if -reach < off <= reach])
    return groups


def resized(picture: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    rows, columns = covered(height, picture.shape[0]), covered(width, picture.shape[1])
    out = np.zeros((height, width, 3))
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            out[y, x] = np.mean([picture[a, b] for a in row for b in column], axis=0)
    return out


@pytest.mark.parametrize(
    ("severity", "share"), list(zip(SEVERITIES, (0.95, 0.9, 0.85, 0.75, 0.65), strict=True))
)
@pytest.mark.parametrize(("height", "width"), [(32, 32), (20, 27)])
def test_pixelate_averages_blocks_and_repeats_them(
    severity: int, share: float, height: int, width: int
) -> None:
    images = noisy_images(2, height, width)
    pixelated = corrupt(images, "pixelate", severity, generator=seeded())
    wanted = []
    for picture in pictures_of(images):
        small = resized(picture, int(height * share), int(width * share))
        wanted.append(resized(small, height, width) * 255)
    # Pillow rounds after each of the two directions.
    off = np.abs(pixelated.permute(0, 2, 3, 1).numpy() - np.stack(wanted))
    assert off.max() <= 1.01


@pytest.mark.parametrize(
    ("severity", "quality"), list(zip(SEVERITIES, (80, 65, 58, 50, 40), strict=True))
)
def test_jpeg_is_pillows_at_the_quality_of_the_table(severity: int, quality: int) -> None:
    images = smooth_images(3, 32, 24)
    compressed = corrupt(images, "jpeg_compression", severity, generator=seeded())
    for before, after in zip(images, compressed, strict=True):
        file = BytesIO()
        Image.fromarray(before.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=quality)
        assert (np.asarray(Image.open(file)) == after.permute(1, 2, 0).numpy()).all()


def naive_elastic(
    picture: NDArray[np.float64],
    corners: NDArray[np.float64],
    shifts: NDArray[np.float64],
    strength: float,
    sigma: float,
) -> NDArray[np.float64]:
    H, W, _ = picture.shape
    arm = min(H, W) // 3
    points = np.array([W // 2, H // 2]) + arm * np.array([[1, 1], [1, -1], [-1, -1]])
    # The affine map that takes the moved corners back to where they came from.
    back = np.linalg.solve(np.column_stack([points + corners, np.ones(3)]), points.astype(float))
    right, down = (
        strength * ndimage.gaussian_filter(layer, sigma, mode="reflect", truncate=3)
        for layer in shifts
    )
    places, shifted = np.zeros((2, H, W)), np.zeros((2, H, W))
    for y in range(H):
        for x in range(W):
            places[::-1, y, x] = np.array([x, y, 1.0]) @ back
            shifted[:, y, x] = y + down[y, x], x + right[y, x]
    out = np.zeros_like(picture)
    for channel in range(3):
        # scipy's "mirror" is OpenCV's reflect-101.
        moved = ndimage.map_coordinates(picture[..., channel], places, order=1, mode="mirror")
        out[..., channel] = ndimage.map_coordinates(moved, shifted, order=1, mode="reflect")
    return out


@pytest.mark.parametrize(
    ("severity", "constants"),
    [
        (1, (0, 0, 0.08)),
        (2, (0.05, 0.2, 0.07)),
        (3, (0.08, 0.06, 0.06)),
        (4, (0.1, 0.04, 0.05)),
        (5, (0.1, 0.03, 0.03)),
    ],
)
@pytest.mark.parametrize(("height", "width"), [(32, 32), (40, 64)])
def test_elastic_transform_is_an_affine_map_and_then_shifts(
    severity: int, constants: tuple[float, float, float], height: int, width: int
) -> None:
    strength, sigma, reach = constants
    side = min(height, width)  # the constants are shares of it
    images = noisy_images(2, height, width)
    draws = seeded(8)
    corners = uniform(-side * reach, side * reach, (2, 3, 2), draws).numpy()
    shifts = uniform(-1, 1, (2, 2, height, width), draws).numpy()
    wanted = [
        naive_elastic(picture, corners[index], shifts[:, index], side * strength, side * sigma)
        for index, picture in enumerate(pictures_of(images))
    ]
    changed = corrupt(images, "elastic_transform", severity, generator=seeded(8))
    assert_cut(changed, np.stack(wanted))
