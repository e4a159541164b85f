"""Rendering a scene of CLEVR by Mitsuba 3, on one core and without a GPU.

Light is that of CLEVR: a key, a fill and a back lamp, a weak sun, and light from all around; the
ground is grey and endless. Paths of light are followed for a few reflections, so shadows are soft
and metal mirrors its surroundings.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nda.data.clevr_scene import COLOURS, Point, Scene, SceneObject
from nda.data.clevr_view import FIELD_OF_VIEW, FORWARD
from nda.errors import DataError

SAMPLES = 64  # paths a pixel
_BOUNCES = 4
_GROUND = 0.5  # reflectance


def render(scene: Scene, size: int = 64, *, samples: int = SAMPLES, seed: int = 0) -> NDArray[np.uint8]:
    """A picture uint8 (size, size, 3) of the scene.

    `samples` is the number of paths of light for each pixel, `seed` that of their noise. Raises
    `DataError` where Mitsuba is not installed.
    """
    mi = renderer()
    loaded = mi.load_dict(description(scene, size, samples))
    image = mi.render(loaded, seed=seed)
    bitmap = mi.Bitmap(image).convert(mi.Bitmap.PixelFormat.RGB, mi.Struct.Type.UInt8, True)
    return np.array(bitmap)


def renderer() -> Any:
    """The module `mitsuba`, set to one thread and to numbers for red, green and blue."""
    try:
        mi = importlib.import_module("mitsuba")
    except ImportError as error:
        raise DataError(
            "Scenes of CLEVR are rendered by Mitsuba 3, which is not installed. "
            'Install it: pip install "nda-torch[clevr]".'
        ) from error
    mi.set_variant("scalar_rgb")
    return mi


def description(scene: Scene, size: int, samples: int) -> dict[str, Any]:
    """The scene in Mitsuba's terms."""
    mi = renderer()
    place = mi.ScalarTransform4f()
    target = [float(at + ahead) for at, ahead in zip(scene.camera, FORWARD, strict=True)]
    parts: dict[str, Any] = {
        "type": "scene",
        "integrator": {"type": "path", "max_depth": _BOUNCES},
        "sensor": {
            "type": "perspective",
            "fov": FIELD_OF_VIEW,
            "to_world": place.look_at(origin=list(scene.camera), target=target, up=[0, 0, 1]),
            "film": {
                "type": "hdrfilm",
                "width": size,
                "height": size,
                "pixel_format": "rgb",
                "rfilter": {"type": "gaussian"},
            },
            "sampler": {"type": "multijitter", "sample_count": samples},
        },
        "ground": {
            "type": "rectangle",
            "to_world": place.scale([200, 200, 1]),
            "bsdf": {"type": "diffuse", "reflectance": _grey(_GROUND)},
        },
        "around": {"type": "constant", "radiance": _grey(0.3)},
        "key": _lamp(mi, scene.key_light, 0.5, 60),
        "fill": _lamp(mi, scene.fill_light, 0.5, 20),
        "back": _lamp(mi, scene.back_light, 0.5, 25),
        "sun": _lamp(mi, (11.6608, -6.6280, 25.8232), 4, 12),
    }
    for number, one in enumerate(scene.objects):
        parts |= _object(mi, one, number)
    return parts


def _grey(value: float) -> dict[str, Any]:
    return {"type": "rgb", "value": value}


def _lamp(mi: Any, at: Point, half: float, radiance: float) -> dict[str, Any]:
    """A square lamp that faces the origin."""
    towards = mi.ScalarTransform4f().look_at(origin=list(at), target=[0, 0, 0], up=[0, 0, 1])
    return {
        "type": "rectangle",
        "to_world": towards @ mi.ScalarTransform4f().scale([half, half, 1]),
        "emitter": {"type": "area", "radiance": _grey(radiance)},
    }


def _object(mi: Any, one: SceneObject, number: int) -> dict[str, Any]:
    """The bodies that make up an object: a cylinder needs its two caps."""
    place = mi.ScalarTransform4f()
    body = (
        place.translate(list(one.centre)) @ place.rotate([0, 0, 1], one.rotation) @ place.scale(one.radius)
    )
    surface = _surface(one)
    if one.shape != "cylinder":
        return {f"object{number}": {"type": one.shape, "to_world": body, "bsdf": surface}}
    wall = {"type": "cylinder", "p0": [0, 0, -1], "p1": [0, 0, 1], "radius": 1}
    cap = {"type": "disk", "to_world": body @ place.translate([0, 0, 1]), "bsdf": surface}
    return {
        f"object{number}": wall | {"to_world": body, "bsdf": surface},
        f"object{number}cap": cap,
    }


def _surface(one: SceneObject) -> dict[str, Any]:
    colour = {"type": "rgb", "value": [_linear(c / 255) for c in COLOURS[one.colour]]}
    if one.material == "rubber":
        return {"type": "principled", "base_color": colour, "roughness": 0.7, "specular": 0.3}
    return {
        "type": "principled",
        "base_color": colour,
        "metallic": 0.8,
        "roughness": 0.2,
        "specular": 0.8,
    }


def _linear(value: float) -> float:
    """Light of a value in sRGB."""
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)
