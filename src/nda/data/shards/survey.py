"""One look at every image of a set that is too large to be held: what is known of it is kept.

Training then decodes images as it needs them. Broken files, other sizes, copies and numbers of an
unknown range are all met before the first step, as where a set is decoded as a whole.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nda.data.images.cache import CacheFile
from nda.data.images.copies import THUMBNAIL, pixel_digests, thumbnails_of
from nda.data.reading.decode import Fit, in_threads, quiet_pillow, side_of, unreadable
from nda.data.reading.mapped import LARGE, room
from nda.data.reading.on_demand import Decoder, Known, OnDemand, Pictures
from nda.data.reading.open import open_member
from nda.data.reading.source import Source

_CHUNK = 32  # images a thread looks at at once
_DIGEST = 16  # bytes


def pictures_of(source: Source, names: list[str], resolution: int | None, fit: Fit) -> Pictures:
    """The files as pictures of one size; `DataError` where the first that can be read is not."""
    open_image = partial(open_member, source)
    with quiet_pillow():
        side, _ = side_of(lambda row: open_image(names[row]), names, resolution, source.where)
    return Pictures(source.where, names, open_image, side, resolution, fit)


def is_large(pictures: Pictures) -> bool:
    """Whether they take more than a gigabyte when decoded."""
    return 3 * pictures.side**2 * len(pictures.names) >= LARGE


def surveyed(
    source: Source, pictures: Pictures, *, skip_broken: bool, kept: CacheFile | None
) -> tuple[OnDemand, dict[int, str], list[str]]:
    """The images that can be read, why others cannot, and what a reader must know of them.

    What was found is taken from `kept`, or kept there. Raises `DataError` as `decode_all` does.
    """
    decoder = Decoder(pictures)
    found = kept.load(_checked) if kept else None
    if found is None:
        found = _look(source, pictures)
        if kept:
            kept.save(found[0], {**found[1], "whole": _whole(found[0])})
            found = kept.load(_checked) or found  # mapped from the disk, where that was possible
    tensors, said = found
    broken = {int(row): reason for row, reason in said["broken"].items()}
    if broken and (not skip_broken or len(broken) == len(pictures.names)):
        raise unreadable(source.where, pictures.names, broken)
    rows = torch.tensor([row for row in range(len(pictures.names)) if row not in broken])
    known = Known(tensors["digests"], tensors["thumbnails"])
    return OnDemand(decoder, rows, known), broken, said["notes"]


Found = tuple[dict[str, Tensor], dict[str, Any]]


def _look(source: Source, pictures: Pictures) -> Found:
    count, side = len(pictures.names), min(THUMBNAIL, pictures.side)
    digests = np.zeros((count, _DIGEST), np.uint8)
    thumbnails = room(count, 3 * side * side * 4).view(np.float32)

    def look(start: int) -> dict[int, str]:
        broken, rows, read = {}, [], []
        for row in range(start, min(start + _CHUNK, count)):
            pixels = pictures.read(row)
            if isinstance(pixels, str):
                broken[row] = pixels
            else:
                rows.append(row)
                read.append(pixels)
        if rows:
            images = torch.from_numpy(np.stack(read))
            thumbnails[rows] = thumbnails_of(images).numpy()
            digests[rows] = [np.frombuffer(digest, np.uint8) for digest in pixel_digests(images)]
        return broken

    with quiet_pillow():
        broken = in_threads(look, range(0, count, _CHUNK))
    source.values.require_range(source.where)
    tensors = {"digests": torch.from_numpy(digests), "thumbnails": torch.from_numpy(thumbnails)}
    return tensors, {"broken": broken, "notes": source.values.notes()}


def _checked(tensors: dict[str, Tensor], said: dict[str, Any]) -> Found | None:
    return (tensors, said) if said.pop("whole") == _whole(tensors) else None


def _whole(tensors: dict[str, Tensor]) -> str:
    """A digest of both, so that no flipped bit goes unseen."""
    digest = hashlib.blake2b(digest_size=_DIGEST)
    for name in ("digests", "thumbnails"):
        digest.update(tensors[name].contiguous().numpy().data)
    return digest.hexdigest()
