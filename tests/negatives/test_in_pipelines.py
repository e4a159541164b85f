"""Negatives where others put transforms: a `Compose`, a `collate_fn`, an `nn.Sequential`."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, default_collate
from torchvision import tv_tensors
from torchvision.transforms import v2

import nda
from nda.negatives import NEGATIVE_NAMES

IMAGES = torch.randint(256, (10, 3, 16, 16), generator=torch.Generator().manual_seed(0)).byte()
LABELS = torch.arange(10)
MIXING = ("stitch", "cutmix", "blemish", "texture", "mixup")  # a sample with another of its batch


def test_in_a_collate_fn_a_batch_has_its_negatives_beside_it() -> None:
    negative = nda.Stitch()

    def collate(samples: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
        images, labels = default_collate(samples)
        return images, negative(images), labels

    loader = DataLoader(TensorDataset(IMAGES, LABELS), batch_size=4, collate_fn=collate)
    seen = 0
    for (images, negatives, labels), size in zip(loader, (4, 4, 2), strict=True):
        assert images.shape == negatives.shape == (size, 3, 16, 16)
        assert (images != negatives).flatten(1).any(dim=1).all()
        assert torch.equal(images, IMAGES[labels])
        seen += size
    assert seen == 10


def test_in_a_sequence_after_other_modules() -> None:
    chain = nn.Sequential(v2.ToDtype(torch.float32, scale=True), nn.Upsample(32), nda.Jigsaw())
    made = chain(IMAGES)
    assert made.shape == (10, 3, 32, 32)
    assert torch.allclose(made.flatten(1).sum(1), chain[:2](IMAGES).flatten(1).sum(1), rtol=1e-4)


@pytest.mark.parametrize("name", [*NEGATIVE_NAMES, "jigsaw+crack"])
def test_in_a_compose_one_image_at_a_time_its_label_goes_beside_it(name: str) -> None:
    compose = v2.Compose([nda.PerImage(nda.negative_from_name(name)), v2.Identity()])
    image = IMAGES[0]
    if name in MIXING:
        with pytest.raises(nda.UserError, match="holds 1; give at least 2 samples"):
            compose(image)
        return
    for given in (image, tv_tensors.Image(image), v2.functional.to_pil_image(image)):
        made = compose(given)
        assert type(made) is (type(given) if isinstance(given, Tensor) else Image.Image)
        assert not torch.equal(v2.functional.to_image(made), image)
    for sample in ((image, 7), [image, 7]):
        made, label = compose(sample)
        assert label == 7
        assert (made != image).any()
    assert compose(image, 7, "name")[1:] == (7, "name")


def test_an_image_stays_as_it_is_where_it_is_not_chosen() -> None:
    transform = nda.PerImage(nda.Jigsaw(), probability=0.5)
    changed = sum(bool((transform(IMAGES[0]) != IMAGES[0]).any()) for _ in range(200))
    assert 60 < changed < 140


def test_what_is_no_image_is_refused_under_its_name() -> None:
    with pytest.raises(nda.UserError, match="PerImage was given str; expected one image"):
        nda.PerImage(nda.Jigsaw())("photo.png")
    with pytest.raises(nda.UserError, match="PerImage was given probability=0; expected"):
        nda.PerImage(nda.Jigsaw(), probability=0)


@pytest.mark.parametrize("name", ["crack", "scar", "stain", "cutout"])
def test_one_image_at_a_time_with_what_follows_moving_image_and_mask_alike(name: str) -> None:
    compose = v2.Compose(
        [
            nda.WithMask(nda.negative_from_name(name)),
            v2.RandomHorizontalFlip(p=1.0),
            v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True),
        ]
    )
    image, mask = compose(tv_tensors.Image(IMAGES[0]))
    assert (image.dtype, image.shape, mask.shape) == (torch.float32, (3, 16, 16), (1, 16, 16))
    before = v2.functional.hflip(IMAGES[0]).float() / 255
    changed = (image - before).abs().amax(dim=0) > 1e-6
    assert changed.any()
    assert not (changed & (mask[0] == 0)).any()
