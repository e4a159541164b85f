"""Softened twins of what is cut hard, and nulls that show nothing."""

from __future__ import annotations

import pytest
import torch

from nda.negatives import NEGATIVE_NAMES, negative_from_name
from nda.negatives.twins import null_is_the_image, softened


@pytest.mark.parametrize(
    ("text", "twin"),
    [
        ("jigsaw", "jigsaw:seam=feather"),
        ("jigsaw:grid=4, offset=random", "jigsaw:grid=4,offset=random,seam=feather"),
        ("stitch:seam=hard,edge=wavy", "stitch:edge=wavy,seam=feather"),
        ("jigsaw+mixup+ stitch", "jigsaw:seam=feather+mixup+stitch:seam=feather"),
        ("jigsaw:seam=feather", None),
        ("cutmix:low=0.2,seam=poisson", None),
        ("mixup", None),
        ("cutout", None),
        ("my own", None),
    ],
)
def test_the_twin_of_a_hard_cut(text: str, twin: str | None) -> None:
    assert softened(text) == twin


def test_the_null_of_a_twin_shows_what_that_of_a_hard_cut_does_not() -> None:
    x = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))

    def traceless(text: str) -> bool:
        rng = torch.Generator().manual_seed(1)
        return null_is_the_image(negative_from_name(text), x, rng)

    twins = {name: softened(name) for name in NEGATIVE_NAMES}
    assert {name for name, twin in twins.items() if twin} == {
        "jigsaw", "stitch", "cutmix", "blemish"
    }  # fmt: skip
    # A blemish is relit, and so is its null.
    assert {name for name in twins if not traceless(name)} == {"blemish", "scar"}
    assert not any(traceless(twin) for twin in twins.values() if twin)
    assert traceless("jigsaw:seam=poisson")
