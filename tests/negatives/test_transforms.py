"""Negatives as transforms of torchvision: `image -> (image, mask)` for every kind of image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import default_collate
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from nda.errors import ConfigError, ShapeError
from nda.negatives import NEGATIVE_NAMES, Crack, Paste, Scar, Stain, Texture, negative_from_name
from nda.negatives.transforms import PerImage, WithMask

ALONE = ("crack", "scar", "stain", "paste", "missing")  # of one image, without another


def photograph(seed: int = 0, channels: int = 3) -> Tensor:
    """A uint8 image (C, 40, 48) with structure everywhere."""
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(256, (channels, 40, 48), generator=rng).to(torch.uint8)


@pytest.mark.parametrize("name", ALONE)
def test_a_single_image_is_changed_where_the_mask_says_and_nowhere_else(name: str) -> None:
    torch.manual_seed(0)
    image = photograph()
    found, mask = WithMask(negative_from_name(name))(image)
    assert type(found) is Tensor
    assert found.dtype == torch.uint8
    assert mask.shape == (1, 40, 48)
    assert mask.dtype == torch.float32
    changed = (found != image).any(0)
    assert bool(changed.any())
    assert bool((mask[0] > 0)[changed].all())


@pytest.mark.parametrize("name", NEGATIVE_NAMES)
def test_floats_in_the_unit_range_give_what_uint8_gives_to_a_rounding(name: str) -> None:
    images = torch.stack([photograph(seed) for seed in range(4)])
    transform = WithMask(negative_from_name(name))
    torch.manual_seed(1)
    of_bytes, mask = transform(images)
    torch.manual_seed(1)
    of_floats, same_mask = transform(images.float() / 255)
    assert mask.shape == (4, 1, 40, 48)
    assert torch.equal(mask, same_mask)
    drawn_anew = name == "gaussian_noise"  # in another dtype other numbers are drawn
    if not drawn_anew:
        assert float((of_floats * 255 - of_bytes.float()).abs().max()) <= 1.01


def test_untouched_pixels_keep_their_bits_whatever_the_range() -> None:
    image = torch.rand(3, 40, 48) * 200 - 50
    torch.manual_seed(0)
    found, mask = WithMask(Crack(), value_range=(-50, 150))(image)
    outside = (mask == 0).expand_as(image)
    assert torch.equal(found[outside], image[outside])
    assert not torch.equal(found, image)
    assert float(found.min()) >= -50
    assert float(found.max()) <= 150


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_pictures_stay_pictures(mode: str) -> None:
    picture = functional.to_pil_image(photograph(channels=1 if mode == "L" else 3))
    torch.manual_seed(0)
    found, mask = WithMask(Stain())(picture)
    assert isinstance(found, Image.Image)
    assert (found.mode, found.size) == (mode, picture.size)
    changed = (np.asarray(found) != np.asarray(picture)).reshape(40, 48, -1).any(-1)
    assert changed.any()
    assert bool((mask[0] > 0)[torch.from_numpy(changed)].all())


def test_in_a_compose_image_and_mask_are_moved_alike() -> None:
    picture = functional.to_pil_image(torch.full((3, 64, 64), 128, dtype=torch.uint8))
    after = [v2.RandomHorizontalFlip(p=1), v2.ToImage()]
    torch.manual_seed(3)
    found, mask = v2.Compose([WithMask(Crack()), *after])(picture)
    torch.manual_seed(3)
    plain, its_mask = WithMask(Crack())(picture)
    assert isinstance(found, tv_tensors.Image)
    assert isinstance(mask, tv_tensors.Mask)
    assert torch.equal(mask, its_mask.flip(-1))
    assert torch.equal(found, functional.to_image(plain).flip(-1))
    changed = (found != 128).any(0)
    assert bool(changed.any())
    assert bool((mask[0] > 0)[changed].all())


def test_a_wrapped_image_stays_one() -> None:
    found, mask = WithMask(Paste(labels="graded"))(tv_tensors.Image(photograph()))
    assert type(found) is tv_tensors.Image
    assert len(mask.unique()) > 2


def test_every_image_of_a_batch_has_its_own_draw_and_its_own_chance() -> None:
    torch.manual_seed(0)
    batch = photograph()[None].expand(200, -1, -1, -1)
    found, mask = WithMask(Scar(), probability=0.25)(batch)
    changed = (found != batch).flatten(1).any(1)
    assert torch.equal(changed, mask.flatten(1).any(1))
    assert 25 <= int(changed.sum()) <= 75  # of 200: further than four deviations from 50 otherwise
    assert len(mask[changed].flatten(1).unique(dim=0)) == int(changed.sum())


def test_in_a_data_set_every_image_is_drawn_anew() -> None:
    transform = WithMask(Crack())
    found = [transform(photograph()) for _ in range(4)]
    images, masks = default_collate(found)
    assert len(images.flatten(1).unique(dim=0)) == 4
    assert masks.shape == (4, 1, 40, 48)


def test_textures_of_a_folder_make_a_single_image_possible() -> None:
    textures = torch.stack([photograph(seed) for seed in range(2)])
    found, mask = WithMask(Texture(textures=textures))(photograph(5))
    assert bool((found != photograph(5)).any())
    assert bool(mask.any())


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.zeros(40, 40), r"shape \(40, 40\); expected an image \(C, H, W\) or a batch"),
        (torch.full((3, 40, 40), -2.1), r"floats from -2\.1 to -2\.1; expected them in \[0, 1\]"),
        (torch.full((3, 40, 40), float("nan")), r"floats from nan to nan"),
        (Image.new("RGBA", (40, 40)), r"mode RGBA; expected L or RGB \(convert it"),
        (np.zeros((40, 40, 3)), r"was given ndarray; expected one image"),
        (torch.zeros(3, 40, 40, dtype=torch.int64), r"int64; .*with x\.to\(torch\.uint8\)"),
    ],
)
def test_other_images_are_refused_in_a_sentence(image: object, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        WithMask(Crack())(image)


def test_a_single_image_has_no_partner() -> None:
    with pytest.raises(ShapeError, match="choose a negative that needs no partner"):
        WithMask(Texture())(photograph())


def test_an_image_in_another_range_is_changed_alike() -> None:
    image = torch.rand(3, 40, 48, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    expected, mask = WithMask(Stain())(image)
    torch.manual_seed(0)
    found, same = WithMask(Stain(), value_range=(-50, 150))(200 * image - 50)
    torch.testing.assert_close(found, 200 * expected - 50, rtol=0, atol=1e-3)
    assert torch.equal(mask, same)
    assert not torch.equal(expected, image)


@pytest.mark.parametrize(("black", "white"), [(0.0, 1.0), (-50.0, 150.0)])
def test_floats_may_leave_the_range_by_an_eighth_of_it(black: float, white: float) -> None:
    transform, span = WithMask(Crack(), value_range=(black, white)), white - black
    image = torch.full((3, 16, 16), black)
    for end, sign in ((black, -1), (white, 1)):
        image[0, 0, 0] = end + sign * 0.124 * span
        transform(image)
        image[0, 0, 0] = end + sign * 0.126 * span
        with pytest.raises(ShapeError, match=r"WithMask was given floats from .* to .*; expected"):
            transform(image)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"probability=0; expected a share of the images above 0"):
        WithMask(Crack(), probability=0)
    with pytest.raises(ConfigError, match=r"value_range=\(1, 0\); expected two finite numbers"):
        WithMask(Crack(), value_range=(1, 0))
    for wrong in ((0, float("inf")), (float("-inf"), 0), (float("nan"), 1), (0, 1, 2)):
        with pytest.raises(ConfigError, match=r"expected two finite numbers, black below white"):
            WithMask(Crack(), value_range=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [WithMask, PerImage])
def test_what_is_no_negative_is_refused(kind: type[WithMask]) -> None:
    for wrong, named in (("crack", "'crack'"), (Crack, "<class '.*Crack'>")):
        with pytest.raises(ConfigError, match=f"given {named}; expected a negative, such as nda"):
            kind(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [WithMask, PerImage])
def test_masks_and_boxes_are_no_images(kind: type[WithMask]) -> None:
    boxes = tv_tensors.BoundingBoxes(torch.zeros(1, 4), format="XYXY", canvas_size=(40, 40))
    for other in (tv_tensors.Mask(torch.zeros(1, 40, 40, dtype=torch.uint8)), boxes):
        with pytest.raises(ShapeError, match=f"given {type(other).__name__}; expected one image"):
            kind(Crack())(other)


def test_a_label_beside_the_image_is_refused_in_a_sentence() -> None:
    pipeline = v2.Compose([v2.ToImage(), WithMask(Crack())])
    with pytest.raises(ShapeError, match=r"given 2 arguments; expected one .*nda\.PerImage"):
        pipeline(Image.new("RGB", (40, 40)), 3)


def test_it_says_what_it_does() -> None:
    assert "Crack" in repr(WithMask(Crack(), probability=0.5))
    assert "probability=0.5" in repr(WithMask(Crack(), probability=0.5))
