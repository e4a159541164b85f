from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage

from nda.data.corruptions import corrupt
from nda.data.corruptions.edges import canny_edges, distance_to
from nda.data.corruptions.levels import normal
from nda.data.corruptions.spatter import drops, equalised
from tests.support.corruption_images import (
    assert_cut,
    grey_images,
    pictures_of,
    seeded,
    smooth_images,
)

Plane = NDArray[np.float64]


def naive_canny(image: Plane, low: float, high: float) -> NDArray[np.bool_]:
    """Sobel, suppression along the slope's direction, and hysteresis, pixel by pixel."""
    padded = np.pad(image, 1, mode="edge")
    H, W = image.shape
    dx, dy = np.zeros((H, W)), np.zeros((H, W))
    for y in range(H):
        for x in range(W):
            around = padded[y : y + 3, x : x + 3]
            dx[y, x] = (around[:, 2] - around[:, 0]) @ [1, 2, 1]
            dy[y, x] = (around[2] - around[0]) @ [1, 2, 1]
    strength = np.pad(np.abs(dx) + np.abs(dy), 1)
    kept = np.zeros((H, W), dtype=bool)
    for y in range(H):
        for x in range(W):
            middle = strength[y + 1, x + 1]
            angle = math.degrees(math.atan2(abs(dy[y, x]), abs(dx[y, x])))
            if angle < 22.5:
                before, after, strict = strength[y + 1, x], strength[y + 1, x + 2], False
            elif angle > 67.5:
                before, after, strict = strength[y, x + 1], strength[y + 2, x + 1], False
            else:
                side = 1 if dx[y, x] * dy[y, x] >= 0 else -1
                before, after = strength[y, x + 1 - side], strength[y + 2, x + 1 + side]
                strict = True
            highest = middle > before and (middle > after or (middle == after and not strict))
            kept[y, x] = middle > low and highest
    regions, _ = ndimage.label(kept, np.ones((3, 3)))
    strong = np.unique(regions[kept & (strength[1:-1, 1:-1] > high)])
    return np.isin(regions, strong[strong > 0])


def drop_layers(count: int, seed: int = 0) -> torch.Tensor:
    """Drops as the corruption draws them, uint8 `(count, 1, 24, 20)`."""
    noise = ndimage.gaussian_filter(normal((count, 24, 20), seeded(seed)).numpy(), (0, 1, 1))
    noise = 0.65 + 0.3 * noise
    layers = np.where(noise < 0.69, 0, noise)
    return torch.from_numpy(np.uint8(np.clip(layers, 0, 1) * 255))[:, None]


def test_edges_are_canny_s() -> None:
    layers = drop_layers(12)
    # Noise too, for slopes in all directions; its ties are broken by chance.
    noise = torch.randint(256, (6, 1, 24, 20), generator=seeded(1), dtype=torch.uint8)
    for image in torch.cat([layers, noise]):
        wanted = naive_canny(image[0].double().numpy(), 50, 150)
        assert (canny_edges(image[None], 50, 150)[0, 0].numpy() == wanted).all()
        assert wanted.any()


def test_weak_edges_count_where_they_touch_strong_ones() -> None:
    ramp = torch.zeros(1, 1, 9, 16, dtype=torch.uint8)
    ramp[..., 8:] = torch.arange(20, 65, 5, dtype=torch.uint8)[:, None]  # ever stronger downwards
    edges = canny_edges(ramp, 50, 150)
    assert edges[0, 0, 1:].any(1).all()
    assert not canny_edges(ramp[:, :, :4], 50, 150).any()


def test_distance_is_the_shortest_walk_of_steps_and_knights_moves() -> None:
    marked = torch.rand(6, 1, 15, 22, generator=seeded()) < 0.01
    marked[:, 0, 7, 3] = True
    found = distance_to(marked)[:, 0].numpy()
    for image, distances in zip(marked[:, 0].numpy(), found, strict=True):
        targets = np.argwhere(image)
        for y in range(15):
            for x in range(22):
                lengths = []
                for row, column in targets:
                    short, long = sorted((abs(y - row), abs(x - column)))
                    if 2 * short <= long:
                        lengths.append(2.1969 * short + (long - 2 * short))
                    else:
                        lengths.append(2.1969 * (long - short) + 1.4 * (2 * short - long))
                assert distances[y, x] == pytest.approx(min(lengths), abs=1e-4)


def test_distance_without_a_mark_is_infinite() -> None:
    assert distance_to(torch.zeros(1, 1, 5, 5, dtype=torch.bool)).isinf().all()


def test_equalising_gives_each_level_its_share_of_brighter_pixels() -> None:
    levels = torch.randint(3, 12, (4, 1, 9, 7), generator=seeded(), dtype=torch.uint8)
    for before, after in zip(levels, equalised(levels), strict=True):
        flat = before.flatten().tolist()
        darkest = flat.count(min(flat))
        for old, new in zip(flat, after.flatten().tolist(), strict=True):
            share = (sum(level <= old for level in flat) - darkest) / (len(flat) - darkest)
            assert abs(new - 255 * share) <= 0.5 + 1e-4
    even = torch.full((1, 1, 4, 4), 9, dtype=torch.uint8)
    assert torch.equal(equalised(even), even)


def test_water_throws_light_only_where_it_lies() -> None:
    layers = drop_layers(20)
    light = drops(layers)
    assert ((light > 0) <= (layers > 0)).all()
    assert light.amax((1, 2, 3)).tolist() == pytest.approx([1.0] * 20)
    assert not drops(torch.zeros(2, 1, 16, 16, dtype=torch.uint8)).any()


@pytest.mark.parametrize(("severity", "strength"), [(1, 0.5), (2, 0.5), (3, 0.5)])
def test_water_adds_turquoise(severity: int, strength: float) -> None:
    dark = grey_images(10, 32)
    added = corrupt(dark, "spatter", severity, generator=seeded()).double() - 10
    assert added.min() >= 0
    wet = added.amax(1) > 20
    colours = added.permute(0, 2, 3, 1)[wet]
    ratio = colours / colours[:, 2:]
    assert (ratio[:, 0] - 175 / 238).abs().max() < 0.06
    assert (ratio[:, 1] - 1).abs().max() < 1e-9
    assert added[:, 2].amax((1, 2)).tolist() == pytest.approx([238 * strength] * 32, abs=1)


@pytest.mark.parametrize(
    ("severity", "sigma", "threshold", "edge"), [(4, 0.7, 0.69, 0.6), (5, 0.5, 0.68, 0.6)]
)
def test_mud_covers_where_the_smoothed_specks_are_nearly_whole(
    severity: int, sigma: float, threshold: float, edge: float
) -> None:
    images = smooth_images(4)
    wanted = []
    noise = 0.65 + 0.1 * normal((4, 1, 32, 32), seeded(6))[:, 0].numpy()
    for picture, layer in zip(pictures_of(images), noise, strict=True):
        specks = ndimage.gaussian_filter(layer, sigma, mode="nearest") > threshold
        cover = ndimage.gaussian_filter(specks.astype(float), edge, mode="nearest")
        cover = np.where(cover < 0.8, 0, cover)[..., None]
        wanted.append(picture * (1 - cover) + cover * np.array([63, 42, 20]) / 255)
    assert_cut(corrupt(images, "spatter", severity, generator=seeded(6)), np.stack(wanted))
