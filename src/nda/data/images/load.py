"""Images of a folder, a zip or torchvision as documented functions: one uint8 tensor of a split."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from nda.data.images.image_set import ImageSet, to_float, to_uint8
from nda.data.images.source import ImageSource, Splits
from nda.data.reading.decode import Fit
from nda.runtime.files import StrPath

__all__ = ["ImageSet", "Splits", "load_images", "load_splits", "to_float", "to_uint8"]


def load_images(
    source: StrPath,
    *,
    split: str | None = None,
    resolution: int | None = None,
    classes: Sequence[str] | None = None,
    fit: Fit = "crop",
    skip_broken: bool = False,
    bit_depth: int | None = None,
    most: int | None = None,
    generator: torch.Generator | None = None,
    cache: bool = True,
    cache_dir: StrPath | None = None,
) -> ImageSet:
    """The images of one split of `source`, as uint8 `(N, 3, H, W)` with H = W.

    `source` is a folder, a `.zip` of one (read in place), or `torchvision:NAME`. Inside, images
    are named `[split/][class/]name`; in a zip, one folder around everything is looked through.
    `split` defaults to train, else all, else the only one there is. `classes` keeps only these;
    labels are indices into the sorted names kept, the same in every split.

    Pictures become RGB: grey, palette and CMYK are converted, transparency is laid over white, the
    orientation of a camera is applied, colour profiles are ignored and of an animation the first
    frame is taken. Files of more than 8 bits are scaled by one rule: white is 2^`bit_depth` - 1, or
    without it 65535; where all of them stay below a quarter of that they are refused. With
    `resolution` the shorter side is resized to it (Lanczos; smaller pictures are enlarged) and the
    middle is cut out; without, all must be square and of one size. With `fit="stretch"` nothing is
    cut off: the whole picture becomes square.

    With `most` they come in an order drawn by `generator`, at most so many of them, and no others
    are read. `skip_broken` leaves out files that cannot be read and lists them in `skipped`. The
    result is kept in `cache_dir` (by default $NDA_CACHE, $XDG_CACHE_HOME/nda or ~/.cache/nda)
    unless `cache` is false.

    Raises `DataError` for whatever cannot be used, naming the file and the remedy.
    """
    found = ImageSource(source, resolution, classes, fit, skip_broken, bit_depth, cache, cache_dir)
    return found.load(split, most=most, generator=generator)


def load_splits(
    source: StrPath,
    *,
    holdout: float = 0.1,
    split: str | None = None,
    resolution: int | None = None,
    classes: Sequence[str] | None = None,
    skip_broken: bool = False,
    bit_depth: int | None = None,
    cache: bool = True,
    cache_dir: StrPath | None = None,
) -> Splits:
    """Training images and held-out ones; the keywords are those of `load_images`.

    Held out is the test split, else the validation split. Where there is neither, every k-th image
    in order of the names is, about a share `holdout` of them, and with it its copies; with
    `holdout=0` nothing is, and the training images serve for both. `notes` of the training images
    say how many copies there are (`nda.data.images.copies`).
    """
    found = ImageSource(
        source, resolution, classes, "crop", skip_broken, bit_depth, cache, cache_dir
    )
    return found.splits(holdout, split)
