"""Images as the whole package holds them: one uint8 tensor with labels, and the network's range."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nda.data.reading.mapped import taken
from nda.data.reading.on_demand import OnDemand
from nda.data.reading.passed import skipped_note
from nda.errors import ShapeError


@dataclass(frozen=True)
class ImageSet:
    """A data set as one tensor, which the system maps from the disk where it is large.

    Of tar shards that are as large it is an `OnDemand`, whose images are decoded when taken.

    `images` is uint8 `(N, 3, H, W)` and `labels` int64 `(N,)`, both on the CPU; a label is an
    index into `classes`, and all are 0 where `classes` is empty. `skipped` names the broken files
    that were left out, each with its reason, and `notes` say in sentences what else a reader must
    know of the images, such as what was taken otherwise than it stands; `taken` is one on what of
    the source they are and what of it was passed over (`nda.data.images.taken`). `fingerprint` is
    a digest
    of images, labels and classes: two sets with the same fingerprint hold the same data. `names`
    are the paths of the files `(N,)` within their source, where the images are all of a split.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    skipped: tuple[str, ...]
    fingerprint: str
    notes: tuple[str, ...] = ()
    taken: str = ""
    names: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        images: Tensor,
        labels: Tensor | None = None,
        classes: Sequence[str] = (),
        skipped: Sequence[str] = (),
        notes: Sequence[str] = (),
    ) -> ImageSet:
        """An image set of one's own tensors; refuses other shapes and types (`ShapeError`)."""
        check_images(images)
        labels = torch.zeros(len(images), dtype=torch.int64) if labels is None else labels
        _check_labels(labels, len(images), max(len(classes), 1))
        images, labels = images.cpu().contiguous(), labels.to("cpu", torch.int64).contiguous()
        digest = fingerprint(images, labels, classes)
        return cls(images, labels, tuple(classes), tuple(skipped), digest, tuple(notes))

    def __len__(self) -> int:
        return len(self.images)

    @property
    def told(self) -> list[str]:
        """Sentences for whoever is about to use the images: what was taken, then the notes."""
        skipped = [skipped_note(len(self.skipped))] if self.skipped else []
        return [*([self.taken] if self.taken else []), *skipped, *self.notes]

    def only(self, rows: Tensor) -> ImageSet:
        """The images `rows`, int64 `(M,)` or bool `(N,)`, without what was said of the whole."""
        images = self.images
        some = images.only(rows) if isinstance(images, OnDemand) else taken(images, rows)
        return ImageSet.of(some, self.labels[rows], self.classes)

    def drawn(self, most: int, rng: torch.Generator | None) -> ImageSet:
        """At most `most` images in an order drawn at random, with what was said of them."""
        some = self.only(torch.randperm(len(self), generator=rng)[:most])
        return replace(some, skipped=self.skipped, notes=self.notes, taken=self.taken)

    def spread_out(self, most: int) -> ImageSet:
        """At most `most` images evenly spread over the set; all for 0."""
        if not most or most >= len(self):
            return self
        return self.only(torch.linspace(0, len(self) - 1, most).long())


def check_images(images: Tensor, what: str = "Images") -> None:
    """Refuse what is not uint8 `(N, 3, H, W)` (`ShapeError`); `what` begins the sentence."""
    if images.dtype != torch.uint8 or images.dim() != 4 or images.shape[1] != 3:
        raise ShapeError(
            f"{what} must be uint8 of shape (N, 3, H, W); got {images.dtype} of shape "
            f"{tuple(images.shape)}. Write floats in [0, 1] as (255 * images).round()"
            ".to(torch.uint8), those in [-1, 1] with nda.data.to_uint8, and repeat a grey channel."
        )


def fingerprint(images: Tensor, labels: Tensor, classes: Sequence[str]) -> str:
    """Hex digest of the content: shape, pixels or the digests of each image, labels and classes."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps([list(images.shape), list(classes)]).encode())
    pixels = images.digests if isinstance(images, OnDemand) else images
    for tensor in (pixels, labels):
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()


def to_float(images: Tensor) -> Tensor:
    """Stored uint8 images as float32 in [-1, 1], the range of the networks: `x / 127.5 - 1`.

    Raises `ShapeError` for images of another type, whose range is not known.
    """
    if images.dtype != torch.uint8:
        raise ShapeError(
            f"Images are uint8 here, values 0 to 255; got {images.dtype}. Write floats in [0, 1] "
            "as (255 * images).round().to(torch.uint8), and others with nda.data.to_uint8, which "
            "takes [-1, 1]."
        )
    return images.to(torch.float32).div_(127.5).sub_(1.0)


def to_uint8(images: Tensor) -> Tensor:
    """Floating images in [-1, 1] as uint8, rounded and clamped; undoes `to_float` exactly."""
    return images.float().add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)


def _check_labels(labels: Tensor, count: int, classes: int) -> None:
    if labels.shape != (count,) or labels.dtype.is_floating_point:
        raise ShapeError(
            f"Labels must be whole numbers of shape ({count},), one an image; got {labels.dtype} "
            f"of shape {tuple(labels.shape)}."
        )
    if count and (int(labels.min()) < 0 or int(labels.max()) >= classes):
        raise ShapeError(
            f"Labels must lie in 0..{classes - 1}, indices into the {classes} class names; got "
            f"{int(labels.min())}..{int(labels.max())}. Pass the matching class names."
        )
