"""Negatives are made where the images are, and drawn where their generator is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nda.negatives import NEGATIVE_NAMES, Negative, OneOf, Params, RandomApply, negative_from_name
from nda.negatives.transforms import WithMask
from tests.negatives.test_contract import MIXED, SOFT
from tests.support.elsewhere import ELSEWHERE, GeneratorElsewhere, Made, made_by

NAMES = [*NEGATIVE_NAMES, "jigsaw:grid=3", "jigsaw:grid=6", *MIXED, *SOFT]
NAMES += ["jigsaw:grid=6,offset=random"]
IMAGES = {"images": ((4, 3, 24, 12), torch.float32), "clips": ((4, 2, 3, 24, 12), torch.uint8)}


def zeros(kind: str) -> Tensor:
    shape, dtype = IMAGES[kind]
    return torch.zeros(shape, dtype=dtype, device=ELSEWHERE)


def use_of(negative: Negative, x: Tensor, generator: torch.Generator | None) -> Made:
    """Where all that a negative can do is done; its results are looked at too."""

    def use() -> None:
        params: Params = negative.draw(x, generator)
        assert {value.device for value in params.values()} <= {ELSEWHERE}
        for made in (negative.replay(x, params), negative.null(x, params)):
            assert (made.device, made.shape, made.dtype) == (ELSEWHERE, x.shape, x.dtype)
        mask = negative.mask(x, params)
        assert (mask.device, mask.shape) == (ELSEWHERE, (4, 1, 24, 12))
        assert mask.dtype == torch.float32

    return made_by(use)


@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("name", NAMES)
def test_everything_is_made_where_the_images_are(name: str, kind: str) -> None:
    negative = negative_from_name(name).to(ELSEWHERE)
    assert use_of(negative, zeros(kind), None).everything == {"meta"}


@pytest.mark.parametrize("name", [name for name in NAMES if name != "horizontal_flip"])
def test_draws_are_made_where_the_generator_is_and_follow_the_images(name: str) -> None:
    negative = negative_from_name(name)  # its tables are still on the processor
    for generator, place in ((torch.Generator(), "cpu"), (GeneratorElsewhere(), "meta")):
        assert use_of(negative, zeros("images"), generator).drawn == {place}


def test_a_transform_makes_image_and_mask_where_the_image_is() -> None:
    x = torch.zeros(4, 3, 24, 12, dtype=torch.uint8, device=ELSEWHERE)
    transform = WithMask(negative_from_name("cutmix"), probability=0.5)
    assert made_by(lambda: transform(x)).everything == {"meta"}


def test_ordinary_augmentations_are_drawn_there_too() -> None:
    x = zeros("images")
    augment = RandomApply(OneOf([negative_from_name("jigsaw")]))
    assert made_by(lambda: augment.to(ELSEWHERE)(x)).everything == {"meta"}
    for generator, place in ((torch.Generator(), "cpu"), (GeneratorElsewhere(), "meta")):
        made = made_by(lambda g=generator: augment(x, generator=g))  # type: ignore[misc]
        assert made.drawn == {place}
