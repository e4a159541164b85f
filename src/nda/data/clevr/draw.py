"""Drawing a scene of CLEVR with a given number of objects, each of which can be seen.

As in CLEVR: places uniform over 6 x 6 units, objects 0.25 apart, and 0.4 apart along the camera's
axes on the ground, so that none stands straight before another; camera and lamps jitter. Beyond
CLEVR: an object lies wholly inside the picture and at least 7 in 10 of its pixels are not
hidden, so that the number of objects is what an eye counts.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch

from nda.data.clevr.scene import COLOURS, MATERIALS, SHAPES, SIZES, Point, Scene, SceneObject
from nda.data.clevr.view import CAMERA, FORWARD, Map, depth_map
from nda.errors import DataError
from nda.runtime.seeding import generator_for

MOST = 10  # objects, as in CLEVR
FIELD = 3.0  # objects stand between -3 and 3
GAP = 0.25  # between the outlines of two objects
MARGIN = 0.4  # between two centres, along each of the camera's axes on the ground
CAMERA_JITTER = 0.5
# Lamps in CLEVR's directions, but twice as far away with twice the jitter: none hangs in the view.
LIGHT_JITTER = 2.0
KEY_LIGHT: Point = (12.8934, -5.8103, 8.5168)
FILL_LIGHT: Point = (-9.3422, -8.0272, 6.0224)
BACK_LIGHT: Point = (-2.3370, 5.2920, 11.6315)

SHARE = 0.7  # of an object's pixels that must not be hidden
VIEW = 64  # side in pixels of the picture that visibility is judged on
PIXELS = 14  # of VIEW x VIEW that an object must show: CLEVR's 200 of 320 x 240
_TRIES = 50  # places tried for an object before the layout is given up
_LAYOUTS = 10_000  # layouts tried before giving up; ten objects need some hundred

# The camera's axes on the ground; objects are kept apart along both.
_BEHIND = FORWARD[:2] / math.hypot(*FORWARD[:2])
_LEFT = np.array([-_BEHIND[1], _BEHIND[0]])

T = TypeVar("T")


def scene_of(count: int, index: int, seed: int) -> Scene:
    """Scene number `index` of those with `count` objects: a function of the three alone."""
    purpose = f"clevr scene of {count}"
    return draw_scene(count, generator=generator_for(seed, step=index, purpose=purpose))


def draw_scene(count: int, *, generator: torch.Generator) -> Scene:
    """A random scene of `count` objects, 0 to 10.

    Shape, colour, material and size are uniform and independent. Raises `DataError` for counts
    that cannot be placed.
    """
    if not 0 <= count <= MOST:
        raise DataError(
            f"A scene holds 0 to {MOST} objects that can all be seen; got {count}. Give fewer."
        )
    draw = _Draws(generator)
    scene = Scene(
        (),
        draw.near(CAMERA, CAMERA_JITTER),
        draw.near(KEY_LIGHT, LIGHT_JITTER),
        draw.near(FILL_LIGHT, LIGHT_JITTER),
        draw.near(BACK_LIGHT, LIGHT_JITTER),
    )
    for _ in range(_LAYOUTS):
        objects = _place(count, scene.camera, draw)
        if objects is not None:
            return replace(scene, objects=objects)
    raise DataError(
        f"{count} objects could not be placed in {_LAYOUTS} tries such that all are seen; "
        "give fewer."
    )


class _Draws:
    """Draws from one generator, one number after another."""

    def __init__(self, rng: torch.Generator) -> None:
        self._generator = rng

    def uniform(self, low: float, high: float) -> float:
        draw = torch.rand((), generator=self._generator, dtype=torch.float64)
        return low + (high - low) * float(draw)

    def choice(self, values: tuple[T, ...]) -> T:
        return values[int(torch.randint(len(values), (), generator=self._generator))]

    def near(self, point: Point, jitter: float) -> Point:
        x, y, z = (value + self.uniform(-jitter, jitter) for value in point)
        return (x, y, z)


def _place(count: int, camera: Point, draw: _Draws) -> tuple[SceneObject, ...] | None:
    """Objects placed one after another, or None where one found no place."""
    objects: list[SceneObject] = []
    depths: list[Map] = []
    for _ in range(count):
        size, shape = draw.choice(tuple(SIZES)), draw.choice(SHAPES)
        colour, material = draw.choice(tuple(COLOURS)), draw.choice(MATERIALS)
        rotation = draw.uniform(0, 360)
        for _ in range(_TRIES):
            x, y = draw.uniform(-FIELD, FIELD), draw.uniform(-FIELD, FIELD)
            one = SceneObject(shape, colour, material, size, x, y, rotation)
            if not all(apart(one, other) for other in objects):
                continue
            depth = depth_map(one, camera, VIEW)
            if inside(depth) and all_visible([*depths, depth]):
                objects.append(one)
                depths.append(depth)
                break
        else:
            return None
    return tuple(objects)


def apart(one: SceneObject, other: SceneObject) -> bool:
    """Whether two objects keep their distance on the ground."""
    offset = np.array([one.x - other.x, one.y - other.y])
    if math.hypot(*offset) < one.reach + other.reach + GAP:
        return False
    return bool(min(abs(offset @ _BEHIND), abs(offset @ _LEFT)) >= MARGIN)


def inside(depth: Map) -> bool:
    """Whether an object, given by its depth map, does not reach the picture's border."""
    seen = np.isfinite(depth)
    border = seen[0].any() or seen[-1].any() or seen[:, 0].any() or seen[:, -1].any()
    return bool(seen.any() and not border)


def all_visible(depths: list[Map]) -> bool:
    """Whether each of the objects, given by their depth maps, shows enough of itself."""
    nearest = np.minimum.reduce(depths)
    for depth in depths:
        own = np.isfinite(depth)
        shown = int((own & (depth <= nearest)).sum())
        if shown < max(PIXELS, SHARE * int(own.sum())):
            return False
    return True
