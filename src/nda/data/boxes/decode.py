"""From annotations and image files to tensors; what is wrong with them is told by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from nda.data.boxes.turn import turned
from nda.data.boxes.voc import Annotation, Object
from nda.data.reading.decode import (
    SIDEWAYS,
    UPRIGHT,
    Pixels,
    in_threads,
    orientation,
    quiet_pillow,
    read_pixels,
)
from nda.data.reading.open import open_member
from nda.data.reading.source import Source
from nda.errors import DataError


def resized(image: Tensor, boxes: Tensor, *, shorter: int, longest: int) -> tuple[Tensor, Tensor]:
    """Image `(3, H, W)`, floating, with a shorter side of `shorter` pixels, and boxes `(n, 4)`.

    The longer side is `longest` at most: then the shorter one is smaller than asked for. Bilinear
    and antialiased.
    """
    height, width = image.shape[-2:]
    scale = min(shorter / min(height, width), longest / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    if size != (height, width):
        image = F.interpolate(image[None], size, mode="bilinear", antialias=True)[0]
    ratio = boxes.new_tensor([size[1] / width, size[0] / height]).repeat(2)
    return image, boxes * ratio


SLACK = 1  # pixels that a box may reach beyond its image: some files count from 0

_CHUNK = 16  # images a thread takes at once


@dataclass(frozen=True)
class DecodedBoxes:
    """Lists with an element an image that was kept; the types are those of `BoxedImages`."""

    images: list[Tensor] = field(default_factory=list)
    boxes: list[Tensor] = field(default_factory=list)
    labels: list[Tensor] = field(default_factory=list)
    difficult: list[Tensor] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def decode_boxes(
    source: Source,
    annotations: Sequence[Annotation],
    known: Sequence[str],
    classes: Sequence[str],
    *,
    longest: int | None,
    skip_broken: bool,
) -> DecodedBoxes:
    """Images with their boxes of `classes`; those of other `known` classes are passed over.

    Raises `DataError` for whatever is broken, unless `skip_broken` and some image is not.
    """
    pixels: dict[int, Pixels] = {}
    sizes: dict[int, tuple[int, int]] = {}
    turns: dict[int, int] = {}  # orientations by which boxes must be turned

    def decode(start: int) -> dict[int, str]:
        broken = {}
        for index in range(start, min(start + _CHUNK, len(annotations))):
            read = _read(source, annotations[index])
            if isinstance(read, str):
                broken[index] = read
            else:
                image, turns[index] = read
                sizes[index] = (image.shape[1], image.shape[0])
                pixels[index] = _shrunk(image, longest)
        return broken

    with quiet_pillow():
        broken = in_threads(decode, range(0, len(annotations), _CHUNK))
    result, faults = DecodedBoxes(), []
    for index in sorted(pixels):
        annotation = annotations[index]
        kept: list[Object] = []
        for found in annotation.objects:
            each = _upright(found, turns[index], sizes[index])
            if fault := _fault(each, sizes[index], known):
                faults.append(f"{annotation.xml}: {fault}")
            elif each.name in classes:
                kept.append(each)
        _append(result, annotation.name, pixels[index], kept, sizes[index], classes)
    _refuse_or_note(source.where, broken, faults, result, skip_broken)
    return result


def _upright(found: Object, turn: int, size: tuple[int, int]) -> Object:
    """The object where it is in an image of `size` that was turned."""
    stored = (size[1], size[0]) if turn in SIDEWAYS else size
    return replace(found, box=turned(found.box, turn, stored))


def _read(source: Source, annotation: Annotation) -> tuple[Pixels, int] | str:
    """The picture `(H, W, 3)` upright and how its boxes must be turned; or what is wrong."""
    if annotation.fault:
        return annotation.fault
    turns = []

    def opened() -> Image.Image:
        image = open_member(source, annotation.image)
        turns.append(orientation(image))
        return image

    read = read_pixels(opened, None)
    if isinstance(read, str):
        return f"{annotation.image} cannot be read ({read})"
    size = (read.shape[1], read.shape[0])
    stored = (size[1], size[0]) if turns[0] in SIDEWAYS else size
    if annotation.size not in (None, size, stored):
        assert annotation.size is not None
        return (
            f"{annotation.image} is {_by(size)} pixels, and {annotation.xml} says "
            f"{_by(annotation.size)}"
        )
    if turns[0] == UPRIGHT or (annotation.size == size and size != stored):
        return read, UPRIGHT
    if annotation.size is None or size == stored:
        return (
            f"{annotation.image} is turned by its EXIF orientation ({turns[0]}), and whether the "
            f"boxes of {annotation.xml} are turned with it cannot be told; save it upright"
        )
    return read, turns[0]  # the size is that of the image as it is stored, and so are the boxes


def _shrunk(pixels: Pixels, longest: int | None) -> Pixels:
    height, width = pixels.shape[:2]
    if longest is None or max(height, width) <= longest:
        return pixels
    scale = longest / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def _fault(found: Object, size: tuple[int, int], known: Sequence[str]) -> str:
    if found.name not in known:
        return f"the class {found.name!r} is not known"
    if found.fault:
        return f"{found.fault} ({found.name})"
    left, top, right, bottom = found.box
    width, height = size
    if min(left, top) >= -SLACK and right <= width + SLACK and bottom <= height + SLACK:
        return ""
    shown = ", ".join(f"{x:g}" for x in (left + 1, top + 1, right, bottom))
    return f"the box ({shown}) of {found.name} reaches outside the image of {_by(size)} pixels"


def _append(
    result: DecodedBoxes,
    name: str,
    pixels: Pixels,
    objects: Sequence[Object],
    size: tuple[int, int],
    classes: Sequence[str],
) -> None:
    height, width = pixels.shape[:2]
    scale = torch.tensor([width / size[0], height / size[1]]).repeat(2)
    boxes = torch.tensor([each.box for each in objects], dtype=torch.float32).reshape(-1, 4) * scale
    limit = torch.tensor([width, height], dtype=torch.float32).repeat(2)
    result.images.append(torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))))
    result.boxes.append(torch.minimum(boxes.clamp(min=0), limit))
    labels = [classes.index(each.name) for each in objects]
    result.labels.append(torch.tensor(labels, dtype=torch.int64))
    result.difficult.append(torch.tensor([each.difficult for each in objects], dtype=torch.bool))
    result.names.append(name)


def _refuse_or_note(
    where: str,
    broken: dict[int, str],
    faults: Sequence[str],
    result: DecodedBoxes,
    skip_broken: bool,
) -> None:
    images = [reason for _, reason in sorted(broken.items())]
    if (images or faults) and (not skip_broken or not result.images):
        every = [*images, *faults]
        more = f" ({len(every) - 1} more faults are there)" if len(every) > 1 else ""
        raise DataError(
            f"{where}: {every[0]}{more}. Mend it or take it away"
            + (", or give --skip-broken." if result.images else ".")
        )
    for found, what in ((images, "image"), (faults, "box")):
        if found:
            plural = "es" if what == "box" else "s"
            count = f"1 {what} was" if len(found) == 1 else f"{len(found)} {what}{plural} were"
            first = "" if len(found) == 1 else "the first: "
            result.notes.append(f"{count} left out ({first}{found[0]}).")


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
