from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage

from nda.data.corruptions import SEVERITIES, corrupt
from nda.data.corruptions.blur import motion_blurred, zoom_matrix
from tests.support.corruption_images import assert_cut, noisy_images, pictures_of, seeded

Picture = NDArray[np.float64]  # (H, W, 3) in [0, 1]


def naive_filter(picture: Picture, kernel: NDArray[np.float64], border: str) -> Picture:
    """Every pixel's weighted sum over the window around it, one after another."""
    reach = len(kernel) // 2
    padded = np.pad(picture, ((reach, reach), (reach, reach), (0, 0)), mode=border)  # type: ignore[call-overload]
    out = np.zeros_like(picture)
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            window = padded[y : y + len(kernel), x : x + len(kernel)]
            out[y, x] = (window * kernel[..., None]).sum((0, 1))
    return out


def gaussian_kernel(sigma: float, reach: int) -> NDArray[np.float64]:
    line = np.exp(-(np.arange(-reach, reach + 1.0) ** 2) / (2 * sigma**2))
    return np.outer(line, line) / line.sum() ** 2


@pytest.mark.parametrize(
    ("severity", "sigma"), list(zip(SEVERITIES, (0.4, 0.6, 0.7, 0.8, 1.0), strict=True))
)
def test_gaussian_blur_is_a_weighted_sum_around_each_pixel(severity: int, sigma: float) -> None:
    images = noisy_images(2, 11, 14)
    kernel = gaussian_kernel(sigma, int(4 * sigma + 0.5))
    wanted = [naive_filter(picture, kernel, "edge") for picture in pictures_of(images)]
    assert_cut(corrupt(images, "gaussian_blur", severity, generator=seeded()), np.stack(wanted))


@pytest.mark.parametrize(
    ("severity", "radius", "softness"),
    [(1, 0.3, 0.4), (2, 0.4, 0.5), (3, 0.5, 0.6), (4, 1, 0.2), (5, 1.5, 0.1)],
)
def test_defocus_blur_is_the_mean_over_a_softened_disc(
    severity: int, radius: float, softness: float
) -> None:
    images = noisy_images(2, 11, 14)
    disc = np.zeros((17, 17))
    for y in range(-8, 9):
        for x in range(-8, 9):
            disc[8 + y, 8 + x] = math.hypot(x, y) <= radius
    kernel = ndimage.convolve(disc / disc.sum(), gaussian_kernel(softness, 1), mode="constant")
    wanted = [
        naive_filter(picture, kernel[4:13, 4:13], "reflect") for picture in pictures_of(images)
    ]
    assert_cut(corrupt(images, "defocus_blur", severity, generator=seeded()), np.stack(wanted))


@pytest.mark.parametrize(
    ("severity", "sigma", "rounds"),
    [(1, 0.05, 1), (2, 0.25, 1), (3, 0.4, 1), (4, 0.25, 2), (5, 0.4, 2)],
)
def test_glass_blur_is_the_originals_loop(severity: int, sigma: float, rounds: int) -> None:
    images = noisy_images(3, 12, 10)
    draws, wanted = seeded(4), []
    steps = [torch.randint(2, (2, 3, 1, 10, 8), generator=draws) for _ in range(rounds)]

    def filtered(picture: Picture) -> Picture:
        return ndimage.gaussian_filter(picture, (sigma, sigma, 0), mode="nearest")

    for index, picture in enumerate(pictures_of(images)):
        x = (filtered(picture) * 255).astype(np.uint8)
        for step in steps:
            for h in range(11, 1, -1):
                for w in range(9, 1, -1):
                    up, left = (int(part[index, 0, h - 2, w - 2]) for part in step)
                    # The original's line. On views it copies instead of swapping.
                    x[h, w], x[h - up, w - left] = x[h - up, w - left], x[h, w]
        wanted.append(filtered(x / 255.0))
    assert_cut(corrupt(images, "glass_blur", severity, generator=seeded(4)), np.stack(wanted), 1e-9)


def naive_motion(picture: Picture, radius: int, sigma: float, degrees: float) -> Picture:
    taps = np.arange(2 * radius + 1)
    weights = np.exp(-(taps**2) / (2 * sigma**2))
    weights /= weights.sum()
    H, W, _ = picture.shape
    out = np.zeros_like(picture)
    for y in range(H):
        for x in range(W):
            for tap, weight in zip(taps, weights, strict=True):
                row = y + math.ceil(tap * math.sin(math.radians(degrees)) - 0.5)
                column = x + math.ceil(tap * math.cos(math.radians(degrees)) - 0.5)
                out[y, x] += weight * picture[min(max(row, 0), H - 1), min(max(column, 0), W - 1)]
    return out


@pytest.mark.parametrize(("radius", "sigma"), [(6, 1.0), (9, 2.5), (14, 12.0)])
def test_motion_blur_is_a_one_sided_sum_along_each_images_own_direction(
    radius: int, sigma: float
) -> None:
    images = noisy_images(5, 12, 15)
    angles = (-135.0, -45.0, -10.0, 0.0, 37.0)
    wanted = [
        naive_motion(picture, radius, sigma, angle)
        for picture, angle in zip(pictures_of(images), angles, strict=True)
    ]
    blurred = motion_blurred(images, radius, sigma, torch.tensor(angles))
    assert_cut(blurred, np.stack(wanted), slack=0.01)


@pytest.mark.parametrize(
    ("severity", "radius", "sigma"), [(1, 6, 1), (2, 6, 1.5), (3, 6, 2), (4, 8, 2), (5, 9, 2.5)]
)
def test_motion_blur_draws_angles_within_45_degrees_of_the_level(
    severity: int, radius: int, sigma: float
) -> None:
    images = torch.zeros(400, 3, 16, 16, dtype=torch.uint8)
    images[:, :, 8, 8] = 255  # smears to its left, from where the kernel reaches it
    blurred = corrupt(images, "motion_blur", severity, generator=seeded())[:, 0].double()
    rows, columns = torch.meshgrid(torch.arange(16) - 8, 8 - torch.arange(16), indexing="ij")
    assert not blurred[:, (rows.abs() > columns + 1) | (columns < 0)].any()
    above, below = float(blurred[:, :8].sum()), float(blurred[:, 9:].sum())
    assert above == pytest.approx(below, rel=0.15)
    assert above > 0.05 * float(blurred.sum())
    weights = np.exp(-(np.arange(2 * radius + 1) ** 2) / (2 * sigma**2))
    peak = float(blurred[:, 8, 8].mean()) / 255
    assert peak == pytest.approx(weights[0] / weights.sum(), abs=0.005)


def naive_zoom(line: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """The middle of a line stretched by linear interpolation, and the middle of that."""
    side = len(line)
    kept = math.ceil(side / factor)
    middle = line[(side - kept) // 2 :][:kept]
    length = round(kept * factor)
    places = [index * (kept - 1) / (length - 1) for index in range(length)]
    stretched = np.interp(places, range(kept), middle)
    return stretched[(length - side) // 2 :][:side]


@pytest.mark.parametrize("side", [16, 32, 45])
@pytest.mark.parametrize("factor", [1.0, 1.01, 1.13, 1.25, 2.25])
def test_zoom_matrix_stretches_the_middle(side: int, factor: float) -> None:
    line = np.random.default_rng(side).random(side)
    zoomed = zoom_matrix(side, factor).numpy() @ line
    np.testing.assert_allclose(zoomed, naive_zoom(line, factor), atol=1e-12)


@pytest.mark.parametrize(
    ("severity", "end"), list(zip(SEVERITIES, (1.06, 1.11, 1.16, 1.21, 1.26), strict=True))
)
def test_zoom_blur_is_the_mean_of_the_image_and_its_zooms(severity: int, end: float) -> None:
    images = noisy_images(2, 32, 24)
    wanted = []
    factors = np.arange(1, end, 0.01)  # as in the original, where rounding decides on the end
    for picture in pictures_of(images):
        total = picture.copy()
        for factor in factors:
            tall = np.apply_along_axis(naive_zoom, 0, picture, factor)
            total += np.apply_along_axis(naive_zoom, 1, tall, factor)
        wanted.append(total / (len(factors) + 1))
    assert_cut(corrupt(images, "zoom_blur", severity, generator=seeded()), np.stack(wanted))
