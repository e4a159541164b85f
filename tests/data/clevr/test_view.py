from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nda.data.clevr.draw import scene_of
from nda.data.clevr.scene import SHAPES, SIZES, Point, SceneObject
from nda.data.clevr.view import CAMERA, FIELD_OF_VIEW, FORWARD, depth_map, pixel_coords

SIDE = 8
STEP = 0.004

places = st.floats(-3, 3)
objects = st.builds(
    SceneObject,
    shape=st.sampled_from(SHAPES),
    colour=st.just("red"),
    material=st.just("metal"),
    size=st.sampled_from(list(SIZES)),
    x=places,
    y=places,
    rotation=st.floats(0, 360),
)


def is_inside(one: SceneObject, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether points (..., 3) lie in the solid; said once more and otherwise."""
    offset = points - np.array([one.x, one.y, one.radius])
    flat = np.hypot(offset[..., 0], offset[..., 1])
    upright = np.abs(offset[..., 2]) <= one.radius
    if one.shape == "sphere":
        return np.asarray(flat**2 + offset[..., 2] ** 2 <= one.radius**2)
    if one.shape == "cylinder":
        return np.asarray((flat <= one.radius) & upright)
    angle = np.arctan2(offset[..., 1], offset[..., 0]) - math.radians(one.rotation)
    along, across = np.abs(flat * np.cos(angle)), np.abs(flat * np.sin(angle))
    return np.asarray((along <= one.radius) & (across <= one.radius) & upright)


def marched(one: SceneObject, camera: Point, row: int, column: int) -> float:
    """Depth at which the ray through a pixel's middle enters the object, by small steps."""
    half = math.tan(math.radians(FIELD_OF_VIEW / 2))
    right = np.cross(FORWARD, [0, 0, 1])
    right /= np.linalg.norm(right)
    up = np.cross(right, FORWARD)
    x, y = (2 * (column + 0.5) / SIDE - 1) * half, (1 - 2 * (row + 0.5) / SIDE) * half
    depths = np.arange(5, 18, STEP)
    points = np.array(camera) + depths[:, None] * (FORWARD + x * right + y * up)
    inside = is_inside(one, points)
    return float(depths[inside.argmax()]) if inside.any() else math.inf


@settings(max_examples=25, deadline=None)
@given(objects)
def test_depth_maps_are_what_marching_along_the_rays_finds(one: SceneObject) -> None:
    found = depth_map(one, CAMERA, SIDE)
    expected = np.array([[marched(one, CAMERA, r, c) for c in range(SIDE)] for r in range(SIDE)])
    # A ray that only grazes the object may pass between two steps.
    both = np.isfinite(found) & np.isfinite(expected)
    assert (np.isfinite(found) != np.isfinite(expected)).sum() <= 1
    assert np.abs(found[both] - expected[both]).max(initial=0) <= 2 * STEP


@settings(max_examples=25, deadline=None)
@given(places, places, st.sampled_from([16, 64]))
def test_a_ball_is_seen_around_its_pixel_coords(x: float, y: float, side: int) -> None:
    ball = SceneObject("sphere", "red", "metal", "large", x, y, 0)
    column, row, depth = pixel_coords(ball.centre, CAMERA, side)
    rows, columns = np.isfinite(depth_map(ball, CAMERA, side)).nonzero()
    if len(rows) and rows.min() > 0 and rows.max() < side - 1:  # not cut off above or below
        assert abs(rows.mean() + 0.5 - row) < 1
    if len(rows) and columns.min() > 0 and columns.max() < side - 1:
        assert abs(columns.mean() + 0.5 - column) < 1
    assert depth == pytest.approx(float(np.subtract(ball.centre, CAMERA) @ FORWARD))


def test_the_camera_looks_at_the_origin_and_up_is_up() -> None:
    assert pixel_coords((0, 0, 0), CAMERA, 64) == pytest.approx((32, 32, math.hypot(*CAMERA)))
    above = pixel_coords((0, 0, 1), CAMERA, 64)
    assert above[0] == pytest.approx(32)
    assert above[1] < 32
    right = pixel_coords((1, 1, 0), CAMERA, 64)  # along the picture's plane, away from (1, -1)
    assert right[0] > 32


def test_a_camera_that_shifts_sees_things_shifted() -> None:
    ball = SceneObject("sphere", "red", "metal", "large", 0.5, 0.25, 0)
    moved = replace(ball, x=1.0)
    camera = (CAMERA[0] + 0.5, CAMERA[1], CAMERA[2])
    np.testing.assert_allclose(depth_map(ball, CAMERA, 32), depth_map(moved, camera, 32))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_renderer_meets_objects_where_the_depth_maps_say(shape: str) -> None:
    """Caps of cylinders, turned cubes and shifted cameras among them."""
    pytest.importorskip("mitsuba")
    from nda.data.clevr.render import load, renderer

    side, size = 24, "large"
    one = SceneObject(shape, "red", "metal", size, 0.8, -0.6, 33.0)
    scene = replace(scene_of(0, 0, seed=3), objects=(one,))
    loaded, mi = load(scene, side, samples=1), renderer()
    sensor = loaded.sensors()[0]
    expected = depth_map(one, scene.camera, side)
    assert np.isfinite(expected).sum() > 15
    for row, column in np.ndindex(side, side):
        at = mi.Point2f((column + 0.5) / side, (row + 0.5) / side)
        ray, _ = sensor.sample_ray(0, 0.5, at, mi.Point2f(0.5))
        met = np.array(loaded.ray_intersect(ray).p)
        if np.isfinite(expected[row, column]):
            depth = float((met - np.array(scene.camera)) @ FORWARD)
            assert depth == pytest.approx(expected[row, column], abs=1e-3)
        else:
            assert met[2] == pytest.approx(0, abs=1e-4)  # the ground
