from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from scipy import ndimage

from nda.data import draw_dots
from nda.data.dots import GAP, RADIUS, _place, _render
from nda.errors import DataError


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def naive_discs(image: torch.Tensor) -> list[tuple[float, float, float]]:
    """(x, y, radius) of each connected region of lit pixels, weighted by its brightness."""
    light = image.amax(0).numpy() / 255.0
    regions, count = ndimage.label(light > 0.5, np.ones((3, 3)))
    # Every lit pixel belongs to the nearest region: half-lit edges count by their light.
    nearest = ndimage.distance_transform_edt(regions == 0, return_indices=True)[1]
    owner = regions[tuple(nearest)] * (light > 0)
    discs = []
    for region in range(1, count + 1):
        weight = light * (owner == region)
        y, x = (np.indices(light.shape) + 0.5) * weight
        discs.append(
            (x.sum() / weight.sum(), y.sum() / weight.sum(), (weight.sum() / np.pi) ** 0.5)
        )
    return discs


@pytest.mark.parametrize(("size", "most"), [(24, 6), (32, 8), (64, 12)])
def test_dots_are_as_many_as_asked_round_apart_and_inside(size: int, most: int) -> None:
    counts = torch.arange(most + 1).repeat(8)
    images = draw_dots(counts, size, generator=generator())
    assert images.shape == (len(counts), 3, size, size)
    assert images.dtype == torch.uint8
    low, high = RADIUS[0] * size, RADIUS[1] * size
    for image, count in zip(images, counts.tolist(), strict=True):
        discs = naive_discs(image)
        assert len(discs) == count
        for number, (x, y, radius) in enumerate(discs):
            assert low - 0.1 < radius < high + 0.1
            assert radius - 0.2 < min(x, y)
            assert max(x, y) < size - radius + 0.2
            for x2, y2, radius2 in discs[:number]:
                assert np.hypot(x - x2, y - y2) > radius + radius2 + GAP - 0.4


def test_coverage_is_that_of_each_pixel_measured_alone() -> None:
    counts = torch.tensor([0, 3, 5])
    centres, radii = _place(counts, 32, (2.0, 3.0), generator())
    drawn = _render(centres, radii, 32, generator())
    lit = drawn.amax(1)
    for sample in range(3):
        for y in range(32):
            for x in range(32):
                place = torch.tensor([x + 0.5, y + 0.5])
                away = (centres[sample] - place).norm(dim=-1)
                cover = (radii[sample] + 0.5 - away).clamp(0, 1)[: counts[sample]]
                wanted = float(cover.max()) if len(cover) else 0.0
                assert abs(int(lit[sample, y, x]) - 255 * wanted) <= 1


def test_colours_are_saturated_of_value_one_and_of_every_hue() -> None:
    images = draw_dots(torch.ones(600, dtype=torch.int64), 32, generator=generator(1))
    brightest = images.flatten(2)[torch.arange(600), :, images.amax(1).flatten(1).argmax(1)] / 255.0
    colours = [colorsys.rgb_to_hsv(*colour) for colour in brightest.tolist()]
    hues, saturations, values = np.array(colours).T
    assert (values == 1.0).all()
    assert saturations.min() > 0.49
    per_hue, _ = np.histogram(hues, bins=6, range=(0, 1))
    assert per_hue.min() > 60  # 100 expected
    assert abs(saturations.mean() - 0.75) < 0.03


def test_places_of_a_single_dot_are_uniform() -> None:
    centres, _ = _place(torch.ones(4000, dtype=torch.int64), 64, (4.0, 4.0), generator(2))
    assert centres.min() >= 4.5
    assert centres.max() <= 59.5
    x, y = centres[:, 0].numpy().T
    cells, _, _ = np.histogram2d(x, y, bins=4, range=[[4.5, 59.5], [4.5, 59.5]])
    assert ((cells - 250) ** 2 / 250).sum() < 37.7  # chi-squared, 15 degrees, 0.1 %


def test_the_generator_decides_everything() -> None:
    counts = torch.tensor([4, 5, 6])
    first = draw_dots(counts, generator=generator(5))
    assert torch.equal(first, draw_dots(counts, generator=generator(5)))
    assert not torch.equal(first, draw_dots(counts, generator=generator(6)))


def test_nothing_asked_gives_nothing() -> None:
    none = torch.zeros(0, dtype=torch.int64)
    assert draw_dots(none, 20, generator=generator()).shape == (0, 3, 20, 20)
    assert not draw_dots(torch.zeros(2, dtype=torch.int64), generator=generator()).any()


def test_the_number_named_when_dots_do_not_fit_is_about_right() -> None:
    with pytest.raises(DataError, match=r"30 dots of radius 3.84 to 5.76.*about 18 do") as refused:
        draw_dots(torch.tensor([2, 30]), generator=generator())
    assert "fewer dots, a larger size or a smaller radius" in str(refused.value)
    draw_dots(torch.full((20,), 16), generator=generator())  # nearly as many do fit


@pytest.mark.parametrize(
    ("count", "size", "radius", "message"),
    [
        (10**9, 64, RADIUS, r"1000000000 dots .* do not fit into 64 x 64"),
        (-1, 64, RADIUS, r"0 or more; got -1"),
        (1, 8, RADIUS, r"at least 1 pixel .* got 0.48 to 0.72 pixels at size 8"),
        (1, 64, (0.1, 0.6), r"less than half the image"),
        (1, 64, (0.2, 0.1), r"grow from"),
    ],
)
def test_impossible_dots_are_refused(
    count: int, size: int, radius: tuple[float, float], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        draw_dots(torch.tensor([count]), size, generator=generator(), radius=radius)
