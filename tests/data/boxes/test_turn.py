"""Boxes of photographs that a camera stored on their side, or mirrored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from nda.data.boxes.load import load_boxes
from nda.data.boxes.turn import turned
from nda.errors import DataError
from tests.support.made_boxes import write_voc, write_xml

ORIENTATION = 0x0112


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_box_holds_what_it_held(orientation: int) -> None:
    image = Image.new("L", (7, 5))
    image.paste(255, (1, 2, 6, 4))
    exif = image.getexif()
    exif[ORIENTATION] = orientation
    upright = np.asarray(ImageOps.exif_transpose(image))
    left, top, right, bottom = map(int, turned((1, 2, 6, 4), orientation, (7, 5)))
    assert (upright[top:bottom, left:right] == 255).all()
    assert (right - left) * (bottom - top) == 10


def turn(folder: Path, orientation: int) -> tuple[int, int]:
    """Mark the first training image as stored so; its width and height."""
    file = folder / "JPEGImages" / "train00.png"
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    with Image.open(file) as image:
        image.load()
    image.save(file, exif=exif)
    return image.size


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    return write_voc(tmp_path / "voc")


def inside(folder: Path) -> torch.Tensor:
    """The pixels of the first training image in its first box."""
    train = load_boxes(folder).train
    left, top, right, bottom = train.boxes[0][0].int().tolist()
    assert (right - left, bottom - top) == (20, 20)
    return train.images[0][:, top:bottom, left:right]


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_boxes_are_turned_where_the_annotation_has_the_size_of_what_is_stored(
    voc: Path, orientation: int
) -> None:
    turn(voc, orientation)
    assert (inside(voc) == torch.tensor([250, 240, 60]).view(3, 1, 1)).all()


def test_boxes_stay_where_the_annotation_has_the_size_of_what_is_seen(voc: Path) -> None:
    width, height = turn(voc, 6)
    left, top, right, bottom = load_boxes(voc).train.boxes[0][0].tolist()
    seen = (left + 1, top + 1, right, bottom)
    write_xml(voc, "train00", (height, width), [("disc", seen, False)])
    assert (inside(voc) == torch.tensor([250, 240, 60]).view(3, 1, 1)).all()


@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_boxes_of_which_nothing_tells_whether_they_are_turned_are_refused(
    voc: Path, orientation: int
) -> None:
    turn(voc, orientation)
    with pytest.raises(DataError, match=rf"EXIF orientation \({orientation}\).*save it upright"):
        load_boxes(voc)
    splits = load_boxes(voc, skip_broken=True)
    assert len(splits.train) == 11


def test_an_annotation_without_a_size_does_not_tell(voc: Path) -> None:
    turn(voc, 6)
    annotation = voc / "Annotations" / "train00.xml"
    text = annotation.read_text()
    annotation.write_text(text[: text.index("<size>")] + text[text.index("</size>") + 7 :])
    with pytest.raises(DataError, match="cannot be told"):
        load_boxes(voc)
