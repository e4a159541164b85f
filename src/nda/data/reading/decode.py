"""From image files to one uint8 tensor, over all cores.

Pillow lets other threads run while it decodes, so threads suffice, and every image is written
straight into its place, which is on the disk where the result is large.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from nda.data.reading.layout import and_more
from nda.data.reading.mapped import room
from nda.data.reading.values import MAX_PIXELS, TOO_MANY_PIXELS, Values, is_wide
from nda.errors import DataError

_GIVE_RESOLUTION = "Give --resolution N to make every image N x N (resized and centre-cropped)."
UPRIGHT, SIDEWAYS = 1, (5, 6, 7, 8)  # of EXIF's orientations; the latter swap width and height
_ORIENTATION = 0x0112
_CHUNK = 128  # images a thread takes at once

Pixels = NDArray[np.uint8]
OpenImage = Callable[[int], Image.Image]
Fit = Literal["crop", "stretch"]


def decode_all(
    open_image: OpenImage,
    names: list[str],
    *,
    where: str,
    resolution: int | None,
    skip_broken: bool,
    fit: Fit = "crop",
    threads: int | None = None,
) -> tuple[Pixels, dict[int, str]]:
    """Decode images 0..len(names)-1 into `(N, 3, side, side)`.

    The second value maps each image that could not be read, and is left out of the first, to the
    reason; it is empty unless `skip_broken`.

    Raises `DataError` for unreadable images, and for images that are not square and of one size
    where there is no `resolution`.
    """
    if resolution is not None and resolution < 1:
        raise DataError(f"--resolution must be 1 pixel or more; got {resolution}.")
    count = len(names)
    with quiet_pillow():
        side, example = side_of(open_image, names, resolution, where)
        pixels = _allocate(count, side, where)

        def decode(start: int) -> dict[int, str]:
            broken = {}
            for index in range(start, min(start + _CHUNK, count)):
                image = read_pixels(partial(open_image, index), resolution, fit)
                if isinstance(image, str):
                    broken[index] = image
                elif image.shape != (side, side, 3):
                    raise different_sizes(where, example, side, names[index], image)
                else:
                    pixels[index] = image.transpose(2, 0, 1)  # (side, side, 3) to (3, side, side)
            return broken

        broken = in_threads(decode, range(0, count, _CHUNK), threads)
    if broken and (not skip_broken or len(broken) == count):
        raise unreadable(where, names, broken)
    return _without(pixels, broken), broken


def rgb_pixels(image: Image.Image, resolution: int | None, fit: Fit = "crop") -> Pixels:
    """The picture as uint8 `(H, W, 3)`, upright, and square where a resolution is given.

    Grey, palette and CMYK become RGB, transparency is laid over white, more than 8 bits become 8
    (`nda.data.reading.values`), colour profiles are ignored, and of an animation the first frame is
    taken.
    With `resolution` the shorter side is resized to it (Lanczos, antialiased; a smaller image is
    enlarged) and the middle is cut out, or with `fit="stretch"` the whole picture is resized to a
    square whatever its proportions.
    """
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(TOO_MANY_PIXELS)
    if resolution is not None:
        # JPEG can be decoded at 1/2, 1/4 or 1/8: quick, and invisible at twice the size needed.
        image.draft(None, (2 * resolution, 2 * resolution))
    if is_wide(image):
        image = Values().in_8_bits(image)
    image.load()
    if orientation(image) != UPRIGHT:
        image = ImageOps.exif_transpose(image)
    image = _rgb(image)
    if resolution is not None and image.size != (resolution, resolution):
        image = _fit(image, resolution, fit)
    return np.asarray(image)


def orientation(image: Image.Image) -> int:
    """EXIF's orientation of a picture, 1 to 8; that of a TIFF is applied as it is decoded."""
    found = image.getexif().get(_ORIENTATION, UPRIGHT) if "exif" in image.info else UPRIGHT
    return found if found in range(UPRIGHT, 9) else UPRIGHT


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height once the orientation is applied."""
    turned = orientation(image) in SIDEWAYS
    return (image.height, image.width) if turned else image.size


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode == "F":
        raise ValueError("floating-point pixels, whose range is unknown")
    if image.mode == "LAB":
        raise ValueError("CIELAB colours; save it as RGB")
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.convert("RGB")


def _fit(image: Image.Image, resolution: int, fit: Fit) -> Image.Image:
    if fit == "stretch":
        return image.resize((resolution, resolution), Image.Resampling.LANCZOS)
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    return image.resize((resolution, resolution), Image.Resampling.LANCZOS, box=box)


def read_pixels(
    open_image: Callable[[], Image.Image], resolution: int | None, fit: Fit = "crop"
) -> Pixels | str:
    """`rgb_pixels` of one image, or why it cannot be read; call it within `quiet_pillow`."""
    try:
        with open_image() as image:
            return rgb_pixels(image, resolution, fit)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        return TOO_MANY_PIXELS
    except UnidentifiedImageError:
        return "not an image"
    except Exception as error:  # a decoder that is fed damaged bytes may raise anything
        return (str(error) or type(error).__name__).rstrip(".")


def side_of(
    open_image: OpenImage, names: list[str], resolution: int | None, where: str
) -> tuple[int, str]:
    """The side of the result, and whose size that is."""
    if resolution is not None:
        return resolution, names[0]
    broken: dict[int, str] = {}
    for index, name in enumerate(names):
        image = read_pixels(partial(open_image, index), None)
        if isinstance(image, str):
            broken[index] = image
            continue
        height, width = image.shape[:2]
        if height != width:
            raise DataError(
                f"{where}: {name} is {_size(width, height)} pixels, not square. {_GIVE_RESOLUTION}"
            )
        return height, name
    raise unreadable(where, names, broken)


def _allocate(count: int, side: int, where: str) -> Pixels:
    try:
        return room(count, 3, side, side)
    except MemoryError as error:
        raise DataError(
            f"{where}: {count} images of {side} x {side} pixels need "
            f"{3 * count * side * side / 2**30:.0f} GiB, more memory than there is "
            "and more than is free where nda caches images (NDA_CACHE). Give a smaller "
            "--resolution or fewer --classes."
        ) from error


def in_threads(
    decode: Callable[[int], dict[int, str]],
    starts: range,
    threads: int | None = None,
    *,
    label: str = "Reading images",
) -> dict[int, str]:
    """What `decode` finds broken from each start on, over all cores and under a progress bar."""
    broken: dict[int, str] = {}
    with ThreadPoolExecutor(threads) as pool, _progress(len(starts), label) as advance:
        try:
            for found in pool.map(decode, starts):  # in order: the first fault is always the same
                broken |= found
                advance()
        finally:
            pool.shutdown(cancel_futures=True)
    return broken


@contextmanager
def _progress(total: int, label: str) -> Iterator[Callable[[], None]]:
    """A bar on a terminal, once a second has passed."""
    from nda.runtime.progress import bar_is_shown

    if not bar_is_shown():
        yield lambda: None
        return
    from rich.progress import Progress

    from nda.runtime.console import console

    progress = Progress(console=console(stderr=True), transient=True)
    task = progress.add_task(label, total=total)
    began = time.monotonic()

    def advance() -> None:
        progress.advance(task)
        if time.monotonic() - began > 1 and not progress.live.is_started:
            progress.start()

    try:
        yield advance
    finally:
        progress.stop()


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Pillow's warning of a huge image becomes an error; its other remarks are not for the user."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _without(pixels: Pixels, broken: dict[int, str]) -> Pixels:
    """Close the gaps in place: a copy would need the memory twice."""
    kept = [index for index in range(len(pixels)) if index not in broken]
    if broken:
        for place, index in enumerate(kept):
            pixels[place] = pixels[index]
    return pixels[: len(kept)]


def different_sizes(where: str, example: str, side: int, name: str, image: Pixels) -> DataError:
    return DataError(
        f"{where}: images differ in size: {example} is {_size(side, side)}, {name} is "
        f"{_size(image.shape[1], image.shape[0])} pixels. {_GIVE_RESOLUTION}"
    )


def _size(width: int, height: int) -> str:
    return f"{width} x {height}"


def unreadable(where: str, names: list[str], broken: dict[int, str]) -> DataError:
    index, reason = min(broken.items())
    more = and_more(len(broken) - 1)
    none_left = len(broken) == len(names)
    remedy = "Mend it or take it away" + ("." if none_left else ", or give --skip-broken.")
    return DataError(f"{where}: {names[index]} cannot be read ({reason}){more}. {remedy}")
