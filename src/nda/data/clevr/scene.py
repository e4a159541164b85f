"""What is in a scene of CLEVR (Johnson et al., 2017), as plain data.

Sizes, colours and names are those of CLEVR's `properties.json`; lengths are in its own unit, the
ground is z = 0, and every object stands on it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Point = tuple[float, float, float]

SHAPES = ("cube", "sphere", "cylinder")
MATERIALS = ("rubber", "metal")
SIZES = {"large": 0.7, "small": 0.35}  # radius; of a cube half its side
COLOURS = {
    "gray": (87, 87, 87),
    "red": (173, 35, 35),
    "blue": (42, 75, 215),
    "green": (29, 105, 20),
    "brown": (129, 74, 25),
    "purple": (129, 38, 192),
    "cyan": (41, 208, 208),
    "yellow": (255, 238, 51),
}  # sRGB


@dataclass(frozen=True)
class SceneObject:
    """One object at (x, y) on the ground, turned about the vertical by `rotation` degrees."""

    shape: str
    colour: str
    material: str
    size: str
    x: float
    y: float
    rotation: float

    @property
    def radius(self) -> float:
        """Half its height; the shapes are as wide as high, but for the corners of a cube."""
        return SIZES[self.size]

    @property
    def reach(self) -> float:
        """The largest distance of its outline from its centre, seen from above."""
        return self.radius * (math.sqrt(2) if self.shape == "cube" else 1)

    @property
    def centre(self) -> Point:
        return (self.x, self.y, self.radius)


@dataclass(frozen=True)
class Scene:
    """Objects, where the camera stands, and where the three lamps hang."""

    objects: tuple[SceneObject, ...]
    camera: Point
    key_light: Point
    fill_light: Point
    back_light: Point


def to_json(scene: Scene) -> dict[str, Any]:
    """The scene under CLEVR's names, without `pixel_coords`, which depend on the picture."""
    return {
        "objects": [
            {
                "shape": one.shape,
                "color": one.colour,
                "material": one.material,
                "size": one.size,
                "3d_coords": list(one.centre),
                "rotation": one.rotation,
            }
            for one in scene.objects
        ],
        "camera": list(scene.camera),
        "lights": {
            "key": list(scene.key_light),
            "fill": list(scene.fill_light),
            "back": list(scene.back_light),
        },
    }


def from_json(known: Mapping[str, Any]) -> Scene:
    """The scene that `to_json` wrote."""
    objects = (
        SceneObject(
            shape=one["shape"],
            colour=one["color"],
            material=one["material"],
            size=one["size"],
            x=one["3d_coords"][0],
            y=one["3d_coords"][1],
            rotation=one["rotation"],
        )
        for one in known["objects"]
    )
    lights = (tuple(known["lights"][name]) for name in ("key", "fill", "back"))
    return Scene(tuple(objects), tuple(known["camera"]), *lights)
