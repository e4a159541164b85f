"""The distance of negatives to the data."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nda.errors import ShapeError
from nda.evaluation.spread import describe, distances_to_data, energy_distance
from nda.negatives import negative_from_name


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def lopsided(count: int = 300) -> Tensor:
    """Images that are dark above and bright below, each of its own colour."""
    ramp = torch.linspace(20, 200, 16).view(1, 1, 16, 1)
    colour = torch.rand(count, 3, 1, 1, generator=draws(1)) * 40
    noise = torch.rand(count, 3, 16, 16, generator=draws(2)) * 10
    return (ramp + colour + noise).clamp(0, 255).to(torch.uint8)


def test_energy_distance_is_that_of_the_loop() -> None:
    x, y = torch.randn(5, 3, generator=draws()), torch.randn(7, 3, generator=draws(1)) + 1

    def mean(pairs: list[tuple[Tensor, Tensor]]) -> float:
        return sum(float((a - b).square().sum().sqrt()) for a, b in pairs) / len(pairs)

    across = mean([(a, b) for a in x for b in y])
    within = [
        mean([(z[i], z[j]) for i in range(len(z)) for j in range(len(z)) if i != j]) for z in (x, y)
    ]
    assert float(energy_distance(x, y)) == pytest.approx(2 * across - sum(within), rel=1e-4)


def test_a_description_has_colour_and_detail_of_sixteen_places() -> None:
    images = torch.randint(256, (2, 3, 8, 8), generator=draws(), dtype=torch.uint8)
    found = describe(images)
    assert found.shape == (2, 96)
    corner = images[1, 2, :2, :2].float().mean() / 127.5 - 1
    assert float(found[1, 2 * 16]) == pytest.approx(float(corner), abs=1e-5)


def test_what_breaks_the_data_lies_farther_than_what_does_not() -> None:
    images = lopsided()
    made = {
        name: negative_from_name(name)(images, generator=draws(3))
        for name in ("horizontal_flip", "jigsaw", "gaussian_noise:std=0.5")
    }
    found = distances_to_data(images, made, generator=draws(4))
    flip, jigsaw = found["horizontal_flip"], found["jigsaw"]
    assert flip.value <= 3 * flip.floor  # each image is as likely as its mirror image
    assert jigsaw.value > 10 * jigsaw.floor
    assert found["gaussian_noise:std=0.5"].value > 10 * flip.floor


def test_sets_that_do_not_match_are_refused() -> None:
    images = lopsided(8)
    with pytest.raises(ShapeError, match="at least 4 images and a negative of each"):
        distances_to_data(images, {"half": images[:4]}, generator=draws())
    with pytest.raises(ShapeError, match="at least 4 images"):
        distances_to_data(images[:3], {"few": images[:3]}, generator=draws())
