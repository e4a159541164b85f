"""Images at hand that are none are refused with what makes images of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nda.data.images.given import pictures_of
from nda.errors import ShapeError


@pytest.mark.parametrize(
    ("images", "remedy"),
    [
        (np.zeros((3, 8, 8), np.uint8), r"to the end: image.transpose\(1, 2, 0\)"),
        (np.zeros((2, 3, 8, 9), np.uint8), r"images.transpose\(0, 2, 3, 1\)"),
        (np.zeros((8, 8, 3)), r"Write floats in \[0, 1\] as \(255 \* images\).round\(\)"),
        (np.zeros((8, 8, 5), np.uint8), "Give images of 1, 3 or 4 channels"),
        (torch.zeros(8, 8, 3, dtype=torch.uint8), r"to the front: image.permute\(2, 0, 1\)"),
        (torch.zeros(3, 8, 8), r"Write floats in \[0, 1\]"),
        ([{"image": 1, "label": 2}], r"a row with 'image', 'label'.*such as data\['image'\]"),
        ([object()], "object was found among the images"),
    ],
)
def test_what_is_no_image_is_refused_with_a_remedy(images: Any, remedy: str) -> None:
    with pytest.raises(ShapeError, match=remedy):
        list(pictures_of(images))


def test_grey_arrays_and_those_with_a_last_axis_of_channels_are_pictures() -> None:
    found = list(pictures_of(np.zeros((2, 8, 9, 1), np.uint8)))
    assert [(each.mode, each.size) for each in found] == [("L", (9, 8))] * 2
