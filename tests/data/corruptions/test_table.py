from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from nda.data.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from nda.errors import ConfigError, ShapeError
from tests.support.corruption_images import (
    distance,
    grey_images,
    lossless_cifar,
    noisy_images,
    seeded,
    smooth_images,
)

# What the names say of the severities, by the distance to the clean image: from each group of
# severities to the next it grows. Glass blur has one round of shuffling up to severity 3 and two
# after; motion blur has the same sigma at 3 and 4; spatter is water up to 3 and mud after; saturate
# washes out at 1 and 2 and overdraws after; frost is laid on an ever darker image; the elastic
# transform grows rougher and not larger.
GROWING = tuple((severity,) for severity in SEVERITIES)
ORDERS: dict[str, tuple[tuple[tuple[int, ...], ...], ...]] = {
    "glass_blur": (((1, 2, 3), (4, 5)),),
    "motion_blur": (((1,), (2,), (3, 4), (5,)),),
    "frost": (((1,), (2,), (3,)),),
    "spatter": (((1,), (2,), (3,)), ((4,), (5,))),
    "elastic_transform": (((5,), (4,), (3,), (2,), (1,)),),
    "saturate": (((1,), (2,)), ((3,), (4,), (5,))),
}
STEADY = {
    *("defocus_blur", "zoom_blur", "gaussian_blur", "brightness", "contrast"),
    *("pixelate", "jpeg_compression", "saturate"),
}  # without any chance

# Mean distance in levels between 500 CIFAR-10 test images and their corruptions at severities 1 to
# 5 by the published functions (make_cifar_c.py, run with scikit-image 0.26, OpenCV 5.0 and
# ImageMagick 6.9; frost with its photographs).
PUBLISHED = {
    "gaussian_noise": (7.98, 11.89, 15.72, 17.63, 19.49),
    "shot_noise": (5.93, 8.35, 13.08, 15.04, 18.29),
    "impulse_noise": (1.28, 2.54, 3.85, 6.38, 8.92),
    "speckle_noise": (5.70, 9.38, 11.17, 14.72, 18.22),
    "defocus_blur": (1.36, 3.26, 4.92, 6.41, 9.15),
    "glass_blur": (10.93, 11.12, 10.89, 17.82, 17.08),
    "motion_blur": (6.90, 10.21, 12.75, 12.77, 14.86),
    "zoom_blur": (8.63, 10.18, 12.17, 14.22, 16.21),
    "gaussian_blur": (1.32, 4.84, 6.19, 7.33, 9.33),
    "snow": (10.61, 23.50, 25.14, 36.86, 51.84),
    "frost": (30.11, 44.69, 48.66, 45.17, 43.62),
    "fog": (10.88, 21.25, 27.65, 32.08, 38.93),
    "brightness": (10.02, 20.27, 30.11, 39.45, 56.20),
    "spatter": (1.03, 2.73, 6.71, 3.20, 5.13),
    "contrast": (10.47, 20.94, 25.12, 29.31, 35.59),
    "elastic_transform": (21.55, 19.45, 17.73, 16.28, 13.51),
    "pixelate": (1.76, 3.33, 4.09, 6.15, 8.45),
    "jpeg_compression": (5.21, 6.46, 6.88, 7.33, 7.92),
    "saturate": (11.58, 14.95, 8.09, 20.09, 28.99),
}


def strengths(images: Tensor, name: str, seed: int = 0) -> dict[int, float]:
    """Distance to the clean images by severity, with the same seed for all."""
    return {
        severity: distance(corrupt(images, name, severity, generator=seeded(seed)), images)
        for severity in SEVERITIES
    }


def assert_ordered(found: dict[int, float], name: str) -> None:
    for groups in ORDERS.get(name, (GROWING,)):
        for weaker, stronger in pairwise(groups):
            assert max(found[s] for s in weaker) < min(found[s] for s in stronger), found


def test_the_names_are_those_of_the_published_files() -> None:
    assert set(CORRUPTIONS) == set(PUBLISHED)
    assert len(CORRUPTIONS) == 19
    assert SEVERITIES == (1, 2, 3, 4, 5)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_strength_grows_with_severity_on_smooth_images(name: str) -> None:
    found = strengths(smooth_images(100), name)
    assert_ordered(found, name)
    assert min(found.values()) > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_strength_on_cifar_is_that_of_the_published_functions(name: str) -> None:
    images = lossless_cifar()
    found = strengths(images, name)
    tolerance = 0.003 if name in STEADY else 0.06
    assert list(found.values()) == pytest.approx(PUBLISHED[name], rel=tolerance, abs=0.005)
    assert_ordered(found, name)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_generator_is_the_only_chance_and_every_image_has_its_own(name: str) -> None:
    one = smooth_images(1).repeat(3, 1, 1, 1)
    torch.manual_seed(0)
    first = corrupt(one, name, 3, generator=seeded(1))
    torch.manual_seed(1)
    again = corrupt(one, name, 3, generator=seeded(1))
    other = corrupt(one, name, 3, generator=seeded(2))
    assert torch.equal(first, again)
    assert torch.equal(first, other) == (name in STEADY | {"saturate"})
    assert torch.equal(first[0], first[1]) == (name in STEADY)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_images_of_other_sizes_and_layouts_keep_shape_and_are_not_modified(name: str) -> None:
    for height, width in ((8, 8), (24, 41), (64, 48)):
        images = noisy_images(2, height, width)
        before = images.clone()
        plain = corrupt(images, name, 5, generator=seeded())
        assert plain.shape == images.shape
        assert plain.dtype == torch.uint8
        assert plain.is_contiguous()
        assert not torch.equal(plain, images)
        assert torch.equal(images, before)
        # The same values, the channels last in memory.
        turned = images.to(memory_format=torch.channels_last)
        assert torch.equal(corrupt(turned, name, 5, generator=seeded()), plain)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_even_images_stay_finite(name: str) -> None:
    """Nothing is divided by an image's own range: black, grey and white come out as they should."""
    for level in (0, 128, 255):
        changed = corrupt(grey_images(level, 2), name, 5, generator=seeded()).double()
        if name.endswith("_blur") or name in {"contrast", "elastic_transform", "pixelate"}:
            assert (changed - level).abs().max() <= 1
        elif name == "fog":
            assert changed.max() <= level
        elif name in {"snow", "frost", "brightness"}:
            assert changed.mean() >= min(0.75 * level + 20, 250)


def test_more_images_than_a_chunk_are_all_corrupted_in_order() -> None:
    images = grey_images(0, 1203)
    images[:, 0, 0, 0] = torch.arange(1203).remainder(200).add(20).to(torch.uint8)
    changed = corrupt(images, "contrast", 1, generator=seeded())
    assert len(changed) == 1203
    expected = torch.arange(1203).remainder(200).add(20) * 0.75
    assert (changed[:, 0, 0, 0].double() - expected).abs().max() <= 1.1
    noisy = corrupt(images, "gaussian_noise", 1, generator=seeded())
    assert not torch.equal(noisy[:500], noisy[500:1000])


def test_no_images_are_no_images() -> None:
    images = torch.zeros(0, 3, 32, 32, dtype=torch.uint8)
    assert corrupt(images, "fog", 1, generator=seeded()).shape == images.shape


REFUSED: list[tuple[type[Exception], str, Callable[[], Tensor]]] = [
    (
        ConfigError,
        r"^There is no corruption 'jpg_compression'; did you mean 'jpeg_compression'\? known are: ",
        lambda: corrupt(smooth_images(1), "jpg_compression", 1, generator=seeded()),
    ),
    (
        ConfigError,
        r"^There is no corruption 'zzz'; known are: gaussian_noise, shot_noise, .* saturate\.$",
        lambda: corrupt(smooth_images(1), "zzz", 1, generator=seeded()),
    ),
    (
        ConfigError,
        r"^Severity 0 does not exist; give a whole number from 1 to 5\.$",
        lambda: corrupt(smooth_images(1), "fog", 0, generator=seeded()),
    ),
    (
        ShapeError,
        r"got torch\.float32 of shape \(1, 3, 32, 32\)\. .* those in .* with nda\.data\.to_uint8",
        lambda: corrupt(smooth_images(1).float(), "fog", 1, generator=seeded()),
    ),
    (
        ShapeError,
        r"got torch\.uint8 of shape \(1, 1, 32, 32\)\. .* repeat a grey channel",
        lambda: corrupt(smooth_images(1)[:, :1], "fog", 1, generator=seeded()),
    ),
    (
        ShapeError,
        r"sides of at least 8 pixels; got 32 x 7 \(height x width\)\. Enlarge",
        lambda: corrupt(smooth_images(1)[..., :7], "fog", 1, generator=seeded()),
    ),
]


@pytest.mark.parametrize(("kind", "said", "call"), REFUSED)
def test_mistakes_are_refused_in_a_sentence(
    kind: type[Exception], said: str, call: Callable[[], Tensor]
) -> None:
    with pytest.raises(kind, match=said):
        call()
