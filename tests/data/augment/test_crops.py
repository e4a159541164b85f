"""Random resized crops of a batch against torchvision's, image by image and in distribution."""

from __future__ import annotations

import pytest
import torch
import torchvision.transforms.v2.functional as TF
from torch import Tensor
from torchvision.transforms import v2

from nda.data.augment.crops import Crops, crop_and_flip, cut, draw_crops
from nda.errors import ShapeError


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("height", "width", "size"), [(17, 17, None), (20, 31, 16), (5, 5, 12)])
def test_every_image_is_cut_as_torchvision_cuts_it(
    height: int, width: int, size: int | None
) -> None:
    x = torch.rand(24, 3, height, width, generator=draws(1))
    crops = draw_crops(x, generator=draws())
    side = size or height
    for image, box, mirrored, found in zip(
        x, crops.boxes.tolist(), crops.mirrored.tolist(), cut(x, crops, size), strict=True
    ):
        expected = TF.resized_crop(image, *box, [side, side], antialias=False)
        torch.testing.assert_close(
            found, expected.flip(-1) if mirrored else expected, atol=1e-5, rtol=1e-4
        )


def boxes_of_torchvision(x: Tensor, count: int) -> Tensor:
    crop = v2.RandomResizedCrop(8, scale=(0.2, 1.0), antialias=True)
    drawn = [crop.make_params([x[0]]) for _ in range(count)]
    return torch.tensor([[d["top"], d["left"], d["height"], d["width"]] for d in drawn]).float()


@pytest.mark.parametrize(("height", "width"), [(32, 32), (24, 60)])
def test_boxes_are_distributed_as_torchvisions(height: int, width: int) -> None:
    torch.manual_seed(0)
    x = torch.rand(4000, 1, height, width)
    mine = draw_crops(x, generator=draws()).boxes.float()
    theirs = boxes_of_torchvision(x, 4000)
    for column in range(4):
        share = (mine[:, column].sort().values - theirs[:, column].sort().values).abs().mean()
        assert share < 0.05 * theirs[:, column].std() + 0.1, column


def test_boxes_lie_within_and_half_are_mirrored() -> None:
    x = torch.rand(2000, 3, 10, 13)
    crops = draw_crops(x, scale=(0.05, 1.0), generator=draws())
    top, left, height, width = crops.boxes.unbind(dim=1)
    assert int(top.min()) >= 0
    assert int(left.min()) >= 0
    assert int(height.min()) >= 1
    assert int((top + height).max()) <= 10
    assert int((left + width).max()) <= 13
    assert 0.45 < crops.mirrored.float().mean() < 0.55
    assert not draw_crops(x, flip=0.0, generator=draws()).mirrored.any()


def test_an_image_that_no_attempt_fits_is_cut_in_its_middle() -> None:
    x = torch.rand(50, 1, 4, 400)  # 3/4 to 4/3 of the area is always taller than 4 pixels
    boxes = draw_crops(x, scale=(0.9, 1.0), generator=draws()).boxes
    assert boxes.unique(dim=0).tolist() == [[0, 197, 4, 5]]


def test_the_whole_image_is_left_as_it_is() -> None:
    x = torch.rand(3, 2, 9, 9)
    whole = Crops(torch.tensor([[0, 0, 9, 9]] * 3), torch.tensor([False, True, False]))
    found = cut(x, whole)
    torch.testing.assert_close(found[0], x[0])
    torch.testing.assert_close(found[1], x[1].flip(-1))


def test_draws_differ_by_image_and_follow_from_the_generator() -> None:
    x = torch.rand(1, 3, 16, 16).expand(6, -1, -1, -1)
    one, same, other = (crop_and_flip(x, generator=draws(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert not torch.equal(one[0], one[1])


def test_other_tensors_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"floating images \(B, C, H, W\); got torch.uint8"):
        crop_and_flip(torch.zeros(2, 3, 8, 8, dtype=torch.uint8))
    with pytest.raises(ShapeError, match="8 x 9 need a size"):
        crop_and_flip(torch.zeros(2, 3, 8, 9))
