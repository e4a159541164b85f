from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nda.data.clevr import draw as clevr_draw
from nda.data.clevr.draw import draw_scene, scene_of
from nda.data.clevr.scene import COLOURS, MATERIALS, SHAPES, SIZES, Scene, SceneObject
from nda.data.clevr.view import CAMERA, FORWARD, depth_map
from nda.errors import DataError


def outline(one: SceneObject) -> NDArray[np.float64]:
    """Points (K, 2) of the object's outline seen from above."""
    if one.shape == "cube":
        turn = math.radians(one.rotation)
        across = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
        steps = np.linspace(-1, 1, 20)
        edges = [(s, t) for s in steps for t in (-1, 1)] + [(t, s) for s in steps for t in (-1, 1)]
        return np.asarray(one.radius * np.array(edges) @ across + [one.x, one.y])
    angles = np.linspace(0, 2 * math.pi, 60)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.asarray(one.radius * circle + [one.x, one.y])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 6), st.integers(0, 2**40))
def test_objects_are_as_many_as_asked_for_apart_and_on_the_field(count: int, seed: int) -> None:
    scene = draw_scene(count, generator=torch.Generator().manual_seed(seed))
    assert len(scene.objects) == count
    for one in scene.objects:
        assert max(abs(one.x), abs(one.y)) <= 3
    ahead = FORWARD[:2] / np.linalg.norm(FORWARD[:2])
    for one, other in itertools.combinations(scene.objects, 2):
        between = outline(one)[:, None] - outline(other)
        assert np.linalg.norm(between, axis=-1).min() >= 0.25 - 0.01  # what lies between points
        offset = np.array([one.x - other.x, one.y - other.y])
        assert abs(offset @ ahead) >= 0.4
        assert abs(offset @ [-ahead[1], ahead[0]]) >= 0.4


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**40))
def test_all_objects_are_inside_the_picture_and_to_be_seen(count: int, seed: int) -> None:
    scene = draw_scene(count, generator=torch.Generator().manual_seed(seed))
    depths = np.stack([depth_map(one, scene.camera, 64) for one in scene.objects])
    owner = np.where(np.isfinite(depths).any(axis=0), depths.argmin(axis=0), -1)
    assert (owner[[0, -1]] == -1).all()
    assert (owner[:, [0, -1]] == -1).all()
    for number, depth in enumerate(depths):
        shown, own = int((owner == number).sum()), int(np.isfinite(depth).sum())
        assert shown >= 14
        assert shown >= 0.7 * own


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [scene_of(2, index, seed=0) for index in range(400)]


def test_scenes_are_a_function_of_count_index_and_seed() -> None:
    assert scene_of(3, 5, seed=1) == scene_of(3, 5, seed=1)
    others = [scene_of(3, 5, seed=2), scene_of(3, 6, seed=1), scene_of(2, 5, seed=1)]
    assert all(other.camera != scene_of(3, 5, seed=1).camera for other in others)


def test_every_look_is_drawn_and_colour_and_material_evenly(scenes: list[Scene]) -> None:
    objects = [one for scene in scenes for one in scene.objects]
    for name, values in (("colour", COLOURS), ("material", MATERIALS)):
        found = Counter(getattr(one, name) for one in objects)
        assert set(found) == set(values)
        expected = len(objects) / len(values)
        spread = sum((n - expected) ** 2 / expected for n in found.values())
        assert spread < 26  # chi-squared at 0.1 % with 7 degrees: 24.3
    # Large objects and cubes are placed again more often, but none is rare.
    for name, kinds in (("shape", SHAPES), ("size", tuple(SIZES))):
        found = Counter(getattr(one, name) for one in objects)
        assert min(found[kind] for kind in kinds) > 0.6 * len(objects) / len(kinds)
    assert max(one.rotation for one in objects) > 300


def test_camera_and_lamps_jitter_about_their_places(scenes: list[Scene]) -> None:
    cameras = np.array([scene.camera for scene in scenes]) - CAMERA
    assert np.abs(cameras).max() <= 0.5
    assert (cameras.max(axis=0) > 0.4).all()
    assert (cameras.min(axis=0) < -0.4).all()
    for name in ("key_light", "fill_light", "back_light"):
        places = np.array([getattr(scene, name) for scene in scenes])
        assert (np.ptp(places, axis=0) > 3).all()
        assert (np.ptp(places, axis=0) <= 4).all()


def test_an_object_wholly_behind_another_is_not_visible() -> None:
    near = np.full((64, 64), np.inf)
    near[20:40, 20:40] = 5.0
    far = np.full((64, 64), np.inf)
    far[25:35, 25:35] = 9.0
    assert clevr_draw.all_visible([near])
    assert not clevr_draw.all_visible([near, far])
    far[25:35, 25:64] = 9.0  # 240 of its 390 pixels show
    assert not clevr_draw.all_visible([near, far])
    far[25:35, 36:64] = 9.0
    far[25:35, :36] = np.inf  # 240 of 280
    assert clevr_draw.all_visible([near, far])
    speck = np.full((64, 64), np.inf)
    speck[2, 2:15] = 1.0  # 13 pixels
    assert not clevr_draw.all_visible([speck])
    speck[2, 15] = 1.0
    assert clevr_draw.all_visible([speck])


@pytest.mark.parametrize("count", [-1, 11, 1000])
def test_counts_that_no_scene_holds_are_refused(count: int) -> None:
    with pytest.raises(DataError, match=rf"A scene holds 0 to 10 objects .*; got {count}\."):
        scene_of(count, 0, seed=0)


def test_what_finds_no_place_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clevr_draw, "FIELD", 0.1)
    monkeypatch.setattr(clevr_draw, "_LAYOUTS", 3)
    with pytest.raises(DataError, match=r"2 objects could not be placed in 3 tries .* give fewer"):
        scene_of(2, 0, seed=0)
