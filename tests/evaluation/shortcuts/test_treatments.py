"""Treatments against loops over single images, at two sizes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nda.errors import ShapeError
from nda.evaluation.shortcuts.treatments import jigsaws, move_quadrants, scaled, treatments
from tests.support.elsewhere import ELSEWHERE, GeneratorElsewhere, made_by


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(3)


@pytest.mark.parametrize("side", [32, 64])
def test_every_quadrant_is_moved_by_itself_and_never_by_nothing(side: int) -> None:
    most = side // 16
    x = torch.rand(6, 3, side, side)
    moved = move_quadrants(x, draws())
    found = []
    for image, result in zip(x, moved, strict=True):
        padded = F.pad(image[None], (most,) * 4, mode="reflect")[0]
        for top in (0, side // 2):
            for left in (0, side // 2):
                quadrant = result[:, top : top + side // 2, left : left + side // 2]
                places = [
                    (dy, dx)
                    for dy in range(2 * most + 1)
                    for dx in range(2 * most + 1)
                    if torch.equal(
                        quadrant,
                        padded[:, top + dy : top + dy + side // 2,
                               left + dx : left + dx + side // 2],
                    )
                ]  # fmt: skip
                assert len(places) == 1
                found += places
    assert (most, most) not in found
    assert len(set(found)) > 8  # of 24 places no move


def test_the_draws_decide_the_moves() -> None:
    x = torch.rand(6, 3, 32, 32)
    assert torch.equal(move_quadrants(x, draws()), move_quadrants(x, draws()))


def test_a_move_is_uniform_among_the_others() -> None:
    x = torch.arange(32.0 * 32).view(1, 1, 32, 32).expand(5000, -1, -1, -1)
    corner = move_quadrants(x, draws())[:, 0, 10, 10]  # of the first quadrant, far from borders
    values, counts = corner.unique(return_counts=True)
    assert len(values) == 24
    assert 10 * 32 + 10 not in values.tolist()
    assert 140 < int(counts.min()) <= int(counts.max()) < 280  # 208 expected, deviation 14


@pytest.mark.parametrize("size", [(33, 32), (32, 33)])
def test_odd_images_have_no_quadrants(size: tuple[int, int]) -> None:
    with pytest.raises(ShapeError, match=f"{size[0]} x {size[1]}"):
        move_quadrants(torch.rand(2, 3, *size), draws())


def test_images_may_be_oblong_and_the_moves_go_by_the_shorter_side() -> None:
    x = torch.arange(64.0 * 32).view(1, 1, 64, 32).expand(3000, -1, -1, -1)
    corner = move_quadrants(x, draws())[:, 0, 10, 10].long() - (10 * 32 + 10)
    assert len(corner.unique()) == 24


@pytest.mark.parametrize("name", treatments(32))
@pytest.mark.parametrize(
    ("generator", "place"), [(torch.Generator(), "cpu"), (GeneratorElsewhere(), "meta")]
)
def test_all_but_the_draws_is_made_where_the_images_are(
    name: str, generator: torch.Generator, place: str
) -> None:
    x = torch.zeros(4, 3, 32, 32, device=ELSEWHERE)
    found: list[Tensor] = []
    made = made_by(lambda: found.append(treatments(32)[name](x, generator)))
    assert made.drawn <= {place}
    assert place == "cpu" or made.everything == {"meta"}
    assert (found[0].device, found[0].shape) == (ELSEWHERE, x.shape)


def test_lengths_grow_with_the_side() -> None:
    assert [scaled(2, side) for side in (8, 16, 24, 32, 64)] == [1, 1, 2, 2, 4]
    assert scaled(1, 8) == 1
    names = [name for name in treatments(64) if name.startswith("rolled")]
    assert names == [f"rolled by {rows} rows" for rows in (32, 24, 16, 10, 4)]
    x = torch.rand(2, 3, 64, 64)
    assert torch.equal(treatments(64)["rolled by 10 rows"](x, draws())[:, :, 10], x[:, :, 0])
    assert torch.equal(treatments(64)["upside down"](x, draws())[:, :, 0], x[:, :, -1])
    turned = treatments(64)["rotated by 90°"](x, draws())
    assert torch.equal(turned[:, :, 0, 0], x[:, :, 0, -1])
    hard, soft = jigsaws(2, 64)
    params = hard.draw(x, draws())
    changed = (hard.replay(x, params) != soft.replay(x, params)).any(dim=1)
    assert not changed[:, :26, :26].any()  # six pixels of 64 on either side of a cut
    assert changed[:, 26:38, 26:38].any(dim=0).all()
