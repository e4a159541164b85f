from __future__ import annotations

import pytest
import torch

from nda.data import ImageSet, to_float, to_uint8
from nda.errors import ShapeError

IMAGES = torch.arange(2 * 3 * 4 * 4).view(2, 3, 4, 4).to(torch.uint8)


def test_float_range_is_minus_one_to_one_and_every_value_survives() -> None:
    stored = torch.arange(256, dtype=torch.uint8)
    floating = to_float(stored)
    assert floating.dtype == torch.float32
    assert floating[[0, 255]].tolist() == [-1.0, 1.0]
    assert torch.equal(to_uint8(floating), stored)
    assert stored.dtype == torch.uint8


def test_to_uint8_rounds_clamps_and_leaves_its_input() -> None:
    floating = torch.tensor([-3.0, -1.0, 0.002, 1.0, 2.0])
    before = floating.clone()
    assert to_uint8(floating).tolist() == [0, 0, 128, 255, 255]
    assert torch.equal(floating, before)


def test_own_tensors_without_labels_have_no_classes() -> None:
    own = ImageSet.of(IMAGES)
    assert len(own) == 2
    assert own.labels.tolist() == [0, 0]
    assert own.labels.dtype == torch.int64
    assert own.classes == ()


def test_fingerprint_changes_with_pixels_labels_classes_and_shape_only() -> None:
    labels, classes = torch.tensor([0, 1]), ("cat", "dog")
    base = ImageSet.of(IMAGES, labels, classes)
    other_pixel = IMAGES.clone()
    other_pixel[1, 2, 3, 3] += 1
    said = {"skipped": ["x.jpg: broken"], "notes": ["One is dark."]}
    same = [ImageSet.of(IMAGES.clone(), labels.int(), classes, **said)]
    different = [
        ImageSet.of(other_pixel, labels, classes),
        ImageSet.of(IMAGES, labels.flip(0), classes),
        ImageSet.of(IMAGES, labels, ("cat", "fox")),
        ImageSet.of(IMAGES.view(2, 3, 2, 8), labels, classes),
    ]
    assert {images.fingerprint for images in same} == {base.fingerprint}
    assert len({base.fingerprint, *(images.fingerprint for images in different)}) == 5


@pytest.mark.parametrize(
    "images", [IMAGES.float(), IMAGES[:, :1], IMAGES[0]], ids=["float", "grey", "one image"]
)
def test_other_images_are_refused(images: torch.Tensor) -> None:
    with pytest.raises(ShapeError, match=r"uint8 of shape \(N, 3, H, W\).*to_uint8"):
        ImageSet.of(images)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.tensor([0.0, 1.0]), "whole numbers"),
        (torch.tensor([0, 1, 0]), r"shape \(2,\)"),
        (torch.tensor([0, 2]), r"0\.\.1.*got 0\.\.2"),
        (torch.tensor([-1, 0]), r"got -1\.\.0"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: torch.Tensor, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        ImageSet.of(IMAGES, labels, ("cat", "dog"))


def test_parts_of_a_set() -> None:
    images = torch.arange(10, dtype=torch.uint8).view(10, 1, 1, 1).expand(10, 3, 4, 4)
    whole = ImageSet.of(images, torch.arange(10) // 5, ("a", "b"), skipped=("broken.png",))
    assert whole.spread_out(4).images[:, 0, 0, 0].tolist() == [0, 3, 6, 9]
    assert whole.spread_out(4).labels.tolist() == [0, 0, 1, 1]
    assert whole.spread_out(0) is whole
    assert whole.spread_out(10) is whole
    some = whole.only(whole.labels == 1)
    assert some.images[:, 0, 0, 0].tolist() == [5, 6, 7, 8, 9]
    assert (some.classes, some.skipped) == (("a", "b"), ())
