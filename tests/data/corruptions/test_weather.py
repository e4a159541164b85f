from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage

from nda.data.corruptions import SEVERITIES, corrupt
from nda.data.corruptions.blur import motion_blurred
from nda.data.corruptions.frost import DARK, KINDS, STEEL, TEAL, WHITE, draw_frost
from nda.data.corruptions.levels import normal, to_levels, to_unit, uniform
from nda.data.corruptions.weather import clouds
from tests.support.corruption_images import (
    assert_cut,
    distance,
    grey_images,
    noisy_images,
    pictures_of,
    seeded,
    smooth_images,
)

FOG = [(1, 0.2, 3), (2, 0.5, 3), (3, 0.75, 2.5), (4, 1, 2), (5, 1.5, 1.75)]


def naive_clouds(side: int, smoothness: float, seed: int) -> NDArray[np.float64]:
    """Diamond and square on a torus, one point after another."""
    draws = seeded(seed)
    height, step, wobble = np.zeros((side, side)), side, 100.0

    def fill(points: tuple[int, int], around: list[tuple[int, int]]) -> None:
        count = side // step
        drawn = uniform(-(wobble**2), wobble**2, (1, count, count), draws)[0].numpy()
        for row in range(count):
            for column in range(count):
                y, x = points[0] + row * step, points[1] + column * step
                corners = [height[(y + dy) % side, (x + dx) % side] for dy, dx in around]
                height[y, x] = sum(corners) / 4 + drawn[row, column]

    while step >= 2:
        half = step // 2
        cross = [(-half, 0), (half, 0), (0, -half), (0, half)]
        fill((half, half), [(y, x) for y in (-half, half) for x in (-half, half)])
        fill((0, half), cross)
        fill((half, 0), cross)
        step, wobble = half, wobble / smoothness
    return (height - height.min()) / (height.max() - height.min())


@pytest.mark.parametrize("smoothness", [3, 1.75])
def test_clouds_are_made_by_diamond_and_square(smoothness: float) -> None:
    drawn = clouds(1, 16, 16, smoothness, seeded(2))
    np.testing.assert_allclose(drawn[0, 0].numpy(), naive_clouds(16, smoothness, 2), atol=1e-12)
    cut = clouds(1, 11, 16, smoothness, seeded(2))
    assert torch.equal(cut, drawn[:, :, :11])


@pytest.mark.parametrize(("severity", "density", "smoothness"), FOG)
def test_fog_adds_a_cloud_and_keeps_the_brightest_value(
    severity: int, density: float, smoothness: float
) -> None:
    images = noisy_images(3, 16, 16) // 2
    cloud = clouds(3, 16, 16, smoothness, seeded(1)).permute(0, 2, 3, 1).numpy()
    wanted = []
    for picture, layer in zip(pictures_of(images), cloud, strict=True):
        wanted.append((picture + density * layer) * picture.max() / (picture.max() + density))
    assert_cut(corrupt(images, "fog", severity, generator=seeded(1)), np.stack(wanted))


@pytest.mark.parametrize(
    ("severity", "constants"),
    [
        (1, (0.1, 0.2, 1, 0.6, 8, 3, 0.95)),
        (2, (0.1, 0.2, 1, 0.5, 10, 4, 0.9)),
        (3, (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9)),
        (4, (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85)),
        (5, (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8)),
    ],
)
def test_snow_whitens_and_lets_flakes_fall_twice(
    severity: int, constants: tuple[float, ...]
) -> None:
    mean, spread, zoom, threshold, radius, sigma, kept = constants
    images = smooth_images(3)
    draws, layers = seeded(3), []
    for noise in normal((3, 1, 32, 32), draws)[:, 0].numpy():
        crop = int(np.ceil(32 / zoom))
        start = (32 - crop) // 2
        part = (mean + spread * noise)[start : start + crop, start : start + crop]
        layer = ndimage.zoom(part, zoom, order=1)
        trim = (len(layer) - 32) // 2
        layer = layer[trim : trim + 32, trim : trim + 32]
        layer[layer < threshold] = 0
        layers.append(np.uint8(np.clip(layer, 0, 1) * 255))
    angles = uniform(-135, -45, (3,), draws)
    flakes = motion_blurred(torch.from_numpy(np.stack(layers))[:, None], radius, sigma, angles)
    wanted = []
    for picture, flake in zip(pictures_of(images), flakes[:, 0].numpy() / 255, strict=True):
        grey = picture @ [0.299, 0.587, 0.114]
        whitened = np.maximum(picture, grey[..., None] * 1.5 + 0.5)
        layer = (flake + np.rot90(flake, 2))[..., None]
        wanted.append(kept * picture + (1 - kept) * whitened + layer)
    assert_cut(corrupt(images, "snow", severity, generator=seeded(3)), np.stack(wanted))


def test_flakes_fall_steeply() -> None:
    black = grey_images(0, 64)
    layer = corrupt(black, "snow", 2, generator=seeded()).double().mean(1) - 0.1 * 0.5 * 255
    down = float((layer[:, 1:] - layer[:, :-1]).abs().mean())
    across = float((layer[:, :, 1:] - layer[:, :, :-1]).abs().mean())
    assert across > 1.3 * down


@pytest.mark.parametrize(
    ("severity", "kept", "added"),
    [(1, 1, 0.2), (2, 1, 0.3), (3, 0.9, 0.4), (4, 0.85, 0.4), (5, 0.75, 0.45)],
)
def test_frost_is_a_weighted_sum_cut_at_white(severity: int, kept: float, added: float) -> None:
    images = smooth_images(6)
    ice = draw_frost(6, 32, 32, seeded(5)).permute(0, 2, 3, 1).numpy() / 255
    wanted = kept * pictures_of(images) + added * ice
    assert_cut(corrupt(images, "frost", severity, generator=seeded(5)), wanted)


def test_frost_has_the_colours_and_spreads_it_says() -> None:
    ice = draw_frost(1000, 24, 24, seeded())
    means = ice.mean((2, 3))  # (N, 3)
    colours = torch.tensor([kind.colour for kind in (TEAL, WHITE, STEEL, DARK)]).double()
    # The four kinds differ in hue or by far more than their drift in level.
    nearest = (means[:, None] - colours).norm(dim=2).argmin(1)
    shares = nearest.bincount(minlength=4).double() / len(ice)
    assert shares.tolist() == pytest.approx([0.2, 0.4, 0.2, 0.2], abs=0.04)
    assert len(KINDS) == 5
    for index, kind in enumerate((TEAL, WHITE, STEEL, DARK)):
        chosen = ice[nearest == index]
        spread = (chosen - chosen.mean((2, 3), keepdim=True)).square().mean((0, 2, 3)).sqrt()
        wanted = [float(np.hypot(a, b)) for a, b in zip(kind.swing, kind.tint, strict=True)]
        assert spread.tolist() == pytest.approx(wanted, rel=0.06)
        assert chosen.mean((0, 2, 3)).tolist() == pytest.approx(list(kind.colour), abs=3)


def test_frost_is_a_texture_and_not_white_noise() -> None:
    ice = draw_frost(300, 32, 32, seeded(1)).mean(1)
    ice = ice - ice.mean((1, 2), keepdim=True)
    neighbours = float((ice[:, :, 1:] * ice[:, :, :-1]).mean() / ice.square().mean())
    assert 0.2 < neighbours < 0.9


def test_frost_of_any_size() -> None:
    assert draw_frost(2, 9, 40, seeded()).shape == (2, 3, 9, 40)


def test_weather_brightens_dark_images() -> None:
    dark = grey_images(20, 8)
    for name in ("snow", "frost"):
        for severity in SEVERITIES:
            changed = corrupt(dark, name, severity, generator=seeded())
            assert distance(changed, dark) > 5
            assert changed.double().mean() > 20


def test_levels_are_cut_as_numpy_cuts_them() -> None:
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_levels(to_unit(every)), every)
    values = torch.rand(1000, generator=seeded(), dtype=torch.float64) * 1.4 - 0.2
    assert (to_levels(values).numpy() == np.uint8(np.clip(values.numpy(), 0, 1) * 255)).all()
