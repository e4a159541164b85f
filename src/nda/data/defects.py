"""Test images of known kinds with the places of their faults, in MVTec-AD's layout.

test/<kind>/<name>.jpg and ground_truth/<kind>/<name>.png (or <name>_mask.png), white where the
fault is (Bergmann et al., 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from torch import Tensor

from nda.bit_depths import FULL
from nda.data.decode import Fit, quiet_pillow, read_pixels
from nda.data.images import load_images, open_member
from nda.data.layout import HELDOUT_SPLITS, MASKS, parse_layout, select
from nda.data.sources import Source, open_source
from nda.data.unicode_names import composed
from nda.errors import DataError


@dataclass(frozen=True)
class Defects:
    """Labelled test images: `images` uint8 (N, 3, R, R), `kinds[labels[i]]` the kind of image i.

    `normal` (N,) says which are of a class that was trained on. `masks` bool (N, R, R) are the
    faulty pixels, or None where no image has a mask.
    """

    images: Tensor
    labels: Tensor
    kinds: tuple[str, ...]
    normal: Tensor
    masks: Tensor | None


def load_defects(
    source: str,
    normal: Sequence[str],
    *,
    resolution: int,
    fit: Fit,
    skip_broken: bool = False,
    bit_depth: int | None = None,
) -> Defects | None:
    """The test split of `source`, where it has one with images of other classes than `normal`.

    Raises `DataError` for images or masks that cannot be read.
    """
    if source.startswith("torchvision:"):
        return None
    with open_source(Path(source).expanduser()) as opened:
        entries = parse_layout(opened.stamps)
        split = next((s for s in HELDOUT_SPLITS if any(e.split == s for e in entries)), None)
        known = {entry.label for entry in entries if entry.split == split}
        if split is None or not known - set(normal) or not known & set(normal):
            return None
        test = load_images(
            source,
            split=split,
            resolution=resolution,
            fit=fit,
            skip_broken=skip_broken,
            bit_depth=bit_depth or FULL,
        )
        names = select(entries, split, None, opened.where).names
        names = [n for n in names if not any(line.startswith(f"{n}: ") for line in test.skipped)]
        masks = _masks(opened, names, resolution, fit)
    is_normal = torch.tensor([name in normal for name in test.classes])[test.labels]
    return Defects(test.images, test.labels, test.classes, is_normal, masks)


def _masks(source: Source, names: list[str], resolution: int, fit: Fit) -> Tensor | None:
    """Masks of the images of these names; all False for those that have none."""
    found = {
        _place(name).removesuffix("_mask"): name
        for name in source.stamps
        if name.split("/")[0] == MASKS
    }
    if not found:
        return None
    masks = torch.zeros(len(names), resolution, resolution, dtype=torch.bool)
    with quiet_pillow():
        for index, name in enumerate(names):
            mask = found.get(_place(name))
            if mask is None:
                continue
            pixels = read_pixels(partial(open_member, source, mask), resolution, fit)
            if isinstance(pixels, str):
                raise DataError(
                    f"{source.where}: the mask {mask} cannot be read ({pixels}). Mend it or take "
                    "it away."
                )
            masks[index] = torch.from_numpy(np.ascontiguousarray(pixels[:, :, 0] > 127))
    return masks


def _place(name: str) -> str:
    """What an image's name and its mask's have in common: kind and name without the ending."""
    path = PurePosixPath(name)
    return composed(str(PurePosixPath(*path.parts[1:]).with_suffix("")))
