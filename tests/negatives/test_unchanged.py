"""What a seed makes of a picture stays what it was, so that a resumed run goes on as it began."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from nda.errors import ShapeError
from nda.negatives import NEGATIVE_NAMES, Jigsaw, Mixup, Negative, OneOf, Texture
from nda.negatives.named import negative_from_name
from tests.negatives.test_contract import MIXED, SOFT, random_batch, seeded
from tests.support.kept import check_kept, figures, keep

GRIDS = [
    "jigsaw:grid=3",
    "jigsaw:grid=6",
    "jigsaw:grid=3,offset=random",
    "jigsaw:grid=6,offset=random",
    "stitch:edge=wavy",
]
FAINT = [f"{name}:strength=0.3" for name in ("crack", "scar", "texture", "missing")]
NAMED = [*NEGATIVE_NAMES, *GRIDS, *SOFT, *MIXED, *FAINT, "paste:labels=graded,strength=0.3"]
BUILT: dict[str, Negative] = {
    "texture of others": Texture(textures=random_batch((3, 3, 20, 30), torch.uint8, seed=5)),
    "grey texture": Texture(textures=random_batch((3, 1, 90, 80), torch.uint8, seed=6)),
    "weighed": OneOf([Jigsaw(), Mixup(), Jigsaw(4)], weights=[1, 2, 0.5]),
}
CASES = [*NAMED, *BUILT]


def picture(dtype: torch.dtype) -> Tensor:
    """Five images (3, 96, 72), smooth with some grain; the last one is grey."""
    y, x = torch.arange(96.0)[:, None] / 96, torch.arange(72.0) / 72
    waves = [torch.cos(7 * (k % 3 + 1) * x + 5 * (k // 3 + 1) * y + k) for k in range(15)]
    images = 0.45 * torch.stack(waves).view(5, 3, 96, 72)
    images = images + 0.5 * random_batch((5, 3, 96, 72), torch.float32)
    images[4] = images[4, :1]
    return images if dtype.is_floating_point else ((images + 1) * 127.5).round().to(dtype)


def negative_of(case: str) -> Negative:
    return BUILT[case] if case in BUILT else negative_from_name(case)


def made(case: str) -> dict[str, Any]:
    negative = negative_of(case)
    found: dict[str, Any] = {"shown": str(negative)}
    for dtype in (torch.float32, torch.uint8):
        x, unit = picture(dtype), 1 if dtype == torch.float32 else 255
        params = negative.draw(x, seeded(9))
        kind = str(dtype).removeprefix("torch.")
        found[f"{kind} replay"] = figures((negative.replay(x, params).float() - x) / unit)
        found[f"{kind} null"] = figures((negative.null(x, params).float() - x) / unit)
        if dtype == torch.float32:
            found["mask"] = figures(negative.mask(x, params))
            found |= {name: figures(value) for name, value in params.items()}
    return found


@pytest.mark.parametrize("case", CASES)
def test_a_seed_makes_what_it_made(case: str) -> None:
    check_kept("negatives", case, made(case))


@pytest.mark.parametrize("case", CASES)
def test_mixed_precision_changes_nothing_and_nothing_is_kept_in_checkpoints(case: str) -> None:
    negative, x = negative_of(case), picture(torch.float32)[:, :, ::2, ::2]
    params = negative.draw(x, seeded(3))
    uses = (negative.replay, negative.null, negative.mask)
    exact = [use(x, params) for use in uses]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = [use(x, params) for use in uses]
    for one, other in zip(exact, mixed, strict=True):
        assert torch.equal(one, other)
    assert negative.state_dict() == {}


@pytest.mark.parametrize("name", ["stitch", "cutmix", "mixup", "blemish", "texture"])
def test_a_sample_alone_is_refused_by_name(name: str) -> None:
    with pytest.raises(ShapeError, match=rf"^{name} mixes each sample with another one"):
        negative_from_name(name)(torch.zeros(1, 3, 8, 8))


if __name__ == "__main__":
    keep("negatives", CASES, made)
