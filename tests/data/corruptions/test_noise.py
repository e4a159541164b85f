from __future__ import annotations

import pytest
import torch

from nda.data.corruptions import SEVERITIES, corrupt
from tests.support.corruption_images import grey_images, seeded, smooth_images

CUT = 0.5  # levels that a value loses on average, as it is cut and not rounded
ROUGHNESS = 1 / 12  # variance that the cut adds


def moments(name: str, severity: int, level: int) -> tuple[float, float]:
    """Mean and standard deviation, in levels, of an even grey of `level` under noise."""
    noisy = corrupt(grey_images(level), name, severity, generator=seeded(severity)).double()
    return float(noisy.mean()), float(noisy.std())


@pytest.mark.parametrize(
    ("severity", "constant"), list(zip(SEVERITIES, (0.04, 0.06, 0.08, 0.09, 0.10), strict=True))
)
def test_gaussian_noise_has_the_constant_as_spread_of_the_whole_range(
    severity: int, constant: float
) -> None:
    mean, spread = moments("gaussian_noise", severity, 128)
    assert mean == pytest.approx(128 - CUT, abs=0.3)
    assert spread == pytest.approx(((255 * constant) ** 2 + ROUGHNESS) ** 0.5, rel=0.01)


@pytest.mark.parametrize(
    ("severity", "photons"), list(zip(SEVERITIES, (500, 250, 100, 75, 50), strict=True))
)
@pytest.mark.parametrize("level", [60, 128])
def test_shot_noise_has_the_variance_of_counted_photons(
    severity: int, photons: float, level: int
) -> None:
    mean, spread = moments("shot_noise", severity, level)
    variance = 255**2 * (level / 255) / photons
    assert mean == pytest.approx(level - CUT, abs=0.3)
    # Counts lie half a level to five levels apart, so that the cut is not quite independent noise.
    assert spread == pytest.approx((variance + ROUGHNESS) ** 0.5, rel=0.02)


@pytest.mark.parametrize(
    ("severity", "constant"), list(zip(SEVERITIES, (0.06, 0.1, 0.12, 0.16, 0.2), strict=True))
)
@pytest.mark.parametrize("level", [60, 128])
def test_speckle_noise_has_the_constant_as_spread_of_the_value(
    severity: int, constant: float, level: int
) -> None:
    mean, spread = moments("speckle_noise", severity, level)
    assert mean == pytest.approx(level - CUT, abs=0.3)
    assert spread == pytest.approx(((level * constant) ** 2 + ROUGHNESS) ** 0.5, rel=0.01)


@pytest.mark.parametrize(
    ("severity", "share"), list(zip(SEVERITIES, (0.01, 0.02, 0.03, 0.05, 0.07), strict=True))
)
def test_impulse_noise_loses_the_share_of_values_half_to_black_half_to_white(
    severity: int, share: float
) -> None:
    noisy = corrupt(grey_images(128), "impulse_noise", severity, generator=seeded())
    for level, wanted in ((0, share / 2), (255, share / 2), (128, 1 - share)):
        assert (noisy == level).double().mean() == pytest.approx(wanted, abs=0.0012)
    # Values are lost one by one and not pixel by pixel.
    both = (noisy[:, :2] != 128).all(1).double().mean()
    assert both < share / 5


@pytest.mark.parametrize("name", ["gaussian_noise", "shot_noise", "speckle_noise"])
def test_noise_of_neighbours_channels_and_images_is_independent(name: str) -> None:
    noise = corrupt(grey_images(128), name, 5, generator=seeded()).double() - 127.5
    noise = noise / noise.std()
    pairs = {
        "images": (noise[:-1], noise[1:]),
        "channels": (noise[:, 0], noise[:, 1]),
        "rows": (noise[:, :, :-1], noise[:, :, 1:]),
        "columns": (noise[..., :-1], noise[..., 1:]),
    }
    for where, (one, other) in pairs.items():
        assert abs(float((one * other).mean())) < 0.015, where


def test_multiplied_noise_leaves_black_alone() -> None:
    black = grey_images(0, 4)
    for name in ("shot_noise", "speckle_noise"):
        assert torch.equal(corrupt(black, name, 5, generator=seeded()), black)


def test_noise_beyond_the_range_is_clipped_and_never_wraps() -> None:
    for level in (0, 255):
        noisy = corrupt(grey_images(level, 8), "gaussian_noise", 5, generator=seeded()).double()
        assert (noisy - level).abs().max() < 0.75 * 255
        assert (noisy == level).double().mean() > 0.4


def test_shot_noise_is_a_count_of_photons() -> None:
    noisy = corrupt(smooth_images(4), "shot_noise", 5, generator=seeded()).double()
    counts = (noisy + 0.999) * 50 / 255  # cut levels of whole counts, 5.1 levels apart
    assert ((counts - counts.floor()) < 0.2).all()
