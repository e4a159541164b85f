"""Images with boxes around their objects, each image at its own size."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nda.data.boxes.decode import DecodedBoxes, decode_boxes
from nda.data.boxes.voc import ENDINGS, Annotation, annotations_of, labels_of
from nda.data.reading.layout import and_more, choose_classes
from nda.data.reading.passed import passed_reasons, with_passed
from nda.data.reading.source import EXTENSIONS, open_source
from nda.errors import DataError
from nda.runtime.files import StrPath
from nda.validators import counted


@dataclass(frozen=True)
class BoxedImages:
    """Images and the boxes of their objects, on the CPU; lists have an element an image.

    `images` are uint8 `(3, H, W)`; `boxes` float32 `(n, 4)`, left, top, right, bottom in pixels of
    that image, whose edges are 0 and W or H; `labels` int64 `(n,)`, indices into `classes`;
    `difficult` bool `(n,)`, what the annotator marked so. `notes` say in sentences what was left
    out, and `fingerprint` is a digest of everything else.
    """

    images: list[Tensor]
    boxes: list[Tensor]
    labels: list[Tensor]
    difficult: list[Tensor]
    names: list[str]
    classes: tuple[str, ...]
    notes: list[str]
    fingerprint: str

    def __len__(self) -> int:
        return len(self.images)

    @property
    def counts(self) -> list[int]:
        """Boxes of each class, the difficult ones among them."""
        if not self.labels:
            return [0] * len(self.classes)
        return torch.cat(self.labels).bincount(minlength=len(self.classes)).tolist()


@dataclass(frozen=True)
class BoxSplits:
    """Images to train on and images to measure on, of the same classes."""

    train: BoxedImages
    test: BoxedImages
    taken: str = ""  # a sentence: how many images of the source these are, and what else lies there


def load_boxes(
    data: StrPath,
    *,
    train_split: str = "train",
    test_split: str = "val",
    longest: int | None = None,
    classes: Sequence[str] | None = None,
    skip_broken: bool = False,
    bit_depth: int | None = None,
) -> BoxSplits:
    """Two splits of data in Pascal VOC's layout: a folder, or a `.zip` that is read in place.

    That is `JPEGImages/`, `Annotations/<name>.xml` and `ImageSets/Main/<split>.txt`, right in
    `data` or in folders of it. A split may be several, joined by commas, each with the folder
    before it: `VOC2007/trainval,VOC2012/trainval`. The classes are those of `labels.txt`, one a
    line, else those of the training split in alphabetical order; `classes` keeps only these.
    Images whose longer side has more than `longest` pixels are shrunk to it, with their boxes.

    Raises `DataError` for files that are missing or cannot be read, images that are not of the
    size that their annotation states, boxes that reach outside the image, have no area or are of
    an unknown class, each by name. With `skip_broken` these are left out and counted in `notes`.
    """
    with open_source(Path(data).expanduser(), ENDINGS, bit_depth=bit_depth) as source:
        train, test = (annotations_of(source, split) for split in (train_split, test_split))
        _refuse_overlap(train, test, train_split, test_split, source.where)
        known = labels_of(source) or tuple(
            sorted({each.name for annotation in train for each in annotation.objects})
        )
        chosen = choose_classes(known, classes, source.where)
        parts: list[BoxedImages] = []
        for split, annotations in ((train_split, train), (test_split, test)):
            decoded = decode_boxes(
                source, annotations, known, chosen, longest=longest, skip_broken=skip_broken
            )
            if not any(map(len, decoded.boxes)):
                raise DataError(
                    f"{source.where}: no image of the split {split} has a box of "
                    f"{', '.join(chosen[:5])}{and_more(max(0, len(chosen) - 5))}. Give another "
                    "split or other --classes."
                )
            source.values.require_range(source.where)
            parts.append(_boxed(decoded, chosen, split, source.values.notes() if parts else []))
        listed = {annotation.image for annotation in (*train, *test)}
        pictures = [name for name in source.stamps if name.lower().endswith(EXTENSIONS)]
        other = sum(name not in listed for name in pictures)
        reasons = [f"{counted(other, 'picture')} of neither split"] if other else []
        text = (
            f"{counted(len(train), 'image')} of split {train_split} are taken to train on and "
            f"{len(test):,} of split {test_split} to measure on"
        )
        taken = with_passed(text, [*reasons, *passed_reasons(source.passed)])
    return BoxSplits(parts[0], parts[1], taken)


def _boxed(
    decoded: DecodedBoxes, classes: tuple[str, ...], split: str, told: list[str]
) -> BoxedImages:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps([decoded.names, classes]).encode())
    for tensors in (decoded.images, decoded.boxes, decoded.labels, decoded.difficult):
        for tensor in tensors:
            digest.update(json.dumps(list(tensor.shape)).encode())
            digest.update(tensor.numpy().data)
    return BoxedImages(
        decoded.images,
        decoded.boxes,
        decoded.labels,
        decoded.difficult,
        decoded.names,
        classes,
        [f"Split {split}: {note}" for note in decoded.notes] + told,
        digest.hexdigest(),
    )


def _refuse_overlap(
    train: Sequence[Annotation], test: Sequence[Annotation], *splits_and_where: str
) -> None:
    train_split, test_split, where = splits_and_where
    trained = {annotation.image for annotation in train}
    shared = [annotation.image for annotation in test if annotation.image in trained]
    if shared:
        raise DataError(
            f"{where}: {shared[0]}{and_more(len(shared) - 1)} of {test_split}, which is measured "
            f"on, also stands in {train_split}, which is trained on. Give another --train_split "
            "or --test_split."
        )
