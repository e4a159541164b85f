"""Images that are at hand in Python: tensors, arrays, pictures of Pillow, or data sets of them.

They are read as the same pictures would be from files.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from nda.data.images.image_set import ImageSet
from nda.data.images.stream import Stream
from nda.data.reading.decode import Fit, Pixels, rgb_pixels
from nda.errors import DataError, ShapeError
from nda.runtime.files import write_atomically
from nda.validators import counted

FLOATS = "Write floats in [0, 1] as (255 * images).round().to(torch.uint8)."


def pictures_of(images: Any) -> Iterator[Image.Image]:
    """One picture after the other, in RGB or whatever mode Pillow gave it.

    `images` is a picture of Pillow, an array uint8 (H, W), (H, W, C) or (N, H, W, C), a tensor
    uint8 (C, H, W) or (N, C, H, W), an `ImageSet`, or a list, a data set or any iterable of them,
    of which pairs (image, label) are taken for their image. C is 1, 3 or, of arrays, 4.

    Raises `ShapeError` for other shapes and types, floats among them, and `DataError` where no
    image is in it.
    """
    count = 0
    for item in _items(images):
        yield _picture(item)
        count += 1
    if not count:
        raise DataError("No images were given, where at least one was expected; give one or more.")


def image_set_of(images: Any, *, resolution: int | None = None, fit: Fit = "crop") -> ImageSet:
    """All of `pictures_of(images)` in memory, uint8 (N, 3, H, H), as `load_images` would have them.

    Raises `ShapeError` where they are not square and of one size and no `resolution` is given.
    """
    if isinstance(images, ImageSet) and resolution in (None, images.images.shape[-1]):
        return images
    found: list[Pixels] = []
    for picture in pictures_of(images):
        pixels = rgb_pixels(picture, resolution, fit)
        side = len(found[0]) if found else len(pixels)
        if pixels.shape != (side, side, 3):
            raise ShapeError(
                f"Image {len(found)} has {pixels.shape[1]} x {pixels.shape[0]} pixels, and square "
                f"ones of {side} were expected; give resolution, and all are brought to it."
            )
        found.append(pixels)
    return ImageSet.of(torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2).contiguous())


def write_pictures(images: Any, path: Path) -> int:
    """Keep `pictures_of(images)` in a .zip of PNG files, which lose nothing; gives their number."""
    count = 0

    def write(file: Any) -> None:
        nonlocal count
        with zipfile.ZipFile(file, "w") as archive:
            for count, picture in enumerate(pictures_of(images), start=1):
                content = io.BytesIO()
                picture.save(content, "PNG", compress_level=1)
                archive.writestr(f"{count - 1:07d}.png", content.getvalue())

    write_atomically(path, write)
    return count


def stream_of_pictures(images: Any) -> Stream:
    """`pictures_of(images)` as a stream, by their numbers: 0, 1, 2, ..."""
    pictures = list(pictures_of(images))
    return Stream(
        [str(number) for number in range(len(pictures))],
        len(pictures),
        lambda name: pictures[int(name)].copy(),
    )


def in_words(images: Any) -> str:
    """What stands for images at hand where the name of their folder would."""
    size = len(images) if hasattr(images, "__len__") else None
    return "images" if size is None else counted(size, "image")


def _items(images: Any) -> Iterable[Any]:
    if isinstance(images, ImageSet):
        return images.images
    if isinstance(images, Tensor | np.ndarray):
        return images if images.ndim == 4 else [images]
    if isinstance(images, Image.Image):
        return [images]
    if isinstance(images, Mapping):
        raise ShapeError(
            f"Images were expected, and {type(images).__name__} was given; give its values, such "
            "as list(images.values())."
        )
    if hasattr(images, "__getitem__") and hasattr(images, "__len__"):
        return (images[index] for index in range(len(images)))  # data sets do not end by themselves
    if isinstance(images, Iterable):
        return images
    raise ShapeError(
        f"Images were expected, and {type(images).__name__} was given; give a path, a picture of "
        "Pillow, a uint8 tensor or array, or a data set of them."
    )


def _remedy(item: Tensor) -> str:
    """What makes an image of a tensor that is none."""
    if item.dim() == 3 and len(item) not in (1, 3) and item.shape[-1] in (1, 3):
        return (
            "Bring the channels to the front: image.permute(2, 0, 1), or of a batch "
            "images.permute(0, 3, 1, 2)."
        )
    return "Give images of 1 or 3 channels." if item.dtype == torch.uint8 else FLOATS


def _remedy_of_array(item: NDArray[Any]) -> str:
    if item.dtype != np.uint8:
        return "Write floats in [0, 1] as (255 * images).round() of that type."
    if item.ndim == 3 and len(item) in (1, 3):
        return (
            "Bring the channels to the end: image.transpose(1, 2, 0), or of a batch "
            "images.transpose(0, 2, 3, 1)."
        )
    return "Give images of 1, 3 or 4 channels."


def _picture(item: Any) -> Image.Image:
    if isinstance(item, tuple | list) and item:
        item = item[0]
    if isinstance(item, Image.Image):
        return item.copy()  # whoever reads a picture closes it
    if isinstance(item, Tensor):
        if item.dtype != torch.uint8 or item.dim() != 3 or len(item) not in (1, 3):
            raise ShapeError(
                "Tensors of images are uint8 of shape (3, H, W), values 0 to 255; got "
                f"{item.dtype} of shape {tuple(item.shape)}. {_remedy(item)}"
            )
        item = item.permute(1, 2, 0).cpu().numpy()
    if isinstance(item, np.ndarray):
        plain = item[..., 0] if item.ndim == 3 and item.shape[-1] == 1 else item
        if plain.dtype != np.uint8 or not (plain.ndim == 2 or plain.shape[2:] in ((3,), (4,))):
            raise ShapeError(
                f"Arrays of images are uint8 of shape (H, W, 3), values 0 to 255; got {item.dtype} "
                f"of shape {item.shape}. {_remedy_of_array(item)}"
            )
        return Image.fromarray(np.ascontiguousarray(plain))
    if isinstance(item, str | Path):
        with Image.open(item) as picture:
            return picture.copy()
    if isinstance(item, Mapping):
        raise ShapeError(
            f"An image was expected, and a row with {', '.join(map(repr, item))} was found; give "
            "the column that holds the images, such as data['image'] of a data set of Hugging "
            "Face, or (row['image'] for row in rows)."
        )
    raise ShapeError(
        f"An image was expected, and {type(item).__name__} was found among the images; give "
        "pictures of Pillow, uint8 tensors or arrays."
    )
