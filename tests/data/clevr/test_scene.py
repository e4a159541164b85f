from __future__ import annotations

import json
import math

from nda.data.clevr.scene import COLOURS, Scene, SceneObject, from_json, to_json

SCENE = Scene(
    (
        SceneObject("cube", "red", "metal", "large", -1.25, 2.0, 45.5),
        SceneObject("cylinder", "cyan", "rubber", "small", 0.5, -0.75, 0.0),
    ),
    camera=(7.5, -6.5, 5.25),
    key_light=(1.0, 2.0, 3.0),
    fill_light=(4.0, 5.0, 6.0),
    back_light=(7.0, 8.0, 9.0),
)


def test_json_has_the_names_of_clevr_and_comes_back_whole() -> None:
    known = to_json(SCENE)
    assert known["objects"][0] == {
        "shape": "cube",
        "color": "red",
        "material": "metal",
        "size": "large",
        "3d_coords": [-1.25, 2.0, 0.7],
        "rotation": 45.5,
    }
    assert from_json(json.loads(json.dumps(known))) == SCENE


def test_a_scene_of_nothing_comes_back_too() -> None:
    empty = Scene((), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    assert from_json(json.loads(json.dumps(to_json(empty)))) == empty


def test_objects_stand_on_the_ground_and_cubes_reach_to_their_corners() -> None:
    cube, cylinder = SCENE.objects
    assert cube.centre == (-1.25, 2.0, 0.7)
    assert cylinder.centre == (0.5, -0.75, 0.35)
    assert math.isclose(cube.reach, math.dist((0, 0), (0.7, 0.7)))
    assert cylinder.reach == 0.35


def test_the_colours_are_eight_and_differ() -> None:
    assert len(set(COLOURS.values())) == 8
