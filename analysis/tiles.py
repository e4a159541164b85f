"""Which pictures of the magnetic tiles show the same tile.

The set was made by photographing each tile several times under other light: one picture after the
other, so that the numbers in the names run on, but some tiles again later. Two pictures are of one
tile where their numbers lie within 100 of a row of neighbours, or where the fine marks on them lie
alike: at 64 pixels, less what is smooth and what runs along the columns (the grinding), each
place by its own contrast, they correlate by more than 0.25 at a shift of at most 6 pixels. To join
two tiles by mistake costs a few groups; to miss that they are one makes figures too good.

    python analysis/tiles.py --data magnetic_tile_anomaly.zip --out results/anomaly/tiles.json
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nda.data.images.copies import joined
from nda.data.images.source import ImageSource

APART = 100  # numbers: from here on the names do not say that it is the same tile
ALIKE = 0.25  # correlation of marks: from here on it is the same tile
SHIFT = 6  # pixels of 64


def pictures(path: Path, splits: tuple[str, ...]) -> tuple[Tensor, list[str]]:
    """All pictures, uint8 (N, 3, 128, 128), and their names."""
    images: list[Tensor] = []
    names: list[str] = []
    for part in splits:
        found = ImageSource(path, resolution=128, fit="stretch").load(part)
        images.append(found.images)
        names += found.names
    return torch.cat(images), names


def marks(images: Tensor) -> Tensor:
    """What is left of pictures uint8 (N, 3, H, W) without light and grinding: (N, 58, 58)."""
    grey = F.interpolate(images.float().mean(dim=1, keepdim=True), (64, 64), mode="area")
    fine = grey - blurred(grey, 2.5)
    contrast = blurred(fine.square(), 5.0).sqrt() + 0.5
    fine = (fine / contrast).clamp(-3, 3)[:, 0, 3:-3, 3:-3]
    fine = fine - fine.mean(dim=(1, 2), keepdim=True)
    return fine - fine.mean(dim=1, keepdim=True)


def blurred(images: Tensor, deviation: float) -> Tensor:
    radius = int(3 * deviation)
    offsets = torch.arange(-radius, radius + 1)
    weights = torch.exp(-(offsets / deviation).square() / 2)
    weights = weights / weights.sum()
    padded = F.pad(images, [radius] * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, weights.view(1, 1, 1, -1)), weights.view(1, 1, -1, 1))


def correlations(fine: Tensor) -> Tensor:
    """The highest correlation of each two of (N, h, w) at small shifts, (N, N)."""
    unit = fine / fine.square().sum(dim=(1, 2), keepdim=True).sqrt().clamp(min=1e-6)
    size = unit.shape[-1] + 22  # a shift must not run into the other side
    spectra = torch.fft.rfft2(unit, s=(size, size))
    near = [*range(SHIFT + 1), *range(size - SHIFT, size)]
    found = torch.zeros(len(unit), len(unit))
    for row in range(len(unit)):
        shifted = torch.fft.irfft2(spectra[row].conj() * spectra[row:], s=(size, size))
        found[row, row:] = shifted[:, near][:, :, near].flatten(1).amax(dim=1)
    return torch.maximum(found, found.t())


def by_number(names: list[str]) -> Tensor:
    """Groups (N,) of pictures whose numbers lie within 100 of the next."""
    numbers = torch.tensor([int(re.findall(r"num_(\d+)", name)[0]) for name in names])
    order = numbers.argsort()
    new = torch.cat([torch.zeros(1, dtype=torch.bool), numbers[order].diff() > APART])
    return new.cumsum(0)[order.argsort()]


def by_marks(alike: Tensor) -> Tensor:
    """Groups (N,) of pictures that are alike (N, N), or have such between them."""
    groups, before = torch.arange(len(alike)), None
    while before is None or not torch.equal(groups, before):
        before = groups
        groups = torch.where(alike, groups[None], len(alike)).amin(dim=1).minimum(groups)
    return groups.unique(return_inverse=True)[1]


def shares(correlation: Tensor, number: Tensor) -> dict[str, Any]:
    """How pairs of pictures correlate, where their numbers say that they are one and where not."""
    upper = torch.triu(torch.ones(len(number), len(number)), 1).bool()
    same = number[:, None] == number[None]
    edges = torch.arange(-2, 21) / 20
    found: dict[str, Any] = {"from": [round(float(edge), 2) for edge in edges[:-1]]}
    for name, pairs in (("same_numbers", same & upper), ("other_numbers", ~same & upper)):
        found[name] = torch.histogram(correlation[pairs], edges).hist.int().tolist()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    images, names = pictures(options.data, ("train", "test"))
    correlation = correlations(marks(images))
    good = torch.tensor(["/good/" in name for name in names])
    normal = [name for name, is_good in zip(names, good.tolist(), strict=True) if is_good]
    among = correlation[good][:, good]
    number = by_number(normal)
    groups = joined(by_marks(among > ALIKE), number)
    known = correlation[~good][:, good].amax(dim=1) > ALIKE
    found = {
        "by_number": int(number.max()) + 1,
        "tiles": int(groups.max()) + 1,
        "faulty": int((~good).sum()),
        "faulty_whose_tile_is_among_the_normal": int(known.sum()),
        "correlations": shares(among, number),
        "tile_of": dict(zip(normal, groups.tolist(), strict=True)),
    }
    options.out.write_text(json.dumps(found, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
