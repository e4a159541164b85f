"""What a camera sees of a scene: where points fall in the picture, and each object's depth map.

The shapes are convex, so a ray is inside one between the latest entry and the earliest exit of a
few simple bodies; no renderer is needed to know what hides what.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nda.data.clevr.scene import Point, SceneObject

# The middle square of CLEVR's picture: a lens of 35 mm before 32 x 24 mm of film.
FIELD_OF_VIEW = math.degrees(2 * math.atan(12 / 35))
# CLEVR's camera keeps its direction wherever it is shifted to; here towards the origin from its
# mean place.
CAMERA: Point = (7.4811, -6.5076, 5.3437)
FORWARD = -np.array(CAMERA) / math.hypot(*CAMERA)
RIGHT = np.cross(FORWARD, (0, 0, 1)) / math.hypot(FORWARD[0], FORWARD[1])
UP = np.cross(RIGHT, FORWARD)

_HALF = 12 / 35  # half the picture's side at distance 1

Map = NDArray[np.float64]


def pixel_coords(point: Point, camera: Point, side: int) -> Point:
    """Column and row, in pixels from the upper left corner, and the depth along the axis."""
    offset = np.subtract(point, camera)
    depth = float(offset @ FORWARD)
    x, y = float(offset @ RIGHT) / (depth * _HALF), float(offset @ UP) / (depth * _HALF)
    return ((x + 1) / 2 * side, (1 - y) / 2 * side, depth)


def depth_map(one: SceneObject, camera: Point, side: int) -> Map:
    """Depth along the axis (side, side) at which each pixel's ray meets the object, else infinity.

    A ray goes through the middle of its pixel.
    """
    turn = math.radians(one.rotation)
    cos, sin = math.cos(turn), math.sin(turn)
    # Into the frame of the object, where it is the unit body: turned back, and scaled.
    inverse = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]) / one.radius
    start = inverse @ np.subtract(camera, one.centre)
    rays = _rays(side) @ inverse.T  # (side, side, 3); a step of 1 is a depth of 1
    with np.errstate(divide="ignore", invalid="ignore"):
        if one.shape == "sphere":
            entry, leave = _ball(start, rays)
        elif one.shape == "cube":
            entry, leave = _between(start, rays)
            entry, leave = entry.max(axis=-1), leave.min(axis=-1)
        else:
            top, bottom = _between(start[2:], rays[..., 2:])
            entry, leave = _ball(start[:2], rays[..., :2])
            entry, leave = np.maximum(entry, top[..., 0]), np.minimum(leave, bottom[..., 0])
    depth: Map = np.where((entry < leave) & (entry > 0), entry, np.inf)
    return depth


def _rays(side: int) -> Map:
    """Directions (side, side, 3) of the pixels, of length 1 along the axis."""
    steps = ((np.arange(side) + 0.5) / side * 2 - 1) * _HALF
    rays: Map = FORWARD + steps[None, :, None] * RIGHT - steps[:, None, None] * UP
    return rays


def _between(start: Map, rays: Map) -> tuple[Map, Map]:
    """Where rays enter and leave the layers between -1 and 1, an axis each."""
    first, second = (-1 - start) / rays, (1 - start) / rays
    return np.minimum(first, second), np.maximum(first, second)


def _ball(start: Map, rays: Map) -> tuple[Map, Map]:
    """Where rays enter and leave the unit ball (of two axes: the endless cylinder)."""
    a = (rays**2).sum(axis=-1)
    b = (rays * start).sum(axis=-1)
    root = np.sqrt(b**2 - a * ((start**2).sum() - 1))  # not a number where the ray passes by
    return (-b - root) / a, (-b + root) / a
