"""Rendering a scene of CLEVR by Mitsuba 3, on one core and without a GPU.

A key, a fill and a back lamp light an endless grey ground. Light that falls on things directly is
traced, with soft shadows and, on metal, highlights and the reflection of what is around. Light that
goes from thing to thing is not: metal would throw sparks on the ground, which take thousands of
paths to become smooth. In its place ground and objects glow a little by themselves.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nda.data.clevr.scene import COLOURS, Point, Scene, SceneObject
from nda.data.clevr.view import FIELD_OF_VIEW, FORWARD
from nda.errors import DataError

SAMPLES = 16  # paths of light a pixel: noise of one to two levels of 255, which no eye sees

# Light and looks, tuned by eye to CLEVR's pictures. Radiance has no unit: 1 is a white pixel.
_GROUND = 0.4  # share of light that the ground throws back
_GROUND_GLOW = 0.05
_OBJECT_GLOW = 0.15  # of its own colour
_SKY = 0.15
_SURFACES = {
    "rubber": {"roughness": 0.7, "specular": 0.3},
    "metal": {"roughness": 0.2, "specular": 0.8, "metallic": 0.9},
}

Part = dict[str, Any]  # something in Mitsuba's terms


def render(
    scene: Scene, size: int = 64, *, samples: int = SAMPLES, seed: int = 0
) -> NDArray[np.uint8]:
    """A picture uint8 (size, size, 3) of the scene: the same to the bit for the same arguments.

    `samples` is the number of paths of light for each pixel, a square number; `seed` that of their
    noise. Raises `DataError` where Mitsuba is not installed.
    """
    mi = renderer()
    loaded = load(scene, size, samples)
    image = mi.Bitmap(mi.render(loaded, seed=seed))
    if loaded.integrator().should_stop():  # by Ctrl-C, which Mitsuba catches: a part of a picture
        raise KeyboardInterrupt
    return np.array(image.convert(mi.Bitmap.PixelFormat.RGB, mi.Struct.Type.UInt8, True))


def load(scene: Scene, size: int, samples: int) -> Any:
    """The scene as an object of Mitsuba's."""
    # Loading in parallel and merging lamps puts them in an order of chance, and the noise with it.
    return renderer().load_dict(_description(scene, size, samples), parallel=False, optimize=False)


@cache
def renderer() -> Any:
    """The module `mitsuba`, set to numbers for red, green and blue, in the calling thread alone.

    With several threads the order of sums, and with it the last bit of a picture, would vary.
    """
    try:
        mi = importlib.import_module("mitsuba")
        dr = importlib.import_module("drjit")
    except ImportError as error:
        raise DataError(
            "Scenes of CLEVR are rendered by Mitsuba 3, which is not installed. "
            'Install it: pip install "nda-torch[clevr]".'
        ) from error
    mi.set_variant("scalar_rgb")
    dr.set_thread_count(0)
    mi.set_log_level(mi.LogLevel.Error)
    return mi


def _description(scene: Scene, size: int, samples: int) -> Part:
    mi = renderer()
    parts: Part = {
        "type": "scene",
        "integrator": {"type": "path", "max_depth": 2},
        "sensor": _camera(mi, scene.camera, size, samples),
        "ground": {
            "type": "rectangle",
            "to_world": mi.ScalarTransform4f().scale([200, 200, 1]),
            "bsdf": {"type": "diffuse", "reflectance": _colour(_GROUND)},
            "emitter": _glow(_GROUND_GLOW),
        },
        "around": {"type": "constant", "radiance": _colour(_SKY), "sampling_weight": 0},
        "key": _lamp(mi, scene.key_light, 1.2, 85, 10),
        "fill": _lamp(mi, scene.fill_light, 2, 4, 2),
        "back": _lamp(mi, scene.back_light, 2, 3, 2),
    }
    for number, one in enumerate(scene.objects):
        parts |= _object(mi, one, number)
    return parts


def _camera(mi: Any, at: Point, size: int, samples: int) -> Part:
    target = [float(place + ahead) for place, ahead in zip(at, FORWARD, strict=True)]
    return {
        "type": "perspective",
        "fov": FIELD_OF_VIEW,
        "to_world": mi.ScalarTransform4f().look_at(origin=list(at), target=target, up=[0, 0, 1]),
        "film": {
            "type": "hdrfilm",
            "width": size,
            "height": size,
            "pixel_format": "rgb",
            "rfilter": {"type": "gaussian"},
        },
        "sampler": {"type": "multijitter", "sample_count": samples},
    }


def _lamp(mi: Any, at: Point, half: float, radiance: float, share: float) -> Part:
    """A square lamp of side 2 `half` that faces the origin and gets a `share` of the paths."""
    towards = mi.ScalarTransform4f().look_at(origin=list(at), target=[0, 0, 0], up=[0, 0, 1])
    return {
        "type": "rectangle",
        "to_world": towards @ mi.ScalarTransform4f().scale([half, half, 1]),
        "emitter": {"type": "area", "radiance": _colour(radiance), "sampling_weight": share},
    }


def _object(mi: Any, one: SceneObject, number: int) -> dict[str, Part]:
    """The bodies that make up an object: Mitsuba's cylinder is a tube and needs a cap."""
    place = mi.ScalarTransform4f()
    body = place.translate(list(one.centre))
    body = body @ place.rotate([0, 0, 1], one.rotation) @ place.scale(one.radius)
    colour = [_linear(level / 255) for level in COLOURS[one.colour]]
    look: Part = {
        "to_world": body,
        "bsdf": {
            "type": "principled",
            "base_color": _colour(colour),
            **_SURFACES[one.material],
        },
        "emitter": _glow([_OBJECT_GLOW * light for light in colour]),
    }
    name = f"object{number}"
    if one.shape != "cylinder":
        return {name: {"type": one.shape, **look}}
    tube = {"type": "cylinder", "p0": [0, 0, -1], "p1": [0, 0, 1], **look}
    # The other cap lies on the ground, where nobody sees it.
    cap = {"type": "disk", **look, "to_world": body @ place.translate([0, 0, 1])}
    return {name: tube, f"{name}cap": cap}


def _colour(value: float | list[float]) -> Part:
    return {"type": "rgb", "value": value}


def _glow(radiance: float | list[float]) -> Part:
    """Light of its own, which is seen but towards which no path is sent."""
    return {"type": "area", "radiance": _colour(radiance), "sampling_weight": 0}


def _linear(value: float) -> float:
    """Light of a value in sRGB."""
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)
