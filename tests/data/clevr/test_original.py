from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nda.data.clevr.original import write_original_archive
from nda.data.images.load import load_images
from nda.errors import ConfigError, DataError

DEPTH = 11.0
FOCAL = 350.0  # pixels: 35 mm before 32 mm of film, 320 pixels wide


def thing(x: float, y: float, size: str = "small", shape: str = "sphere") -> dict[str, Any]:
    return {
        "shape": shape,
        "size": size,
        "color": "red",
        "material": "metal",
        "3d_coords": [0.0, 0.0, 0.35],
        "rotation": 10.0,
        "pixel_coords": [x, y, DEPTH],
    }


def scene(name: str, *objects: dict[str, Any]) -> dict[str, Any]:
    return {"image_filename": name, "image_index": 0, "split": "train", "objects": list(objects)}


SCENES = [
    scene("CLEVR_train_000000.png", thing(160, 120), thing(100, 80)),
    scene("CLEVR_train_000001.png", thing(200, 60), thing(45, 100)),  # one left of the square
    scene("CLEVR_train_000002.png", thing(160, 120), thing(200, 80), thing(120, 90)),
    scene("CLEVR_train_000003.png", thing(150, 100), thing(265, 90)),
]


def colour_of(index: int) -> tuple[int, int, int]:
    return (40 * index, 100, 200)


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """A folder laid out as CLEVR_v1.0, with pictures of one colour but for their sides."""
    folder = tmp_path / "CLEVR_v1.0"
    (folder / "images" / "train").mkdir(parents=True)
    (folder / "scenes").mkdir()
    for index, one in enumerate(SCENES):
        pixels = np.zeros((240, 320, 4), np.uint8)  # CLEVR's pictures have an alpha channel
        pixels[..., 3] = 255
        pixels[:, 40:280, :3] = colour_of(index)
        Image.fromarray(pixels).save(folder / "images" / "train" / one["image_filename"])
    (folder / "scenes" / "CLEVR_train_scenes.json").write_text(
        json.dumps({"info": {}, "scenes": SCENES})
    )
    return folder


def zipped(folder: Path, prefix: str) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*"):
            if file.is_file():
                archive.write(file, prefix + file.relative_to(folder).as_posix())
    return path


def take(source: Path, out: Path, counts: tuple[int, ...] = (2, 3), **changed: Any) -> Any:
    settings: dict[str, Any] = {"number": 10, "size": 32, "split": "train"}
    return write_original_archive(out, source, counts, **(settings | changed))


@pytest.mark.parametrize("form", ["folder", "zip", "zip with a folder around"])
def test_pictures_are_cut_resized_and_sorted_by_count(
    original: Path, tmp_path: Path, form: str
) -> None:
    source = original
    if form != "folder":
        source = zipped(original, "CLEVR_v1.0/" if form.endswith("around") else "")
    taken = take(source, tmp_path / "out.zip")
    assert taken.pictures == {2: 2, 3: 1}
    assert taken.cut == 1
    images = load_images(tmp_path / "out.zip")
    assert images.classes == ("2", "3")
    assert images.labels.tolist() == [0, 0, 1]
    # The black sides are cut off, and nothing else; the filter mixes some of them into the edge.
    for picture, index in zip(images.images, (0, 3, 2), strict=True):
        assert picture.shape == (3, 32, 32)
        assert picture[:, :, 4:-4].amin(dim=(1, 2)).tolist() == list(colour_of(index))
        assert picture[:, :, 4:-4].amax(dim=(1, 2)).tolist() == list(colour_of(index))
        assert picture.amin(dim=(1, 2)).tolist() >= [0, 85, 170]


def test_scenes_json_has_places_in_the_new_picture(original: Path, tmp_path: Path) -> None:
    take(original, tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        known = json.loads(archive.read("scenes.json"))["scenes"]
    assert [one["image_filename"] for one in known] == ["2/00000.png", "2/00001.png", "3/00000.png"]
    assert known[1]["original"] == "images/train/CLEVR_train_000003.png"
    # x: 160 is 120 of 240 pixels into the square, and 16 of 32.
    assert known[0]["objects"][0]["pixel_coords"] == pytest.approx([16, 16, DEPTH])
    assert known[0]["objects"][0]["color"] == "red"


@pytest.mark.parametrize(("size", "shape", "reach"), [
    ("small", "sphere", 0.35), ("large", "cylinder", 0.7), ("large", "cube", 0.7 * 2**0.5),
])  # fmt: skip
def test_an_object_must_lie_wholly_in_the_square(
    original: Path, tmp_path: Path, size: str, shape: str, reach: float
) -> None:
    edge = 40 + FOCAL * reach / DEPTH
    scenes = [
        scene("CLEVR_train_000000.png", thing(edge + 1, 100, size, shape)),
        scene("CLEVR_train_000001.png", thing(edge - 1, 100, size, shape)),
        scene("CLEVR_train_000002.png", thing(320 - edge - 1, 100, size, shape)),
        scene("CLEVR_train_000003.png", thing(320 - edge + 1, 100, size, shape)),
    ]
    rewrite(original, json.dumps({"scenes": scenes}))
    taken = take(original, tmp_path / "out.zip", (1,))
    assert (taken.pictures, taken.cut) == ({1: 2}, 2)


def test_no_more_than_asked_for(original: Path, tmp_path: Path) -> None:
    taken = take(original, tmp_path / "out.zip", (2,), number=1)
    assert (taken.pictures, taken.cut) == ({2: 1}, 0)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist() == ["2/00000.png", "scenes.json"]


def rewrite(original: Path, text: str) -> None:
    (original / "scenes" / "CLEVR_train_scenes.json").write_text(text)


def broken_picture(original: Path) -> None:
    path = original / "images" / "train" / "CLEVR_train_000000.png"
    path.write_bytes(path.read_bytes()[:300])


def without_picture(original: Path) -> None:
    (original / "images" / "train" / "CLEVR_train_000002.png").unlink()


def without_scenes(original: Path) -> None:
    (original / "scenes" / "CLEVR_train_scenes.json").unlink()


def no_json(original: Path) -> None:
    rewrite(original, "{scenes")


def other_json(original: Path) -> None:
    rewrite(original, '{"scenes": [{"image_filename": "a.png", "objects": [{"shape": "cube"}]}]}')


def no_list(original: Path) -> None:
    rewrite(original, '{"scenes": 7}')


@pytest.mark.parametrize(("damage", "message"), [
    (broken_picture, r"CLEVR_train_000000.png cannot be read .*Fetch CLEVR anew"),
    (without_picture, r"CLEVR_v1.0 has no images/train/CLEVR_train_000002.png"),
    (without_scenes, r"has no scenes/CLEVR_train_scenes.json.*folder or .zip of CLEVR_v1.0"),
    (no_json, r"CLEVR_train_scenes.json holds no scenes as CLEVR has them \(JSONDecodeError"),
    (other_json, r"holds no scenes as CLEVR has them \(KeyError: 'pixel_coords'\)"),
    (no_list, r"holds no scenes as CLEVR has them \(TypeError"),
])  # fmt: skip
def test_what_is_missing_or_broken_is_named(
    original: Path, tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    damage(original)
    with pytest.raises(DataError, match=message):
        take(original, tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()
    assert not list(tmp_path.glob(".out*"))


def test_counts_that_are_not_there_are_named(original: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no scene of 7, 9 objects; there are scenes of 2, 3\."):
        take(original, tmp_path / "out.zip", (2, 7, 9))


def test_a_count_whose_pictures_are_all_cut_is_refused(original: Path, tmp_path: Path) -> None:
    rewrite(original, json.dumps({"scenes": [SCENES[0], scene("x.png", thing(41, 100))]}))
    source = original / "images" / "train"
    (source / "CLEVR_train_000001.png").rename(source / "x.png")
    with pytest.raises(DataError, match=r"no picture of 1 object in .* middle square"):
        take(original, tmp_path / "out.zip", (1, 2))
    assert not (tmp_path / "out.zip").exists()


def test_a_split_without_scenes_is_refused(original: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no scenes of split 'test'; give --split train or val"):
        take(original, tmp_path / "out.zip", split="test")


def test_what_is_no_clevr_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere is no folder and no \.zip"):
        take(tmp_path / "nowhere", tmp_path / "out.zip")
    (tmp_path / "cut.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"cut.zip is not a readable zip"):
        take(tmp_path / "cut.zip", tmp_path / "out.zip")


def test_an_archive_that_exists_is_left_alone(original: Path, tmp_path: Path) -> None:
    (tmp_path / "out.zip").write_bytes(b"precious")
    with pytest.raises(ConfigError, match=r"out.zip exists already"):
        take(original, tmp_path / "out.zip")
    assert (tmp_path / "out.zip").read_bytes() == b"precious"
