from __future__ import annotations

import colorsys
import importlib
import math
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nda.data.clevr import render as clevr_render
from nda.data.clevr.draw import BACK_LIGHT, FILL_LIGHT, KEY_LIGHT, scene_of
from nda.data.clevr.scene import COLOURS, Scene, SceneObject
from nda.data.clevr.view import CAMERA, depth_map
from nda.errors import DataError

SIDE = 32


def scene_with(*objects: SceneObject) -> Scene:
    return Scene(objects, CAMERA, KEY_LIGHT, FILL_LIGHT, BACK_LIGHT)


def rendered(scene: Scene, size: int = SIDE, **settings: int) -> NDArray[np.uint8]:
    pytest.importorskip("mitsuba")
    return clevr_render.render(scene, size, **settings)


def inner(one: SceneObject) -> NDArray[np.bool_]:
    """Pixels that the object covers wholly, with those around them."""
    seen = np.isfinite(depth_map(one, CAMERA, SIDE))
    shifted = [np.roll(seen, shift, axis) for axis in (0, 1) for shift in (-1, 1)]
    return np.asarray(np.logical_and.reduce([seen, *shifted]))


def test_the_same_scene_gives_the_same_picture_to_the_bit() -> None:
    scene = scene_of(3, 0, seed=0)
    first = rendered(scene)
    assert first.shape == (SIDE, SIDE, 3)
    assert first.dtype == np.uint8
    for _ in range(8):
        assert np.array_equal(rendered(scene), first)


def test_noise_differs_by_seed_and_is_too_small_to_see() -> None:
    scene = scene_of(4, 2, seed=0)
    first, second = (rendered(scene, 64, seed=seed).astype(int) for seed in (0, 1))
    noise = math.sqrt(((first - second) ** 2).mean() / 2)
    assert 0 < noise < 2


@pytest.mark.parametrize("colour", sorted(COLOURS))
@pytest.mark.parametrize("material", ["rubber", "metal"])
def test_objects_have_their_colour_and_the_ground_is_grey(colour: str, material: str) -> None:
    ball = SceneObject("sphere", colour, material, "large", 0, 0, 0)
    picture = rendered(scene_with(ball))
    shown = picture[inner(ball)].mean(axis=0) / 255
    hue, saturation, _ = colorsys.rgb_to_hsv(*shown)
    wanted, vivid, _ = colorsys.rgb_to_hsv(*(level / 255 for level in COLOURS[colour]))
    if vivid == 0:
        assert saturation < 0.05
    else:
        assert saturation > 0.3
        assert abs((hue - wanted + 0.5) % 1 - 0.5) < 0.05
    ground = picture[~np.isfinite(depth_map(ball, CAMERA, SIDE))].astype(int)
    # Pixels at the ball's edge are mixed; all others are grey.
    assert (np.ptp(ground, axis=1) <= 6).mean() > 0.93
    assert 70 < ground.mean() < 190


def test_metal_shines_and_rubber_does_not() -> None:
    peaks = []
    for material in ("metal", "rubber"):
        ball = SceneObject("sphere", "blue", material, "large", 0, 0, 0)
        red = rendered(scene_with(ball), samples=64)[inner(ball)][:, 0]  # white light on blue
        peaks.append(int(red.max()) - int(np.median(red)))
    assert peaks[0] > 2 * peaks[1]


def test_things_cast_shadows() -> None:
    bare = rendered(scene_with(), samples=64).astype(int)
    ball = SceneObject("sphere", "red", "rubber", "large", 0, 0, 0)
    with_ball = rendered(scene_with(ball), samples=64).astype(int)
    around = ~np.isfinite(depth_map(ball, CAMERA, SIDE))
    darker = (bare - with_ball).mean(axis=2) * around
    assert darker.max() > 15
    assert (darker > 5).sum() >= 8


def test_ctrl_c_in_the_middle_of_a_picture_gives_no_part_of_it() -> None:
    """Also where the signal is ignored by Python: Mitsuba hears it all the same."""
    scene = scene_of(3, 0, seed=0)
    rendered(scene)  # all is loaded
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            rendered(scene, 512, samples=400)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.fixture
def without_mitsuba(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    real = importlib.import_module

    def absent(name: str, package: str | None = None) -> Any:
        if name in ("mitsuba", "drjit"):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return real(name, package)

    clevr_render.renderer.cache_clear()
    monkeypatch.setattr(importlib, "import_module", absent)
    yield
    clevr_render.renderer.cache_clear()


@pytest.mark.usefixtures("without_mitsuba")
def test_without_mitsuba_the_extra_is_named() -> None:
    with pytest.raises(DataError, match=r'not installed.*pip install "nda-torch\[clevr\]"'):
        clevr_render.render(scene_with())
