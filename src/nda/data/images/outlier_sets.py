"""Images from elsewhere, made ready to stand beside those of a run: read, resized, counted.

Two things would make an outlier score look better or worse than it is. Images may come in another
size or compression (`nda.data.images.jpeg`), and images of the data may hide among the others:
these are counted by a hash of their pixels.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from nda.bit_depths import FULL
from nda.data.images.image_set import ImageSet
from nda.data.images.load import load_images
from nda.data.images.torchvision import torchvision_splits
from nda.data.reading.layout import choose_split, heldout_split, parse_layout, select
from nda.data.reading.open import FORMATS, MAX_BYTES
from nda.data.reading.source import Source, open_source
from nda.errors import ConfigError, DataError

_TORCHVISION = "torchvision:"
_LOOKED_AT = 100  # files whose size is read, spread over a set


@dataclass(frozen=True)
class OutlierSet:
    """A set at the size of a run: `images` uint8 (N, 3, R, R), not yet through the JPEG pass."""

    name: str
    source: str  # file and split, such as "dtd_10.zip, test split"
    images: Tensor
    resized: str  # a size that is not the run's, such as "138 x 104"; empty where there is none
    skipped: int  # files that could not be read


def named_sources(words: Sequence[str]) -> dict[str, str]:
    """The sets that `NAME=PATH` words name, in their order (`ConfigError` for other words)."""
    sources: dict[str, str] = {}
    for word in words:
        name, equals, path = (part.strip() for part in word.partition("="))
        if not (name and equals and path):
            example = f"{Path(word).stem}={word}" if word and not equals else "digits=digits.zip"
            raise ConfigError(
                f"--ood is {word!r}; give a name and a folder, .zip or torchvision:NAME, such as "
                f"{example}."
            )
        if name in sources:
            raise ConfigError(
                f"--ood names two sets {name!r}: {sources[name]} and {path}. Give each a name of "
                "its own."
            )
        sources[name] = path
    return sources


def load_outlier_set(
    name: str,
    path: str,
    *,
    resolution: int,
    samples: int | None = None,
    skip_broken: bool = False,
    bit_depth: int | None = None,
) -> OutlierSet:
    """The images of `path`, of its test or validation split where it has one, at `resolution`.

    Pictures are read as everywhere (`nda.data.load_images`): grey becomes RGB, the shorter side is
    resized and the middle cut out. With `samples` at most that many are read, drawn
    as by `some_of`. Raises `DataError`, with the name of the set, for what cannot be read.
    """
    try:
        split, resized = _split_and_size(path, resolution)
        loaded = load_images(
            path,
            split=split,
            resolution=resolution,
            skip_broken=skip_broken,
            bit_depth=bit_depth or FULL,
            most=samples,
            generator=torch.Generator().manual_seed(0),
        )
    except DataError as error:
        raise DataError(f"--ood {name}: {error}") from error
    where = path if path.startswith(_TORCHVISION) else Path(path).name
    source = f"{where}, {split} split" if split else where
    return OutlierSet(name, source, loaded.images, resized, skipped=len(loaded.skipped))


def some_of(images: Tensor, samples: int | None) -> Tensor:
    """At most `samples` of the images, the same random choice every time; all without a number."""
    if samples is None or samples >= len(images):
        return images
    rng = torch.Generator().manual_seed(0)
    return images[torch.randperm(len(images), generator=rng)[:samples]]


@dataclass(frozen=True)
class Overlap:
    """How many of `images` images of a set have the pixels of a training or a held-out image."""

    images: int
    in_training: int
    in_heldout: int

    @property
    def warning(self) -> str:
        """What this does to the figures; empty where no image is shared."""
        shared = self.in_training + self.in_heldout
        if not shared:
            return ""
        found = (
            f"{self.in_training:,} of its {self.images:,} images are training images of this run "
            f"and {self.in_heldout:,} are held-out ones, pixel for pixel"
        )
        if shared >= self.images:
            return f"{found}: this set is the data itself, and its AUROC belongs near .5"
        return f"{found}: they draw the figures towards those of chance; take them out"


class KnownImages:
    """The training and held-out images of a run, by content."""

    def __init__(self, training: ImageSet, heldout: ImageSet) -> None:
        self.training = set(content_hashes(training.images))
        self.heldout = set(content_hashes(heldout.images)) - self.training

    def overlap(self, images: Tensor) -> Overlap:
        """Of images uint8 (N, 3, R, R), those that are known; each counts once, training first.

        Only equal pixels are found: a picture that was compressed or resized otherwise is not.
        """
        hashes = content_hashes(images)
        return Overlap(
            len(hashes),
            sum(each in self.training for each in hashes),
            sum(each in self.heldout for each in hashes),
        )


def content_hashes(images: Tensor) -> list[bytes]:
    """A digest of the pixels of each image uint8 (N, 3, H, W)."""
    rows = images.contiguous().numpy()
    return [hashlib.blake2b(row.data, digest_size=16).digest() for row in rows]


def _split_and_size(path: str, resolution: int) -> tuple[str | None, str]:
    """The split to take, None where there is no choice, and a size that has to be changed."""
    if path.startswith(_TORCHVISION):
        splits = torchvision_splits(path.removeprefix(_TORCHVISION))
        return heldout_split(splits, ""), ""
    with open_source(Path(path).expanduser()) as source:
        entries = parse_layout(source.stamps, source.where)
        present = {entry.split for entry in entries}
        split = heldout_split(present, "") or choose_split(present, None, source.where)
        names = select(entries, split, None, source.where).names
        return split or None, _other_size(source, names, resolution)


def _other_size(source: Source, names: Sequence[str], resolution: int) -> str:
    """The first size that is not the run's among some of the files, as "width x height"."""
    for name in names[:: max(1, len(names) // _LOOKED_AT)]:
        size = _size(source, name)
        if size is not None and size != (resolution, resolution):
            return f"{size[0]} x {size[1]}"
    return ""


def _size(source: Source, name: str) -> tuple[int, int] | None:
    """Width and height of a file; None where it cannot be read, of which its decoding tells."""
    if source.stamps[name][0] > MAX_BYTES:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(source.read(name)), formats=FORMATS) as image:
                return image.size
        except Exception:  # a decoder that is fed damaged bytes may raise anything
            return None
