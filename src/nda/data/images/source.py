"""Where images come from: a folder, a zip or a torchvision set becomes one uint8 tensor."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from nda.data.images.cache import CacheFile, cached
from nda.data.images.copies import copy_groups, held_out, told, told_across
from nda.data.images.image_set import ImageSet
from nda.data.images.taken import told_taken
from nda.data.images.torchvision import load_torchvision, torchvision_splits
from nda.data.reading.decode import Fit, decode_all
from nda.data.reading.layout import (
    Entry,
    Selection,
    choose_classes,
    choose_split,
    heldout_split,
    parse_layout,
    select,
)
from nda.data.reading.open import open_member
from nda.data.reading.source import Source, open_source
from nda.data.shards.survey import is_large, pictures_of, surveyed
from nda.errors import DataError
from nda.runtime.files import StrPath, cache_folder

_TORCHVISION = "torchvision:"


@dataclass(frozen=True)
class Splits:
    """Images to train on and images to evaluate on; `heldout_name` says what the latter are."""

    train: ImageSet
    heldout: ImageSet
    heldout_name: str


@dataclass(frozen=True)
class ImageSource:
    """Where images come from and how they are read, as `load_images` says in full.

    Args:
        path: folder, .zip or torchvision:NAME
        resolution: side in pixels that they are brought to; None where they have one already
        classes: the class folders to use; None for all
        fit: how pictures become squares: crop (their middle) or stretch (all of them)
        skip_broken: leave out files that cannot be read in place of refusing them
        bit_depth: bits of the numbers in files of more than 8
        cache: keep what was read in `cache_dir`
        cache_dir: where; None for the usual place
    """

    path: StrPath
    resolution: int | None = None
    classes: Sequence[str] | None = None
    fit: Fit = "crop"
    skip_broken: bool = False
    bit_depth: int | None = None
    cache: bool = True
    cache_dir: StrPath | None = None

    @property
    def folder(self) -> Path:
        """Where decoded images are kept."""
        return cache_folder(self.cache_dir)

    def load(
        self,
        split: str | None = None,
        *,
        most: int | None = None,
        generator: torch.Generator | None = None,
    ) -> ImageSet:
        """The images of one split, as `load_images`."""
        if (name := _torchvision_name(self.path)) is not None:
            chosen = choose_split(torchvision_splits(name), split, str(self.path))
            return _shuffled(_from_torchvision(name, chosen, self), most, generator)
        with open_source(Path(self.path).expanduser(), bit_depth=self.bit_depth) as opened:
            entries = parse_layout(opened.stamps, opened.where)
            chosen = choose_split({entry.split for entry in entries}, split, opened.where)
            selected = select(entries, chosen, self.classes, opened.where)
            if most is not None and most < len(selected.names):
                rows = torch.randperm(len(selected.names), generator=generator)[:most]
                some = _decoded(opened, selected.only(rows.tolist()), self, drawn=True)
            else:
                some = _shuffled(_decoded(opened, selected, self), most, generator)
            return _told(some, opened, entries, selected)

    def splits(self, holdout: float = 0.1, split: str | None = None) -> Splits:
        """Training images and held-out ones, as `load_splits`."""
        every = _every(holdout)
        if (name := _torchvision_name(self.path)) is not None:
            splits = _torchvision_splits(name, split, every, self)
        else:
            splits = _source_splits(split, every, self)
        train, heldout = splits.train.images.shape[-1], splits.heldout.images.shape[-1]
        if train != heldout:
            raise DataError(
                f"{self.path}: the training images are {train} pixels wide and the held-out ones "
                f"({splits.heldout_name}) {heldout}. Give --resolution to make them alike."
            )
        return splits


def _shuffled(images: ImageSet, most: int | None, generator: torch.Generator | None) -> ImageSet:
    """The images in an order drawn at random, at most so many; as they are without a number."""
    if most is None:
        return images
    return images.drawn(most, generator)


def _source_splits(split: str | None, every: int, options: ImageSource) -> Splits:
    with open_source(Path(options.path).expanduser(), bit_depth=options.bit_depth) as opened:
        entries = parse_layout(opened.stamps, opened.where)
        present = {entry.split for entry in entries}
        training = choose_split(present, split, opened.where)
        selected = select(entries, training, options.classes, opened.where)
        if other := heldout_split(present, training):
            held = select(entries, other, options.classes, opened.where)
            train, heldout = (_decoded(opened, part, options) for part in (selected, held))
            train = _told(train, opened, entries, selected)
            return _given(train, heldout, f"{other} split")
        images = _told(_decoded(opened, selected, options), opened, entries, selected)
        if not every:
            return _nothing_held_out(images)
        return _held_out(images, every, opened.where)


def _told(
    images: ImageSet, source: Source, entries: Sequence[Entry], selected: Selection
) -> ImageSet:
    """The images with a sentence on what of the source they are, and names; never kept ones."""
    taken = told_taken(entries, selected, source.stamps, source.passed)
    return replace(images, taken=taken, names=_names(images, selected))


def _names(images: ImageSet, selected: Selection) -> tuple[str, ...]:
    """The paths of the images, without those of files that were skipped; none if only some are."""
    skipped, names = list(images.skipped), []
    for name in selected.names:
        if skipped and skipped[0].startswith(f"{name}: "):
            skipped.pop(0)
        else:
            names.append(name)
    return tuple(names) if len(names) == len(images) else ()


def _torchvision_splits(name: str, split: str | None, every: int, options: ImageSource) -> Splits:
    present = torchvision_splits(name)
    training = choose_split(present, split, _TORCHVISION + name)
    images = _from_torchvision(name, training, options)
    if other := heldout_split(present, training):
        return _given(images, _from_torchvision(name, other, options), f"{other} split")
    if not every:
        return _nothing_held_out(images)
    return _held_out(images, every, _TORCHVISION + name)


def _held_out(images: ImageSet, every: int, where: str) -> Splits:
    """Every k-th image held out, and all copies of it."""
    groups = copy_groups(images.images)
    held = held_out(groups, every, where, labels=images.labels)
    notes = (*images.notes, *told(groups))
    train = replace(images.only(~held), skipped=images.skipped, notes=notes, taken=images.taken)
    return Splits(train, images.only(held), _heldout_name(every))


def _given(train: ImageSet, heldout: ImageSet, name: str) -> Splits:
    """The splits of the source itself, and what is to be said of copies across them."""
    if train.images.shape[1:] == heldout.images.shape[1:]:
        notes = told_across(train.images, heldout.images, name)
        train = replace(train, notes=(*train.notes, *notes))
    return Splits(train, heldout, name)


def _nothing_held_out(images: ImageSet) -> Splits:
    return Splits(images, images, "training images (nothing held out)")


def _decoded(
    source: Source, selected: Selection, options: ImageSource, *, drawn: bool = False
) -> ImageSet:
    """Decode the selected files, or take them from the cache; large shards are looked at only."""
    build = partial(_decode, source, selected, options)
    settings = [
        str(Path(source.where).resolve()),
        selected.part,
        selected.classes,
        options.resolution,
        options.skip_broken,
    ]
    if options.fit != "crop":
        settings.append(options.fit)
    if options.bit_depth is not None:
        settings.append(f"{options.bit_depth} bits")
    if drawn:  # others that are drawn, by another seed too, replace these
        settings.append(f"{len(selected.names)} drawn")
    content = [(name, *source.stamps[name]) for name in selected.names]
    if source.sharded:
        pictures = pictures_of(source, selected.names, options.resolution, options.fit)
        if is_large(pictures):
            kept = CacheFile(options.folder, "survey", settings, content)
            skip, kept_there = options.skip_broken, kept if options.cache else None
            images = surveyed(source, pictures, skip_broken=skip, kept=kept_there)
            return _image_set(source, selected, *images)
    return cached(options.folder, settings, content, build) if options.cache else build()


def _decode(source: Source, selected: Selection, options: ImageSource) -> ImageSet:
    names = selected.names

    pixels, broken = decode_all(
        lambda index: open_member(source, names[index]),
        names,
        where=source.where,
        resolution=options.resolution,
        skip_broken=options.skip_broken,
        fit=options.fit,
    )
    source.values.require_range(source.where)
    images = torch.from_numpy(pixels)
    return _image_set(source, selected, images, broken, source.values.notes())


def _image_set(
    source: Source, selected: Selection, images: Tensor, broken: dict[int, str], notes: list[str]
) -> ImageSet:
    """The images that could be read, with the labels of their files."""
    names = selected.names
    labels = [label for index, label in enumerate(selected.labels) if index not in broken]
    if len(labels) < 2 <= len(names):
        raise DataError(f"{source.where}: only 1 of {len(names)} images can be read; 2 are needed.")
    skipped = [f"{names[index]}: {reason}" for index, reason in sorted(broken.items())]
    return ImageSet.of(images, torch.tensor(labels), selected.classes, skipped, notes)


def _from_torchvision(name: str, split: str, options: ImageSource) -> ImageSet:
    folder = options.folder / "torchvision"
    build = partial(load_torchvision, name, split, options.resolution, folder, options.fit)
    settings = [_TORCHVISION + name, split, options.resolution]
    if options.fit != "crop":
        settings.append(options.fit)
    images = cached(options.folder, settings, None, build) if options.cache else build()
    if not options.classes:
        return images
    kept = choose_classes(images.classes, options.classes, _TORCHVISION + name)
    places = {label: number for number, label in enumerate(images.classes)}
    numbers = [places[label] for label in kept]
    chosen = images.only(torch.isin(images.labels, torch.tensor(numbers)))
    labels = torch.searchsorted(torch.tensor(numbers), chosen.labels)
    return ImageSet.of(chosen.images, labels, kept)


def _torchvision_name(source: StrPath) -> str | None:
    text = os.fspath(source)
    return text.removeprefix(_TORCHVISION) if text.startswith(_TORCHVISION) else None


def _every(holdout: float) -> int:
    """The k of "every k-th image", 0 for none."""
    if not 0 <= holdout <= 0.5:
        raise DataError(
            f"--holdout must be 0 (nothing held out) or a share of at most 0.5; got {holdout}."
        )
    return round(1 / holdout) if holdout else 0


def _heldout_name(every: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(every % 10 if every % 100 not in {11, 12, 13} else 0)
    return f"every {every}{ending or 'th'} image, held out"
