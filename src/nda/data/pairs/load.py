"""Loading pairs: photographs and label images (or other pictures) that show the same."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import torch
from torch import Tensor

from nda.data.images.cache import cached
from nda.data.images.copies import copy_groups, held_out, told
from nda.data.images.image_set import ImageSet
from nda.data.pairs.decode import DecodedPairs, Reading, decode_pairs
from nda.data.pairs.layout import (
    PairNames,
    cityscapes_root,
    is_cityscapes,
    pairs_of_cityscapes,
    pairs_of_sources,
    pairs_of_trees,
    pairs_side_by_side,
)
from nda.data.pairs.palette import Palette
from nda.data.reading.layout import choose_split, heldout_split
from nda.data.reading.open import open_member, open_raw
from nda.data.reading.passed import passed_reasons, with_passed
from nda.data.reading.source import Source, open_source
from nda.errors import DataError
from nda.runtime.files import StrPath, cache_folder
from nda.validators import counted

MOSTLY = 0.5  # share of label pixels without a class from which on the palette is doubted


@dataclass(frozen=True)
class Pairs:
    """Photographs and labels in the palette's colours, both uint8 `(N, 3, R, R)` on the CPU.

    `names` are the pairs' names without split and ending, `notes` say in sentences what was left
    out or taken otherwise than it stands, and `fingerprint` is a digest of the pixels.
    """

    photos: Tensor
    labels: Tensor
    names: tuple[str, ...]
    notes: tuple[str, ...]
    fingerprint: str

    def __len__(self) -> int:
        return len(self.photos)

    def only(self, rows: Tensor) -> Pairs:
        """The pairs of `rows`, bool `(N,)`, without what was said of the whole."""
        photos, labels = ImageSet.of(self.photos[rows]), ImageSet.of(self.labels[rows])
        names = tuple(name for name, kept in zip(self.names, rows.tolist(), strict=True) if kept)
        return Pairs(photos.images, labels.images, names, (), _fingerprint(photos, labels))


@dataclass(frozen=True)
class PairSplits:
    """Pairs to train on and pairs to evaluate on; `heldout_name` says what the latter are."""

    train: Pairs
    heldout: Pairs
    heldout_name: str
    taken: str = ""  # a sentence: how many pairs of the source these are, and what else lies there


@dataclass(frozen=True)
class PairSource:
    """Where pairs are and how they are told apart.

    `data` is a folder or `.zip` with two folders, `photo_tree` and `label_tree`, in it; or of
    photographs alone, with `label_data` for their labels; or, `side_by_side`, of images whose left
    half is the photograph. Cityscapes' own layout is known, at `data` or as
    `torchvision:Cityscapes`. Labels whose colour is within `tolerance` of one of the palette's
    count as that one; without a palette they are pictures.
    """

    data: StrPath
    photo_tree: str = "images"
    label_tree: str = "labels"
    label_data: StrPath | None = None
    side_by_side: bool = False
    palette: Palette | None = None
    tolerance: int = 0


@dataclass(frozen=True)
class _Options:
    resolution: int
    skip_broken: bool
    cache: bool
    folder: Path
    bit_depth: int | None


def load_pairs(
    source: PairSource,
    *,
    resolution: int,
    holdout: float = 0.1,
    skip_broken: bool = False,
    bit_depth: int | None = None,
    cache: bool = True,
    cache_dir: StrPath | None = None,
) -> PairSplits:
    """Pairs of the training split and held-out ones, every picture resized to a square.

    Held out is the test split, else the validation split; where there is neither, every k-th pair
    in order of the names is, about a share `holdout` of them. Raises `DataError` for whatever
    cannot be used, naming the file and the remedy.
    """
    options = _Options(resolution, skip_broken, cache, cache_folder(cache_dir), bit_depth)
    with ExitStack() as opened:
        pairs, photos, labels = _open(source, options, opened)
        present = {pair.split for pair in pairs}
        training = choose_split(present, None, photos.where)
        load = partial(_load, source=source, photos=photos, labels=labels, options=options)
        chosen = [pair for pair in pairs if pair.split == training]
        other = heldout_split(present, training)
        taken = _told_taken(pairs, training, other, photos, labels)
        if other:
            held = [pair for pair in pairs if pair.split == other]
            parts = load(chosen, part=training), load(held, part=other)
            return PairSplits(*parts, f"{other} split", taken)
        every = round(1 / holdout) if holdout else 0
        if not 1 < every <= len(chosen):
            raise DataError(
                f"{photos.where} has {len(chosen)} pairs and no test split, of which --holdout "
                f"{holdout:g} holds none out; give a share between 0 and 0.5 that suits them."
            )
        splits = _held_out(load(chosen, part=training), every, photos.where)
        return replace(splits, taken=taken)


def _told_taken(
    pairs: Sequence[PairNames], training: str, other: str | None, photos: Source, labels: Source
) -> str:
    """How many pairs are taken, and what lies beside them that is none."""
    splits = Counter(pair.split for pair in pairs)
    text = counted(splits.pop(training), "pair")
    text += f" of split {training} are taken" if training else " are taken"
    if other:
        text += f" to train on and {splits.pop(other):,} of split {other} to measure on"
    reasons = [f"{count:,} of split {split}" for split, count in splits.items()]
    sources = {photos.where: photos, labels.where: labels}.values()
    inside = {name for pair in pairs for name in (pair.photo, pair.label)}
    if unpaired := sum(name not in inside for source in sources for name in source.stamps):
        reasons.append(f"{counted(unpaired, 'picture')} of no pair")
    passed: Counter[str] = sum((Counter(source.passed) for source in sources), Counter())
    return with_passed(text, [*reasons, *passed_reasons(passed)])


def _held_out(pairs: Pairs, every: int, where: str) -> PairSplits:
    """Every k-th pair held out, and all those whose photograph is a copy of its photograph."""
    groups = copy_groups(pairs.photos)
    held = held_out(groups, every, where)
    train, heldout = pairs.only(~held), pairs.only(held)
    if min(len(train), len(heldout)) < 2:
        raise DataError(
            f"{where} has {len(pairs)} pairs, of which {len(heldout)} would be held out and "
            f"{len(train)} trained on; at least 2 of each are needed."
        )
    train = replace(train, notes=(*pairs.notes, *told(groups)))
    return PairSplits(train, heldout, f"1 pair in {every}, held out")


def _open(
    source: PairSource, options: _Options, opened: ExitStack
) -> tuple[list[PairNames], Source, Source]:
    """The pairs by name, and the sources of their two files."""
    root = Path(source.data).expanduser()
    if os.fspath(source.data).startswith("torchvision:"):
        root = cityscapes_root(os.fspath(source.data), options.folder)
    photos = opened.enter_context(open_source(root, bit_depth=options.bit_depth))
    if source.label_data is not None:
        beside = Path(source.label_data).expanduser()
        labels = opened.enter_context(open_source(beside, bit_depth=options.bit_depth))
        found = pairs_of_sources(photos.stamps, labels.stamps, photos.where, labels.where)
        return found, photos, labels
    if source.side_by_side:
        found = pairs_side_by_side(photos.stamps)
    elif is_cityscapes(photos.stamps):
        found = pairs_of_cityscapes(photos.stamps, photos.where)
    else:
        found = pairs_of_trees(photos.stamps, source.photo_tree, source.label_tree, photos.where)
    return found, photos, photos


def _load(
    pairs: Sequence[PairNames],
    *,
    part: str,
    source: PairSource,
    photos: Source,
    labels: Source,
    options: _Options,
) -> Pairs:
    """Decode the pairs, or take them from the cache."""
    reading = Reading(
        partial(open_member, photos),
        partial(open_member if source.palette is None else open_raw, labels),
        source.side_by_side,
        source.palette,
        source.tolerance,
        options.resolution,
        photos.where,
    )
    # Both sets come of one decoding, which happens only where the cache lacks one of them.
    decode = lru_cache(lambda: decode_pairs(list(pairs), reading, skip_broken=options.skip_broken))
    settings = [
        "pairs",
        *(str(Path(each.where).resolve()) for each in (photos, labels)),
        part,
        source.side_by_side,
        options.resolution,
        options.skip_broken,
        source.tolerance,
        repr(source.palette),
    ]
    if options.bit_depth is not None:
        settings.append(f"{options.bit_depth} bits")
    content = [
        (pair.photo, *photos.stamps[pair.photo], pair.label, *labels.stamps[pair.label])
        for pair in pairs
    ]
    builds: dict[str, Callable[[], ImageSet]] = {
        "photos": lambda: _photos(decode(), pairs, photos),
        "labels": lambda: _labels(decode(), source.palette),
    }
    sets = [
        cached(options.folder, [*settings, what], content, build) if options.cache else build()
        for what, build in builds.items()
    ]
    return _as_pairs(sets[0], sets[1], pairs, photos.where)


def _photos(decoded: DecodedPairs, pairs: Sequence[PairNames], source: Source) -> ImageSet:
    source.values.require_range(source.where)
    left_out = [f"{pairs[index].name}: {why}" for index, why in sorted(decoded.broken.items())]
    return ImageSet.of(
        torch.from_numpy(decoded.photos), skipped=left_out, notes=source.values.notes()
    )


def _labels(decoded: DecodedPairs, palette: Palette | None) -> ImageSet:
    notes = []
    if decoded.outside:
        pixels = "pixel was" if decoded.outside == 1 else "pixels were"
        notes.append(
            f"{decoded.outside:,} label {pixels} in no colour of the palette and taken as the "
            "nearest one."
        )
    images = torch.from_numpy(decoded.labels)
    if palette is not None and palette.unlabelled is not None:
        nothing = palette.table()[palette.unlabelled].view(3, 1, 1)
        share = float((images == nothing).all(dim=1).float().mean())
        if share > MOSTLY:
            notes.append(
                f"{share:.0%} of the label pixels are {palette.names[palette.unlabelled]} in this "
                "palette, which may not be the one that the labels were made with."
            )
    return ImageSet.of(images, notes=notes)


def _as_pairs(photos: ImageSet, labels: ImageSet, pairs: Sequence[PairNames], where: str) -> Pairs:
    if len(photos) < 2:
        raise DataError(f"{where} leaves {len(photos)} pair in a split; at least 2 are needed.")
    left_out = {skipped.split(": ")[0] for skipped in photos.skipped}
    notes = [*photos.notes, *labels.notes]
    if left_out:
        what = "1 pair was" if len(left_out) == 1 else f"{len(left_out)} pairs were"
        notes.insert(0, f"{what} left out, as a file could not be read: {photos.skipped[0]}.")
    names = tuple(pair.name for pair in pairs if pair.name not in left_out)
    digest = _fingerprint(photos, labels)
    return Pairs(photos.images, labels.images, names, tuple(notes), digest)


def _fingerprint(photos: ImageSet, labels: ImageSet) -> str:
    both = (photos.fingerprint + labels.fingerprint).encode()
    return hashlib.blake2b(both, digest_size=16).hexdigest()
