"""Test images of known kinds with the places of their faults, in MVTec-AD's layout.

test/<kind>/<name>.jpg and ground_truth/<kind>/<name>.png, also <name>_mask.png, <name>_GT.png or
several in a folder <name>, white where the fault is (Bergmann et al., 2019, 2022).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor

from nda.bit_depths import FULL
from nda.data.images.load import load_images
from nda.data.reading.decode import Fit, quiet_pillow, read_pixels
from nda.data.reading.layout import HELDOUT_SPLITS, MASKS, and_more, parse_layout, select
from nda.data.reading.open import open_raw
from nda.data.reading.source import Source, open_source
from nda.data.reading.unicode_names import composed
from nda.errors import DataError

_SUFFIX = re.compile(r"[_-](?:mask|gt)$", re.IGNORECASE)


@dataclass(frozen=True)
class Defects:
    """Labelled test images: `images` uint8 (N, 3, R, R), `kinds[labels[i]]` the kind of image i.

    `normal` (N,) says which are of a class that was trained on. `masks` bool (N, R, R) are the
    faulty pixels, or None where no image has a mask. `notes` tell of images without masks and of
    masks without images. `names` are those of the files (N,).
    """

    images: Tensor
    labels: Tensor
    kinds: tuple[str, ...]
    normal: Tensor
    masks: Tensor | None
    notes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def only(self, rows: Tensor) -> Defects:
        """The images `rows`, bool (N,)."""
        return replace(
            self,
            images=self.images[rows],
            labels=self.labels[rows],
            normal=self.normal[rows],
            masks=None if self.masks is None else self.masks[rows],
            names=tuple(name for name, kept in zip(self.names, rows, strict=True) if kept),
        )


def load_defects(
    source: str,
    normal: Sequence[str],
    *,
    resolution: int,
    fit: Fit,
    skip_broken: bool = False,
    bit_depth: int | None = None,
    places: tuple[int, int] | None = None,
) -> Defects | None:
    """The test split of `source`, where it has one with images of other classes than `normal`.

    Masks are of the size of the images, or with `places` of so many rows and columns, of which a
    place is faulty where any of its pixels is.

    Raises `DataError` for images or masks that cannot be read.
    """
    if source.startswith("torchvision:"):
        return None
    with open_source(Path(source).expanduser()) as opened:
        entries = parse_layout(opened.stamps, opened.where)
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
        read = partial(_read_mask, opened, resolution=resolution, fit=fit)
        if places:
            read = partial(_read_places, opened, places=places)
        masks, notes = _masks(opened, names, normal, places or (resolution, resolution), read)
    is_normal = torch.tensor([name in normal for name in test.classes])[test.labels]
    return Defects(
        test.images, test.labels, test.classes, is_normal, masks, tuple(notes), tuple(names)
    )


def _masks(
    source: Source,
    names: list[str],
    normal: Sequence[str],
    size: tuple[int, int],
    read: Callable[[str], Tensor],
) -> tuple[Tensor | None, list[str]]:
    """Masks of the images of these names, all False for those without one; and what to tell."""
    found = _masks_by_place(source)
    if not found:
        return None, []
    masks = torch.zeros(len(names), *size, dtype=torch.bool)
    without: list[str] = []
    with quiet_pillow():
        for index, name in enumerate(names):
            own = found.pop(_place(name), [])
            if not own and _place(name).split("/")[0] not in normal:
                without.append(name)
            for mask in own:
                masks[index] |= read(mask)
    strays = sorted(name for own in found.values() for name in own)
    return masks, [
        *_told("Faulty images without a mask, left out of the figures of pixels", without),
        *_told("Masks of no image of the test split", strays),
    ]


def _masks_by_place(source: Source) -> dict[str, list[str]]:
    """The masks of each place: of `x.png` x.png, x_mask.png, x_GT.png, or all of a folder x."""
    found: dict[str, list[str]] = {}
    for name in sorted(source.stamps):
        parts = name.split("/")
        if MASKS in parts[:-1][:2]:
            within = composed(str(PurePosixPath(*parts[parts.index(MASKS) + 1 :]).with_suffix("")))
            found.setdefault(_SUFFIX.sub("", within), []).append(name)
    folders = {place: place.rpartition("/")[0] for place in found if place.count("/") > 1}
    for place, folder in folders.items():  # several masks of an image, in a folder of its name
        if any(_place(name) == folder for name in source.stamps if MASKS not in name.split("/")):
            found.setdefault(folder, []).extend(found.pop(place))
    return found


def _read_places(source: Source, name: str, places: tuple[int, int]) -> Tensor:
    """The faulty places of a mask in its own pixels, of so many rows and columns."""
    mask = _read_mask(source, name, resolution=None, fit="crop").float()[None]
    return F.adaptive_max_pool2d(mask, places)[0].bool()


def _read_mask(source: Source, name: str, *, resolution: int | None, fit: Fit) -> Tensor:
    """The faulty pixels bool (R, R) of a mask, brought to size as its image is."""
    pixels = read_pixels(partial(_binary, source, name), resolution, fit)
    if isinstance(pixels, str):
        raise DataError(
            f"{source.where}: the mask {name} cannot be read ({pixels}). Mend it or take it away."
        )
    return torch.from_numpy(np.ascontiguousarray(pixels[:, :, 0] > 127))


def _binary(source: Source, name: str) -> Image.Image:
    """A mask as black and white, turned as its camera was.

    Where it has two values of which one is 0, the other is a fault, whatever it is: 1, 128 or 255,
    in 8 or 16 bits. Of more values, as JPEG makes, those above half of the full scale are.
    """
    picture = ImageOps.exif_transpose(open_raw(source, name))
    if picture.mode not in ("L", "P", "1") and not picture.mode.startswith("I"):
        picture = picture.convert("L")
    values = np.asarray(picture).astype(np.int64)
    few = np.unique(values)
    half = 32767 if picture.mode.startswith("I") else 127
    faulty = values > (0 if len(few) <= 2 and few[0] == 0 else half)
    return Image.fromarray((faulty * 255).astype(np.uint8))


def _told(what: str, names: Sequence[str]) -> list[str]:
    """A sentence that counts the names and gives the first few, if there are any."""
    first = ", ".join(names[:3]) + and_more(len(names[3:]))
    return [f"{what}: {len(names):,} ({first})."] if names else []


def _place(name: str) -> str:
    """What an image's name and its mask's have in common: kind and name without the ending."""
    path = PurePosixPath(name)
    return composed(str(PurePosixPath(*path.parts[1:]).with_suffix("")))
