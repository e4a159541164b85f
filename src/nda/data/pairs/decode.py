"""From the two files of a pair to a photograph and a label image of one square size."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from nda.data.pairs.layout import PairNames
from nda.data.pairs.palette import Palette
from nda.data.reading.decode import (
    UPRIGHT,
    Pixels,
    in_threads,
    orientation,
    quiet_pillow,
    rgb_pixels,
    upright_size,
)
from nda.data.reading.layout import and_more
from nda.data.reading.values import MAX_PIXELS, raw_modes
from nda.errors import DataError

MOST_OUTSIDE = 0.01  # share of label pixels whose colour may be none of the palette's
_NO_NUMBER = 256  # above those that a palette may have
_CHUNK = 16  # pairs a thread takes at once
_SHADES = {"L;2": 85, "L;4": 17}  # Pillow spreads the numbers of 2 and 4 bits over 0 to 255

Open = Callable[[str], Image.Image]


@dataclass(frozen=True)
class Reading:
    """How the files of a source are read."""

    open_photo: Open
    open_label: Open
    side_by_side: bool
    palette: Palette | None  # None for targets that are pictures, not labels
    tolerance: int
    resolution: int
    where: str


@dataclass(frozen=True)
class DecodedPairs:
    """Photographs and labels, both uint8 `(N, 3, R, R)`, and what was found on the way.

    `broken` maps pairs that were left out to the reason; `outside` counts the label pixels of the
    others whose colour or number is none of the palette's.
    """

    photos: Pixels
    labels: Pixels
    broken: dict[int, str]
    outside: int


class _MismatchError(DataError):
    """A pair that is not what it must be, which --skip_broken does not cover."""


def decode_pairs(pairs: list[PairNames], reading: Reading, *, skip_broken: bool) -> DecodedPairs:
    """Decode pairs over all cores.

    Photographs are resized antialiased (Lanczos) to a square, labels by the nearest pixel after
    every pixel has got its class. Raises `DataError` for files that cannot be read, pairs of
    unequal sizes, and labels of which more than 1 % of the pixels are not in the palette.
    """
    side = reading.resolution
    photos = np.empty((len(pairs), 3, side, side), np.uint8)
    labels = np.empty_like(photos)
    outside = np.zeros((len(pairs), 2), np.int64)  # pixels not in the palette, and all of them

    def decode(start: int) -> dict[int, str]:
        broken = {}
        for index in range(start, min(start + _CHUNK, len(pairs))):
            read = _read(pairs[index], reading)
            if isinstance(read, str):
                broken[index] = read
                continue
            photo, label, outside[index, 0], outside[index, 1] = read
            photos[index], labels[index] = photo.transpose(2, 0, 1), label.transpose(2, 0, 1)
        return broken

    with quiet_pillow():
        broken = in_threads(decode, range(0, len(pairs), _CHUNK))
    if broken and (not skip_broken or len(broken) == len(pairs)):
        reason = broken[min(broken)]
        raise DataError(
            f"{reading.where}: {reason}{and_more(len(broken) - 1)}. Mend the pair or take it away"
            + ("." if len(broken) == len(pairs) else ", or give --skip-broken.")
        )
    _refuse_outside(outside, pairs, reading)
    kept = np.array([index not in broken for index in range(len(pairs))])
    return DecodedPairs(photos[kept], labels[kept], broken, int(outside[:, 0].sum()))


def classes_of_numbers(numbers: NDArray[np.integer], palette: Palette) -> tuple[Pixels, int]:
    """Classes of an index image `(H, W)`, and how many pixels have a number of none.

    These become unlabelled; class 0 where the palette has no such class.
    """
    table = np.full(_NO_NUMBER + 1, palette.unlabelled or 0, np.uint8)
    for number, label in palette.indices.items():
        table[number] = label
    unknown = ~np.isin(numbers, list(palette.indices))
    return table[np.where(unknown, _NO_NUMBER, numbers)], int(unknown.sum())


def classes_of_colours(pixels: Pixels, palette: Palette, tolerance: int) -> tuple[Pixels, int]:
    """Classes of a colour image `(H, W, 3)` by the nearest colour of the palette.

    The second value counts the pixels that are further than `tolerance` (Euclidean, in steps of
    8 bits) from it.
    """
    code = pixels.astype(np.int64) @ np.array([65536, 256, 1])
    codes, where, counts = np.unique(code, return_inverse=True, return_counts=True)
    colours = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1)
    known = np.array(list(palette.known))
    distance = ((colours[:, None] - known[None]) ** 2).sum(axis=2)
    label = np.array(list(palette.known.values()), np.uint8)[distance.argmin(axis=1)]
    outside = counts[distance.min(axis=1) > tolerance**2].sum()
    return label[where.reshape(code.shape)], int(outside)


def label_pixels(
    image: Image.Image, name: str, palette: Palette, tolerance: int, side: int
) -> tuple[Pixels, int, int]:
    """A label image in the palette's colours `(side, side, 3)`, its pixels outside, all of them.

    Raises `DataError` for numbers that have no class and no class 'unlabelled' to fall to, and
    Pillow's errors for what cannot be decoded.
    """
    spread = _SHADES.get(next(iter(raw_modes(_checked(image))), ""), 1)
    image.load()
    if orientation(image) != UPRIGHT:
        image = ImageOps.exif_transpose(image)
    classes, outside = _classes(image, name, palette, tolerance, spread)
    small = Image.fromarray(classes).resize((side, side), Image.Resampling.NEAREST)
    colours = np.array(palette.colours, np.uint8)
    return colours[np.asarray(small)], outside, classes.size


def _read(pair: PairNames, reading: Reading) -> tuple[Pixels, Pixels, int, int] | str:
    """Photograph, label, its pixels outside the palette and all its pixels; or what is broken."""
    with ExitStack() as opened:
        name = pair.photo
        try:
            photo = opened.enter_context(_checked(reading.open_photo(name)))
            if reading.side_by_side:
                photo, label = _halves(photo, pair)
            else:
                name = pair.label
                label = opened.enter_context(_checked(reading.open_label(name)))
                _same_size(photo, label, pair)
            name = pair.photo
            pixels = rgb_pixels(photo, reading.resolution, "stretch")
            name = pair.label
            if reading.palette is None:
                return pixels, rgb_pixels(label, reading.resolution, "stretch"), 0, 1
            how = (reading.palette, reading.tolerance, reading.resolution)
            return (pixels, *label_pixels(label, pair.label, *how))
        except _MismatchError as error:
            raise DataError(f"{reading.where}: {error}") from error
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            return f"{name} cannot be read (more than 64 megapixels)"
        except UnidentifiedImageError:
            return f"{name} cannot be read (not an image)"
        except Exception as error:  # a decoder that is fed damaged bytes may raise anything
            return f"{name} cannot be read ({(str(error) or type(error).__name__).rstrip('.')})"


def _checked(image: Image.Image) -> Image.Image:
    if image.width * image.height > MAX_PIXELS:
        raise ValueError("more than 64 megapixels")
    return image


def _same_size(photo: Image.Image, label: Image.Image, pair: PairNames) -> None:
    ours, theirs = upright_size(photo), upright_size(label)
    if ours != theirs:
        raise _MismatchError(
            f"{pair.photo} is {ours[0]} x {ours[1]} pixels and its partner {pair.label} "
            f"{theirs[0]} x {theirs[1]}. Give both the same size."
        )
    if orientation(photo) != orientation(label) and photo.size == label.size:
        raise _MismatchError(
            f"Only one of {pair.photo} and its partner {pair.label} is turned by an EXIF "
            "orientation, so that which way up they belong together cannot be told. Save both "
            "upright."
        )


def _halves(image: Image.Image, pair: PairNames) -> tuple[Image.Image, Image.Image]:
    """The left and the right half of an image that holds both (pix2pix: input left)."""
    image = ImageOps.exif_transpose(image)
    if image.width % 2:
        raise _MismatchError(
            f"{pair.photo} is {image.width} pixels wide, which cannot be halved. Give images that "
            "hold input and target side by side, of one width."
        )
    middle = image.width // 2
    return (
        image.crop((0, 0, middle, image.height)),
        image.crop((middle, 0, image.width, image.height)),
    )


def _classes(
    image: Image.Image, name: str, palette: Palette, tolerance: int, spread: int
) -> tuple[Pixels, int]:
    """Class of every pixel, from colours or from numbers, whichever the file holds."""
    if image.mode == "LA" and image.getchannel("A").getextrema() == (255, 255):
        image = image.getchannel("L")  # numbers, with an alpha that says nothing
    colours = partial(classes_of_colours, palette=palette, tolerance=tolerance)
    if image.mode == "P":
        # Both number and colour: where all of its colours are the palette's they are meant.
        classes, outside = colours(rgb_pixels(image, None))
        if not outside:
            return classes, outside
    if image.mode not in ("1", "L", "P") and not image.mode.startswith("I"):
        return colours(rgb_pixels(image, None))
    classes, outside = classes_of_numbers(np.asarray(image).astype(np.int64) // spread, palette)
    if outside and palette.unlabelled is None:
        raise _MismatchError(
            f"{outside:,} pixels of {name} have a number that is none of the palette's, "
            "which has no class 'unlabelled' to take them. Add their rows to the palette."
        )
    return classes, outside


def _refuse_outside(counted: NDArray[np.int64], pairs: list[PairNames], reading: Reading) -> None:
    """Refuse labels too many of whose pixels are none of the palette's."""
    outside, pixels = counted.sum(axis=0).tolist()
    if outside <= MOST_OUTSIDE * pixels:
        return
    worst = pairs[int(counted[:, 0].argmax())].label
    raise DataError(
        f"{reading.where}: {outside:,} of {pixels:,} label pixels ({outside / pixels:.1%}) are in "
        f"colours or numbers outside the palette, most of them in {worst}; at most 1 % may be. "
        "Give the palette that fits, or, for labels saved as JPEG, a --palette_tolerance such as "
        "60."
    )
