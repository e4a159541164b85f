"""Copies within a set: found when equal or saved again, never parted, and nobody else's."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from nda.data.copies import copies_of, copy_groups, firsts, held_out, told, told_across
from nda.errors import DataError


def pictures(count: int, size: int = 24, seed: int = 0) -> Tensor:
    """Smooth pictures, uint8 (N, 3, H, W), all different."""
    draws = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 5, 5, generator=draws)
    fine = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic")
    return (fine.clamp(0, 1) * 255).to(torch.uint8)


def saved_again(image: Tensor, quality: int) -> Tensor:
    """A picture (3, H, W) after a JPEG of that quality."""
    buffer = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(
        buffer, "JPEG", quality=quality, subsampling=0
    )
    return torch.from_numpy(np.array(Image.open(buffer))).permute(2, 0, 1)


def test_without_copies_every_image_is_a_group_of_its_own() -> None:
    assert copy_groups(pictures(2100)).tolist() == list(range(2100))  # more than two blocks


def test_equal_images_are_one_group_numbered_by_the_first() -> None:
    images = pictures(5)
    order = torch.tensor([0, 1, 0, 2, 3, 1, 4, 0])
    assert copy_groups(images[order]).tolist() == order.tolist()


@pytest.mark.parametrize("quality", [95, 75])
def test_an_image_saved_again_is_a_copy(quality: int) -> None:
    images = pictures(40, size=48)
    again = torch.stack([saved_again(image, quality) for image in images])
    assert copies_of(again, images).all()
    assert copy_groups(torch.cat([images, again])).tolist() == [*range(40), *range(40)]


def test_flat_images_are_copies_only_where_they_are_equal() -> None:
    grey = torch.tensor([10, 10, 200, 11], dtype=torch.uint8)
    images = grey.view(-1, 1, 1, 1).expand(-1, 3, 8, 8)
    assert copy_groups(images).tolist() == [0, 0, 1, 2]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30))
@settings(max_examples=30, deadline=None)
def test_firsts_choose_one_of_each_group(numbers: list[int]) -> None:
    known: dict[int, int] = {}
    groups = torch.tensor([known.setdefault(number, len(known)) for number in numbers])
    chosen = firsts(groups)
    assert sorted(groups[chosen].tolist()) == list(range(len(known)))
    assert all(not bool((groups[:row] == groups[row]).any()) for row in chosen.nonzero())


def test_what_is_said_of_them() -> None:
    assert told(torch.tensor([0, 1, 2])) == []
    assert told(torch.tensor([0, 1, 0])) == [
        "1 of 3 image is a copy or near copy of another; copies stay on one side of the split."
    ] or told(torch.tensor([0, 1, 0]))[0].startswith("1 of 3 images is a copy")
    images = pictures(6)
    assert told_across(images[:3], images[3:], "test split") == []
    (said,) = told_across(images[:4], images[2:], "test split")
    assert said.startswith("2 of 4 images of the test split are copies of training images")


@pytest.mark.parametrize("noise", [3.0, 10.0])
@pytest.mark.parametrize("brightness", [0.0, 2.0, 10.0])
def test_photographs_of_one_scene_by_one_camera_are_no_copies(
    noise: float, brightness: float
) -> None:
    draws = torch.Generator().manual_seed(0)
    scene = pictures(1, size=64).float()
    offset = brightness * torch.randn(60, 1, 1, 1, generator=draws)
    photographs = scene + offset + noise * torch.randn(60, 3, 64, 64, generator=draws)
    images = photographs.clamp(0, 255).to(torch.uint8)
    assert copy_groups(images).tolist() == list(range(60))
    assert copy_groups(images[torch.tensor([0, 1, 0])]).tolist() == [0, 1, 0]


def test_images_that_are_all_the_same_are_refused() -> None:
    with pytest.raises(DataError, match="The 3 images of here are copies of a single one"):
        held_out(torch.zeros(3, dtype=torch.int64), 5, "here")
    assert held_out(torch.tensor([0, 1, 0, 2]), 2, "here").tolist() == [True, False, True, True]


def test_a_class_of_one_image_and_its_copies_is_on_both_sides() -> None:
    groups, labels = torch.tensor([0, 0, 0, 0, 1, 2, 3]), torch.tensor([0, 0, 0, 0, 1, 1, 1])
    held = held_out(groups, 2, "here", labels=labels)
    assert held.tolist() == [True, False, True, False, False, True, False]
