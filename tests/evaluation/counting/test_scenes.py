from __future__ import annotations

import colorsys
import math
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda.errors import ShapeError
from nda.evaluation.counting.scenes import object_pixels, scene_diversity


def entropy(values: Counter[object]) -> float:
    total = sum(values.values())
    return -sum(n / total * math.log2(n / total) for n in values.values())


def naive(images: Tensor) -> tuple[float, float, float]:
    """Hue entropy, mean saturation, position entropy, one pixel at a time."""
    hues: Counter[object] = Counter()
    places: Counter[object] = Counter()
    saturations = []
    for image in images:
        _, height, width = image.shape
        for row in range(height):
            medians = [sorted(image[c, row].tolist())[(width - 1) // 2] for c in range(3)]
            for column in range(width):
                colour = image[:, row, column].tolist()
                if all(abs(a - b) < 32 for a, b in zip(colour, medians, strict=True)):
                    continue
                hue, saturation, _ = colorsys.rgb_to_hsv(*(level / 255 for level in colour))
                places[(row * 8 // height, column * 8 // width)] += 1
                saturations.append(saturation)
                if saturation >= 0.3:
                    hues[int(hue * 12 + 1e-9) % 12] += 1
    mean = sum(saturations) / max(1, len(saturations))
    return (entropy(hues) if hues else 0.0, mean, entropy(places) if places else 0.0)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 3), st.sampled_from([8, 12, 17]))
def test_agrees_with_looking_at_one_pixel_after_another(seed: int, count: int, side: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (count, 3, side, side), generator=rng, dtype=torch.uint8)
    images[:, :, : side // 2] //= 8  # a plain half
    found = scene_diversity(images)
    expected = naive(images)
    assert found.saturation == pytest.approx(expected[1])
    assert found.position_entropy == pytest.approx(expected[2])
    assert found.hue_entropy == pytest.approx(expected[0], abs=0.02)  # a hue on a bin's border


def scenes(colours: list[tuple[int, int, int]], places: list[tuple[int, int]]) -> Tensor:
    """Images of a grey slope with one block each."""
    images = torch.arange(64, dtype=torch.uint8).view(1, 1, 64, 1) + 80
    images = images.repeat(len(places), 3, 1, 64)
    for image, place, colour in zip(images, places, colours, strict=True):
        row, column = place
        image[:, row : row + 8, column : column + 8] = torch.tensor(colour).view(3, 1, 1)
    return images


RED, GREEN, BLUE, GREY = (173, 35, 35), (29, 105, 20), (42, 75, 215), (20, 20, 20)


def test_a_block_is_seen_and_the_sloping_ground_is_not() -> None:
    shown = object_pixels(scenes([GREY], [(16, 40)]))
    assert shown.sum() == 64
    assert shown[0, 16:24, 40:48].all()


def test_fewer_colours_or_places_show() -> None:
    varied = scene_diversity(scenes([RED, GREEN, BLUE, RED], [(0, 0), (8, 8), (16, 40), (40, 0)]))
    one_place = scene_diversity(scenes([RED, GREEN, BLUE, RED], [(8, 8)] * 4))
    one_colour = scene_diversity(scenes([RED] * 4, [(0, 0), (8, 8), (16, 40), (40, 0)]))
    assert varied.position_entropy == pytest.approx(2)
    assert varied.hue_entropy == pytest.approx(1.5)
    assert one_place.position_entropy == 0
    assert one_place.hue_entropy == varied.hue_entropy
    assert one_colour.hue_entropy == 0
    assert one_colour.position_entropy == varied.position_entropy


def test_grey_objects_have_a_place_but_no_hue() -> None:
    found = scene_diversity(scenes([GREY, GREY], [(0, 0), (8, 8)]))
    assert (found.hue_entropy, found.saturation) == (0, 0)
    assert found.position_entropy == pytest.approx(1)


def test_nothing_has_no_diversity() -> None:
    empty = scene_diversity(scenes([], []))
    bare = scene_diversity(torch.full((3, 3, 16, 16), 100, dtype=torch.uint8))
    for found in (empty, bare):
        assert (found.hue_entropy, found.saturation, found.position_entropy) == (0, 0, 0)


def test_real_scenes_have_most_hues_and_many_places() -> None:
    pytest.importorskip("mitsuba")
    from nda.data.clevr.draw import scene_of
    from nda.data.clevr.render import render

    pictures = [torch.from_numpy(render(scene_of(3, index, seed=0), 32)) for index in range(40)]
    found = scene_diversity(torch.stack(pictures).permute(0, 3, 1, 2))
    assert found.hue_entropy > 2
    assert 0.3 < found.saturation < 0.9
    assert found.position_entropy > 4


@pytest.mark.parametrize("images", [torch.zeros(2, 3, 8, 8), torch.zeros(3, 8, 8).byte()])
def test_other_input_is_refused(images: Tensor) -> None:
    with pytest.raises(ShapeError, match=r"uint8 of shape \(N, 3, H, W\)"):
        scene_diversity(images)
