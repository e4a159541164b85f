"""Archives of images that are made here."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

from PIL import Image
from torch import Tensor

from nda.runtime.files import StrPath, atomic_file
from nda.runtime.progress import tracked


def write_png_archive(path: StrPath, images: Iterable[tuple[str, Tensor]], count: int) -> None:
    """Write images uint8 (H, W, 3), each with its name, as they come; `count` is how many.

    The file is there as a whole or not at all, and equal images make an equal file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, pixels in tracked(images, "drawing", count):
            png = io.BytesIO()
            Image.fromarray(pixels.contiguous().numpy()).save(png, "PNG", compress_level=1)
            # A fixed date, so that equal images make an equal file.
            archive.writestr(zipfile.ZipInfo(name), png.getvalue())
