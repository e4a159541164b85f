"""The jitter of pairs against a loop over pairs, and that it treats both of a pair alike."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nda.data.pairs.jitter import jitter_pairs

SIDE, LARGE = 64, 72  # 64 * 286 / 256 is 71.5


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def made(count: int = 5) -> Tensor:
    return torch.rand(count, 3, SIDE, SIDE, generator=draws(9)) * 2 - 1


def naive(image: Tensor, top: int, left: int, mirrored: bool, mode: str) -> Tensor:
    large = F.interpolate(image[None], (LARGE, LARGE), mode=mode)[0]
    cut = large[:, top : top + SIDE, left : left + SIDE]
    return cut.flip(-1) if mirrored else cut


@pytest.mark.parametrize("smooth", [True, False])
def test_every_pair_is_cut_and_mirrored_as_in_a_loop(smooth: bool) -> None:
    photos, labels = made(), made().flip(0)
    shaken = jitter_pairs(photos, labels, draws(), smooth_labels=smooth)
    same = draws()
    top, left = torch.randint(LARGE - SIDE + 1, (2, 5), generator=same).tolist()
    mirrored = torch.randint(2, (5,), generator=same).tolist()
    assert len(set(mirrored)) == 2
    for row in range(5):
        where = (top[row], left[row], bool(mirrored[row]))
        torch.testing.assert_close(shaken[0][row], naive(photos[row], *where, "bilinear"))
        mode = "bilinear" if smooth else "nearest-exact"
        torch.testing.assert_close(shaken[1][row], naive(labels[row], *where, mode))


def test_labels_get_no_colours_that_they_had_not() -> None:
    labels = torch.randint(2, (4, 3, SIDE, SIDE), generator=draws()).float()
    _, shaken = jitter_pairs(made(4), labels, draws(1), smooth_labels=False)
    assert set(shaken.unique().tolist()) == {0.0, 1.0}


def test_draws_differ_by_pair_and_by_generator() -> None:
    image = made(1).repeat(8, 1, 1, 1)
    first, _ = jitter_pairs(image, image, draws(1), smooth_labels=True)
    again, _ = jitter_pairs(image, image, draws(1), smooth_labels=True)
    other, _ = jitter_pairs(image, image, draws(2), smooth_labels=True)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first[0], first[1])
