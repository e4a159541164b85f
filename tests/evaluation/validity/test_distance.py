"""The distance of negatives to the data, in units of the data's own spread."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nda.data.images.image_set import to_float
from nda.errors import ShapeError
from nda.evaluation.validity.distance import GRID, describe, distances_to_data, energy_distance


def images(seed: int, *, count: int = 120, side: int = 16) -> Tensor:
    """Noise around a colour of each image's own."""
    rng = torch.Generator().manual_seed(seed)
    colour = torch.randint(60, 180, (count, 3, 1, 1), generator=rng)
    noise = torch.randint(-30, 30, (count, 3, side, side), generator=rng)
    return (colour + noise).to(torch.uint8)


def distances(data: Tensor, **negatives: Tensor) -> dict[str, float]:
    found = distances_to_data(data, negatives, generator=torch.Generator().manual_seed(0))
    return {name: distance.value for name, distance in found.items()}


def test_the_data_lies_within_its_floor_and_others_lie_off() -> None:
    data = images(0)
    made = {"again": images(1), "brighter": data + 20, "brightest": data + 60, "flat": data // 8}
    found = distances_to_data(data, made, generator=torch.Generator().manual_seed(0))
    floor = found["again"].floor
    assert abs(found["again"].value) < max(3 * floor, 0.02)
    assert floor < found["brighter"].value < found["brightest"].value < found["flat"].value
    assert all(distance.floor == floor for distance in found.values())


def test_the_unit_is_the_spread_of_the_data() -> None:
    """Twice the contrast and twice the step aside is the same distance."""
    data = (images(0).int() // 4 + 40).to(torch.uint8)
    aside = (data.int() + 20).to(torch.uint8)
    one = distances(data, aside=aside)["aside"]
    twice = distances(2 * data, aside=2 * aside)["aside"]
    assert twice == pytest.approx(one, rel=1e-3)


def test_a_feature_that_never_varies_does_no_harm() -> None:
    data = images(0)
    data[:, 0] = 7
    assert distances(data, same=data, other=images(3))["other"] > 0.1


def test_features_are_colours_and_steps_of_places() -> None:
    data = images(0, count=3)
    x = to_float(data)
    found = describe(data)
    assert found.shape == (3, 2 * 3 * GRID**2)
    side = x.shape[-1] // GRID
    place = x[1, 2, side : 2 * side, 3 * side :]  # second row, last column, blue
    assert float(found[1, 2 * GRID**2 + GRID + 3]) == pytest.approx(float(place.mean()), abs=1e-5)
    flat = torch.full((2, 3, 16, 16), 90, dtype=torch.uint8)
    assert float(describe(flat)[:, 3 * GRID**2 :].abs().max()) == 0


def test_energy_distance_against_its_definition() -> None:
    rng = torch.Generator().manual_seed(0)
    x, y = (torch.randn(n, 5, generator=rng, dtype=torch.float64) for n in (7, 9))

    def mean(a: Tensor, b: Tensor, *, same: bool) -> float:
        pairs = [
            float((p - q).norm())
            for i, p in enumerate(a)
            for j, q in enumerate(b)
            if not (same and i == j)
        ]
        return sum(pairs) / len(pairs)

    expected = 2 * mean(x, y, same=False) - mean(x, x, same=True) - mean(y, y, same=True)
    assert float(energy_distance(x, y)) == pytest.approx(expected)


def test_it_is_unbiased() -> None:
    rng = torch.Generator().manual_seed(0)
    values = [float(energy_distance(*torch.randn(2, 20, 3, generator=rng))) for _ in range(300)]
    found = torch.tensor(values)
    assert abs(float(found.mean())) < 3 * float(found.std()) / 300**0.5


def test_what_does_not_match_is_refused() -> None:
    data = images(0, count=8)
    with pytest.raises(ShapeError, match=r"a negative of each; got .* and, of jigsaw, "):
        distances(data, jigsaw=data[:5])
    with pytest.raises(ShapeError, match="at least 4 images"):
        distances(data[:3], jigsaw=data[:3])
