"""Resizing images with their boxes."""

from __future__ import annotations

import torch

from nda.data.boxes.decode import resized


def test_the_shorter_side_is_as_asked_and_boxes_follow() -> None:
    image = -torch.ones(3, 40, 60)
    image[:, 10:30, 20:50] = 1.0
    boxes = torch.tensor([[20.0, 10, 50, 30]])
    seen, around = resized(image, boxes, shorter=80, longest=1000)
    assert seen.shape == (3, 80, 120)
    assert around.tolist() == [[40, 20, 100, 60]]
    left, top, right, bottom = (int(x) for x in around[0])
    assert (seen[:, top + 1 : bottom - 1, left + 1 : right - 1] == 1).all()
    assert (seen[:, :, : left - 1] == -1).all()


def test_the_longer_side_has_a_limit() -> None:
    boxes = torch.tensor([[0.0, 0, 400, 100]])
    seen, around = resized(torch.zeros(3, 100, 400), boxes, shorter=80, longest=160)
    assert seen.shape == (3, 40, 160)
    assert around.tolist() == [[0, 0, 160, 40]]


def test_nothing_changes_at_the_right_size() -> None:
    image, boxes = torch.rand(3, 32, 48), torch.rand(2, 4)
    seen, around = resized(image, boxes, shorter=32, longest=64)
    assert seen is image
    assert torch.equal(around, boxes)
    assert resized(image, torch.zeros(0, 4), shorter=16, longest=64)[1].shape == (0, 4)
