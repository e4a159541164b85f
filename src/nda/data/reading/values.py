"""What the numbers in a picture's file mean: more than 8 bits become 8 by one rule a source.

A scale chosen picture by picture would hide what tells them apart: a detector must see the same
grey for the same number when it is calibrated and when it scores. So the range is that of the file
format (65535 in 16 bits), or the bits that the camera has, for all pictures of a source alike.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nda.bit_depths import FULL, bits_for, check_bit_depth
from nda.data.reading.layout import and_more
from nda.errors import DataError

MAX_PIXELS = 64_000_000
TOO_MANY_PIXELS = "more than 64 megapixels"
_TWO_BYTES = re.compile(r"(?:LA|[RGBA]|RGB[AaX]?);16\w+")  # "RGB;16" alone are 5 to 6 bits
_COLOURS = ("RGB;16", "RGBA;16", "RGBX;16")  # of which both bytes can be had
_OTHER_BYTE = {"B": "L", "L": "B", "N": "B" if np.little_endian else "L"}

Wide = NDArray[np.int64]


class Values:
    """The rule for the pictures of one source, and what was met on the way that must be told.

    Of a `bit_depth` of B, 0 is black and 2^B - 1 white in every file of more than 8 bits; without
    one the range is that of the file's format. It may be used from several threads.
    """

    def __init__(self, bit_depth: int | None = None) -> None:
        check_bit_depth(bit_depth)
        self.bit_depth = bit_depth
        self._highest: dict[str, int] = {}  # of each picture whose range the format does not say
        self._several: set[str] = set()
        self._profiles: set[str] = set()

    def read(self, image: Image.Image, name: str) -> Image.Image:
        """The opened picture, still to be decoded; one of more than 8 bits decoded, in 8.

        Raises `ValueError` for numbers whose range is unknown, or outside it.
        """
        self._remember(image, name)
        return self.in_8_bits(image, name) if is_wide(image) else image

    def in_8_bits(self, image: Image.Image, name: str = "") -> Image.Image:
        """A picture of more than 8 bits in 8, rounded; its transparency becomes a fourth channel.

        Raises `ValueError` for numbers whose range is unknown, or outside it.
        """
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(TOO_MANY_PIXELS)
        declared, measured = _declared_bits(image), _asks_for_depth(image)
        bits = (self.bit_depth or declared) if measured else declared
        if bits is None:
            raise ValueError("signed or 32-bit integers, whose range is unknown: give --bit_depth")
        about, transparent = dict(image.info), image.info.pop("transparency", None)
        wide, alpha = _numbers(image, upper_will_do=bits == FULL)
        least, highest, top = int(wide.min()), int(wide.max()), 2**bits - 1
        if measured and declared == FULL:
            self._highest[name] = highest
        if least < 0 or highest > top:
            outside = least if least < 0 else highest
            raise ValueError(
                f"the value {outside:,}, outside 0 to {top:,}, the range of {bits} bits"
            )
        if transparent is not None and alpha is None:
            same = wide == np.asarray(transparent)
            alpha = np.where(same if wide.ndim == 2 else same.all(axis=2), 0, 255).astype(np.uint8)
        eight = Image.fromarray(((wide * 255 + top // 2) // top).astype(np.uint8))
        if alpha is not None:
            eight.putalpha(Image.fromarray(alpha))
        about.pop("transparency", None)
        eight.info = about
        return eight

    def require_range(self, where: str) -> None:
        """Refuse (`DataError`) pictures that would be almost black: their range is another one.

        Asked once all of them were read, and only of a range that nobody has given.
        """
        if self.bit_depth is None and (highest := self.darkest_range()) is not None:
            raise DataError(
                f"{where}: its 16-bit images use values up to {highest:,} of 65,535 and would be "
                f"almost black. Give the bits that they have, such as --bit_depth "
                f"{bits_for(highest)}, or --bit_depth 16 if they are so dark."
            )

    def darkest_range(self) -> int | None:
        """The highest value of all 16-bit pictures, where that is below a quarter of the range."""
        highest = max(self._highest.values(), default=None)
        return highest if highest is not None and highest < 2**14 else None

    def join(self, other: Values) -> None:
        """Take in what was met in other pictures of the source, read elsewhere."""
        self._highest |= other._highest
        self._several |= other._several
        self._profiles |= other._profiles

    def notes(self) -> list[str]:
        """What a reader must know of the pictures, in sentences."""
        notes = []
        top = 2 ** (self.bit_depth or FULL) - 1
        dark = {name: high for name, high in list(self._highest.items()) if high * 16 < top}
        if dark and top >= 2**FULL - 1:
            name = min(dark)
            some = "1 16-bit image is" if len(dark) == 1 else f"{len(dark):,} 16-bit images are"
            notes.append(
                f"{some} almost black ({name} has values up to {dark[name]:,} of {top:,}); "
                "--bit_depth says how many bits there are, one number for all images."
            )
        for names, fact in (
            (self._several, "several frames or pages, of which the first was taken"),
            (self._profiles, "a colour profile that is not sRGB and was ignored"),
        ):
            if names:
                holds = "1 image has" if len(names) == 1 else f"{len(names):,} images have"
                notes.append(f"{holds} {fact} ({min(names)}{and_more(len(names) - 1)}).")
        return notes

    def _remember(self, image: Image.Image, name: str) -> None:
        # Phones put a preview behind a photograph (MPO); that is no second page.
        if image.format != "MPO" and _has_more(image):
            self._several.add(name)
        profile = image.info.get("icc_profile")
        if profile and b"sRGB" not in profile.replace(b"\0", b""):
            self._profiles.add(name)


def _has_more(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # of a damaged second frame, which nobody asked for
        return False


def is_wide(image: Image.Image) -> bool:
    """Whether a picture that is not decoded yet, or none of a file, has more than 8 bits."""
    if image.mode.startswith("I"):
        return True
    return any(_TWO_BYTES.fullmatch(raw) or raw == _PPM for raw in raw_modes(image))


_PPM = "RGB 65535"  # our word for what Pillow would bring to 8 bits by itself


def raw_modes(image: Image.Image) -> set[str]:
    """How the parts of a file that is not decoded yet are laid out, in Pillow's words."""
    return {_raw_mode(tile) for tile in getattr(image, "tile", ())}


def _raw_mode(tile: Any) -> str:
    codec, _, _, args = tile
    if codec == "ppm":
        return _PPM if args == ("RGB", 65535) else "declared"
    first = args[0] if isinstance(args, tuple) and args else args
    return "declared" if codec == "ppm_plain" else first if isinstance(first, str) else ""


def _asks_for_depth(image: Image.Image) -> bool:
    """Whether the range is that of the container alone; PGM states its own highest value."""
    return raw_modes(image) != {"declared"} and "I;12" not in raw_modes(image)


def _declared_bits(image: Image.Image) -> int | None:
    """The bits that the file says it has; None for integers that may be negative or have 32."""
    raw = raw_modes(image)
    if "I;12" in raw:
        return 12
    signed = {"I;16S", "I;16BS", "I;16NS"} & raw
    if image.mode == "I" and (signed or not raw or any(mode.startswith("I;32") for mode in raw)):
        return None
    return FULL


def _numbers(image: Any, *, upper_will_do: bool) -> tuple[Wide, NDArray[np.uint8] | None]:
    """The numbers as they are, `(H, W)` or `(H, W, 3)`, and the transparency in 8 bits.

    Pillow keeps one byte of two of a colour. Read a second time with the bytes changed about, the
    file gives the other one.
    """
    if image.mode.startswith("I"):
        return np.asarray(image).astype(np.int64), None
    if raw_modes(image) == {_PPM}:
        return _ppm(image), None
    raw = raw_modes(image)
    file, form = image.fp, image.format
    image.load()
    high = np.asarray(image).astype(np.int64)
    alpha = high[..., 3].astype(np.uint8) if image.mode in ("RGBA", "LA") else None
    if not all(mode[:-1] in _COLOURS and mode[-1] in _OTHER_BYTE for mode in raw):
        # Grey with transparency, and separate planes: only one byte can be had.
        if not upper_will_do:
            raise ValueError("16 bits of which Pillow reads 8; save it without transparency")
        return high[..., :3] * 257, alpha
    file.seek(0)
    with Image.open(file, formats=[form]) as second:
        second.tile = [_swapped(tile) for tile in second.tile]
        low = np.asarray(second).astype(np.int64)
    return high[..., :3] * 256 + low[..., :3], alpha


def _swapped(tile: Any) -> Any:
    args = tile.args
    raw = args[0] if isinstance(args, tuple) else args
    other = raw[:-1] + _OTHER_BYTE[raw[-1]]
    return tile._replace(args=(other, *args[1:]) if isinstance(args, tuple) else other)


def _ppm(image: Any) -> Wide:
    image.fp.seek(image.tile[0].offset)
    count = image.width * image.height * 3
    flat = np.frombuffer(image.fp.read(2 * count), ">u2", count)
    return flat.reshape(image.height, image.width, 3).astype(np.int64)
