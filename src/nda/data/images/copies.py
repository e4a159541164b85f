"""Copies of an image within a set: equal ones, and those that only look it.

Where copies fall on both sides of a split, what is measured on one side was learned by heart on the
other. A near copy is an image saved again, at another quality or size. Its thumbnail differs from
the other's by less than a 20th of the thumbnail's contrast, and by less than a quarter of what the
distinct images of this set usually differ by: photographs of one scene by one camera are no copies
of each other, though their thumbnails are almost alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from nda.data.reading.on_demand import OnDemand
from nda.errors import DataError

THUMBNAIL = 12  # pixels a side
NEAR = 1 / 20  # of a thumbnail's standard deviation: the RMS difference of a near copy
APART = 1 / 4  # of the usual distance to the fifth nearest thumbnail, likewise
_NEIGHBOUR = 5  # the first few may be copies themselves
_SAMPLE = 4000  # thumbnails among which the usual distance is taken
_BLOCK = 1024  # thumbnails compared at once
_VALUES = 2**21  # of images that are made floats at once
_AT_ONCE = 4096  # pairs whose difference is taken exactly at once
# Grey levels by which quick distances may be off. Their square is a 432th of a sum of products and
# squares that together are at most 4 * 432 * 255². Twice 434 roundings of 2^-53 make it wrong by at
# most 2.5e-8, and so the distance of equal thumbnails by at most 1.6e-4; that of others by less.
_ROUNDING = 1e-3


def copy_groups(images: Tensor) -> Tensor:
    """Which images are copies of each other: int64 (N,), equal for copies.

    `images` are uint8 (N, 3, H, W). Groups are numbered 0, 1, 2, ... in the order of their first
    images, so without copies the result counts from 0 to N - 1.
    """

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    thumbnails = images.thumbnails if isinstance(images, OnDemand) else thumbnails_of(images)
    # Equal ones are met by their bytes: n copies of one image have n² / 2 pairs.
    known: dict[bytes, int] = {}
    parent = [known.setdefault(_digest(row), n) for n, row in enumerate(thumbnails.numpy())]
    distinct = list(known.values())
    if len(distinct) < len(thumbnails):  # else a copy of them, in memory, of a large set
        thumbnails = thumbnails[distinct]
    for first, second in _pairs(thumbnails):
        low, high = sorted((root(distinct[first]), root(distinct[second])))
        parent[high] = low
    numbers: dict[int, int] = {}
    groups = [numbers.setdefault(root(row), len(numbers)) for row in range(len(images))]
    return torch.tensor(groups, dtype=torch.int64)


def joined(groups: Tensor, others: Tensor) -> Tensor:
    """Groups int64 (N,) that bring together what either of two groupings does, numbered as them.

    An image of both a group of the one and a group of the other joins the two.
    """
    found, before = groups, None
    while before is None or not torch.equal(found, before):
        before = found
        for grouping in (others, groups):
            least = torch.full((int(grouping.max()) + 1,), len(groups))
            found = least.scatter_reduce(0, grouping, found, "amin")[grouping]
    return found.unique(return_inverse=True)[1]


def held_out(groups: Tensor, every: int, where: str, *, labels: Tensor | None = None) -> Tensor:
    """Which images to hold out, bool (N,): every k-th group of copies, counted from the first.

    A class of `labels` (N,) whose images are all copies of one, such as pictures of no object, is
    parted all the same, so that no side is without it. Raises `DataError` where nothing is left to
    train on: all images at `where` are then copies of one.
    """
    held = groups % every == 0
    if labels is not None and len(labels.unique()) > 1:
        for label in labels.unique():
            rows = (labels == label).nonzero()[:, 0]
            if len(groups[rows].unique()) == 1:
                held[rows] = torch.arange(len(rows)) % every == 0
    if bool(held.all()):
        raise DataError(
            f"The {len(groups):,} images of {where} are copies of a single one, of which nothing "
            "can be learned; give images that differ."
        )
    return held


def firsts(groups: Tensor) -> Tensor:
    """The first image of each group, bool (N,): copies are counted once."""
    seen = torch.full((int(groups.max()) + 1 if len(groups) else 0,), len(groups))
    seen.scatter_reduce_(0, groups, torch.arange(len(groups)), "amin")
    chosen = torch.zeros(len(groups), dtype=torch.bool)
    chosen[seen] = True
    return chosen


def told(groups: Tensor) -> list[str]:
    """A sentence on the copies in a set that is split, if it has any."""
    copies = len(groups) - int(firsts(groups).sum())
    if not copies:
        return []
    are = (
        "is a copy or near copy of another"
        if copies == 1
        else "are copies or near copies of others"
    )
    return [f"{copies:,} of {len(groups):,} images {are}; copies stay on one side of the split."]


def told_across(train: Tensor, heldout: Tensor, name: str) -> list[str]:
    """A sentence on held-out images that were trained on, if there are any; `name` says which.

    Equal images alone: both splits are the user's, and a start should not wait for more.
    """
    known = set(pixel_digests(train))
    copies = sum(digest in known for digest in pixel_digests(heldout))
    if not copies:
        return []
    are = "is a copy of a training image" if copies == 1 else "are copies of training images"
    return [
        f"{copies:,} of {len(heldout):,} images of the {name} {are}, so figures on them say too "
        "much."
    ]


def pixel_digests(images: Tensor) -> Iterator[bytes]:
    """What tells images apart, in place of all their bytes: 16 of each."""
    if isinstance(images, OnDemand):
        return (row.tobytes() for row in images.digests.numpy())
    return map(_digest, images.numpy())


def _digest(row: NDArray[np.generic]) -> bytes:
    return hashlib.blake2b(row.tobytes(), digest_size=16).digest()


def thumbnails_of(images: Tensor) -> Tensor:
    """Small pictures (N, 3 side²) in levels of 0 to 255; smaller images stay as they are."""
    side = min(THUMBNAIL, *images.shape[-2:])
    found = torch.empty(len(images), 3 * side * side)
    # One room for all floats: small results between freed large ones would keep the memory of all.
    floats = torch.empty(max(1, _VALUES // max(1, images.shape[1:].numel())), *images.shape[1:])
    for part, small in zip(images.split(len(floats)), found.split(len(floats)), strict=True):
        some = floats[: len(part)].copy_(part)
        small.copy_(F.adaptive_avg_pool2d(some, side).flatten(1))
    return found


def _pairs(thumbnails: Tensor) -> Iterator[tuple[int, int]]:
    """Pairs of copies, each within a narrow range of mean brightness, so few are compared."""
    means = thumbnails.mean(dim=1, dtype=torch.float64)
    contrast = thumbnails.std(dim=1, correction=0)
    limit = (NEAR * contrast).clamp(max=APART * _usual_distance(thumbnails))
    order = means.argsort(stable=True)
    sorted_means = means[order]
    reach = sorted_means + limit[order]  # means differ by at most the RMS difference
    for start in range(0, len(order), _BLOCK):
        rows = order[start : start + _BLOCK]
        end = int(torch.searchsorted(sorted_means, reach[start : start + _BLOCK].max(), right=True))
        # Pairs with those before have been met from the other side.
        for first in range(start, end, _BLOCK):
            others = order[first : min(end, first + _BLOCK)]
            close = _distances(thumbnails[rows], thumbnails[others])
            # The quick distances are rounded: those that come near are taken again.
            maybe = close <= torch.minimum(limit[rows][:, None], limit[others]) + _ROUNDING
            # In parts: of images that are all alike this may be every pair of the two blocks.
            for part in maybe.nonzero().split(_AT_ONCE):
                one, two = rows[part[:, 0]], others[part[:, 1]]
                apart = (thumbnails[one] - thumbnails[two]).square().mean(dim=1).sqrt()
                near = (one != two) & (apart <= torch.minimum(limit[one], limit[two]))
                yield from zip(one[near].tolist(), two[near].tolist(), strict=True)


def _usual_distance(thumbnails: Tensor) -> float:
    """The median distance to the fifth nearest thumbnail, in a sample of a large set."""
    some = thumbnails[:: max(1, len(thumbnails) // _SAMPLE)]
    if len(some) < 2:
        return float("inf")
    nearest = min(_NEIGHBOUR, len(some) - 1) + 1  # the first is the image itself
    found = [
        _distances(part, some).topk(nearest, largest=False).values[:, -1]
        for part in some[: _SAMPLE // 2].split(_BLOCK)
    ]
    return float(torch.cat(found).median())


def _distances(some: Tensor, others: Tensor) -> Tensor:
    """RMS differences in double precision: in single one they are off by more than some noise."""
    found = torch.cdist(some.double(), others.double(), compute_mode="use_mm_for_euclid_dist")
    return found / some.shape[1] ** 0.5
