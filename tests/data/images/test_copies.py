"""Copies within a set: found when equal or saved again, never parted, and nobody else's."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from nda.data.images.copies import copy_groups, firsts, held_out, joined, told, told_across
from nda.errors import DataError


def pictures(count: int, size: int = 24, seed: int = 0) -> Tensor:
    """Smooth pictures, uint8 (N, 3, H, W), all different."""
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 5, 5, generator=rng)
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
        "1 of 3 images is a copy or near copy of another; copies stay on one side of the split."
    ]
    assert told(torch.tensor([0, 1, 0, 0])) == [
        "2 of 4 images are copies or near copies of others; copies stay on one side of the split."
    ]
    images = pictures(6)
    assert told_across(images[:3], images[3:], "test split") == []
    (said,) = told_across(images[:4], images[2:], "test split")
    assert said.startswith("2 of 4 images of the test split are copies of training images")


@pytest.mark.parametrize("noise", [3.0, 10.0])
@pytest.mark.parametrize("brightness", [0.0, 2.0, 10.0])
def test_photographs_of_one_scene_by_one_camera_are_no_copies(
    noise: float, brightness: float
) -> None:
    rng = torch.Generator().manual_seed(0)
    scene = pictures(1, size=64).float()
    offset = brightness * torch.randn(60, 1, 1, 1, generator=rng)
    photographs = scene + offset + noise * torch.randn(60, 3, 64, 64, generator=rng)
    images = photographs.clamp(0, 255).to(torch.uint8)
    assert copy_groups(images).tolist() == list(range(60))
    assert copy_groups(images[torch.tensor([0, 1, 0])]).tolist() == [0, 1, 0]


class LargestMade(TorchDispatchMode):
    """The bytes of the largest tensor that is made meanwhile."""

    largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for each in made if isinstance(made, tuple | list) else (made,):
            if isinstance(each, Tensor):
                self.largest = max(self.largest, each.nbytes)
        return made


def fixed_camera(count: int, noise: float) -> Tensor:
    """Photographs of one scene, whose thumbnails differ by a fraction of a level."""
    rng = torch.Generator().manual_seed(0)
    noises = noise * torch.randn(count, 3, 32, 32, generator=rng)
    return (pictures(1, size=32).float() + noises).clamp(0, 255).to(torch.uint8)


def one_pixel_apart() -> Tensor:
    """Photographs that are one, but for a level of one pixel in a cell of the thumbnail each."""
    images = pictures(1, size=96).clamp(max=254).repeat(432, 1, 1, 1)
    images[:, :, ::8, ::8] += torch.eye(432, dtype=torch.uint8).view(432, 3, 12, 12)
    return images


@pytest.mark.parametrize("noise", [0.5, 1.0, None])
def test_photographs_that_are_almost_alike_take_little_memory(noise: float | None) -> None:
    images = one_pixel_apart() if noise is None else fixed_camera(1100, noise)
    with LargestMade() as made:  # type: ignore[no-untyped-call]  # of torch
        groups = copy_groups(images)
    assert groups.tolist() == list(range(len(images)))
    assert made.largest < 64 * 2**20  # the differences of all pairs would be 300 MiB and more


def test_copies_among_photographs_that_are_almost_alike_are_found() -> None:
    photographs = fixed_camera(40, 3.0)
    slightly = photographs.clone()
    slightly[:, :, 0, 0] ^= 1
    images = torch.cat([photographs, slightly, photographs])
    assert copy_groups(images).tolist() == [*range(40)] * 3


def test_near_copies_are_found_among_many_equal_ones() -> None:
    image = pictures(1, size=48)[0]
    others = pictures(10, size=48, seed=1)
    again = saved_again(image, 75)
    images = torch.cat([image.expand(30, -1, -1, -1), others, again[None]])
    assert copy_groups(images).tolist() == [0] * 30 + [*range(1, 11), 0]


def test_images_that_are_all_the_same_are_refused() -> None:
    with pytest.raises(DataError, match="The 3 images of here are copies of a single one"):
        held_out(torch.zeros(3, dtype=torch.int64), 5, "here")
    assert held_out(torch.tensor([0, 1, 0, 2]), 2, "here").tolist() == [True, False, True, True]


def test_a_class_of_one_image_and_its_copies_is_on_both_sides() -> None:
    groups, labels = torch.tensor([0, 0, 0, 0, 1, 2, 3]), torch.tensor([0, 0, 0, 0, 1, 1, 1])
    held = held_out(groups, 2, "here", labels=labels)
    assert held.tolist() == [True, False, True, False, False, True, False]


def test_groups_are_joined_by_whoever_is_of_both() -> None:
    groups = torch.tensor([0, 1, 2, 3, 4, 2])
    others = torch.tensor([0, 0, 1, 2, 1, 3])
    assert joined(groups, others).tolist() == [0, 0, 1, 2, 1, 1]
    assert joined(others, groups).tolist() == [0, 0, 1, 2, 1, 1]
    apart = torch.arange(6)
    assert joined(groups, apart).tolist() == groups.tolist()
    chain = torch.tensor([0, 1, 1, 2, 2, 3]), torch.tensor([0, 0, 1, 1, 2, 2])
    assert joined(*chain).tolist() == [0] * 6
