"""What a model is probed with: images of the user and the negatives that can be made of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from nda.api.media import within
from nda.api.settings import ProbeOptions
from nda.data.images.given import image_set_of
from nda.data.images.image_set import ImageSet
from nda.data.images.load import load_images
from nda.data.images.torchvision import torchvision_splits
from nda.data.reading.decode import Fit
from nda.data.reading.layout import (
    HELDOUT_SPLITS,
    choose_split,
    class_names,
    heldout_split,
    parse_layout,
)
from nda.data.reading.passed import skipped_note
from nda.data.reading.source import open_source
from nda.errors import ConfigError
from nda.evaluation.record import Protocol
from nda.extras import needed
from nda.negatives import Negative
from nda.negatives.named import negatives_from_list, suited
from nda.report.pictures.grid import LARGEST_CELL, image_grid
from nda.report.words import data_name, number
from nda.runtime.seeding import generator_for

with needed("nda.probe needs torchvision", "train"):
    from torchvision.transforms.v2 import functional as v2

EXAMPLES = 8  # images shown with their negatives
_TORCHVISION = "torchvision:"


@dataclass(frozen=True)
class ProbeAtHand(ProbeOptions):
    """The same, with images in place of their path."""

    at_hand: Any = None


@dataclass(frozen=True)
class Subject:
    """Images uint8 (N, 3, H, H), their labels (N,), and negatives that can be made of them.

    Or clips (N, F, 3, H, H), one of each video.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    split: str  # "" without splits
    data: str  # short name of the data
    negatives: dict[str, Negative]
    refused: dict[str, str]  # negatives that cannot be made, each with the reason
    names: list[str]  # of all negatives asked for, in their order
    notes: list[str]
    seed: int
    of: str = "image"  # what they are

    @property
    def words(self) -> str:
        return f"{number(len(self.images))} {self.of}s of {self.data}" + (
            f", {self.split} split" if self.split else ""
        )

    @property
    def protocol(self) -> Protocol:
        return {"data": self.data, "split": self.split or f"all {self.of}s"}

    def examples(self) -> Image.Image:
        """A grid of a few images, or frames of a video, and the negatives made of them below."""
        some = self.images[:EXAMPLES]
        rows = [some]
        for negative in self.negatives.values():
            rows.append(negative(some, generator=generator_for(self.seed, purpose="examples")))
        if some.dim() == 5:
            shown = torch.linspace(0, some.shape[1] - 1, min(EXAMPLES, some.shape[1])).long()
            rows = [row[0, shown] for row in rows]
        cells = torch.cat(rows)
        if cells.shape[-1] > LARGEST_CELL:
            cells = v2.resize(cells, [LARGEST_CELL, LARGEST_CELL], antialias=True)
        labels = ["real", *(name.replace("_", " ") for name in self.negatives)]
        return image_grid(cells, len(rows[0]), row_labels=labels)


def load_subject(
    options: ProbeOptions,
    *,
    side: int | None = None,
    classes: str | None = None,
    fit: Fit = "crop",
) -> Subject:
    """Images drawn at random from those that the options name, resized to `side` if it is given.

    `fit` says how pictures are brought to the options' resolution; `classes` are those to use
    where the options choose none. Raises `ShapeError` where not a single one of the negatives can
    be made of the images.
    """
    data, split = drawn_images(options, options.classes or classes, fit)
    images, notes = data.images, list(data.notes)
    if data.skipped:
        notes.append(skipped_note(len(data.skipped)))
    if side is not None and images.shape[-1] != side:
        notes.append(
            f"The images are {images.shape[-1]} pixels wide and were resized to {side}, the size "
            "that the run was trained on."
        )
        images = v2.resize(images, [side, side], antialias=True)
    asked = negatives_from_list(options.negatives)
    negatives, refused = suited(asked, images[:2])
    return Subject(
        images=images,
        labels=data.labels,
        classes=data.classes,
        split=split,
        data=data_name(options.images),
        negatives=negatives,
        refused=refused,
        names=list(asked),
        notes=notes,
        seed=options.seed,
    )


def drawn_images(options: ProbeOptions, classes: str | None, fit: Fit) -> tuple[ImageSet, str]:
    """Images in random order, and the split that they are of."""
    rng = generator_for(options.seed, purpose="probe images")
    if isinstance(options, ProbeAtHand) and options.at_hand is not None:
        found = image_set_of(options.at_hand, resolution=options.resolution, fit=fit)
        return found.drawn(options.count, rng), ""
    split = _split(options)
    data = load_images(
        options.images,
        split=split or None,
        resolution=options.resolution,
        fit=fit,
        classes=class_names(classes),
        skip_broken=options.skip_broken,
        bit_depth=options.bit_depth,
        most=options.count,
        generator=rng,
    )
    return data, split


def refuse_other_side(options: ProbeOptions, side: int) -> None:
    """Refuse a resolution that is not that of a run (`ConfigError`)."""
    if options.resolution not in (None, side):
        raise ConfigError(
            f"resolution is {options.resolution}, but {options.model} takes images of {side} "
            "pixels; leave the setting out."
        )


def trained_on(options: ProbeOptions, data: str, subject: Subject) -> list[str]:
    """A warning where the run with this `data` may know these very images or videos."""
    at_hand = isinstance(options, ProbeAtHand) and options.at_hand is not None
    if at_hand or not within(options.images, data) or subject.split in HELDOUT_SPLITS:
        return []
    return [
        f"The run was trained on {subject.of}s of this data. Its network may know them by heart; "
        "probe it on others, which were held out."
    ]


def _split(options: ProbeOptions) -> str:
    """The split asked for, else one held out: a model may know its training images by heart."""
    if options.images.startswith(_TORCHVISION):
        present = set(torchvision_splits(options.images.removeprefix(_TORCHVISION)))
    else:
        with open_source(Path(options.images).expanduser()) as source:
            present = {entry.split for entry in parse_layout(source.stamps, source.where)}
    return choose_split(present, options.split or heldout_split(present, ""), options.images)
