"""The original CLEVR (v1.0), where a user has it, in the same form as rendered scenes.

Its pictures are 320 x 240; the middle square is cut out and resized. Pictures in which an object
reaches beyond that square are left out, so that the number of objects stays true.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from nda.data.clevr.scene import SHAPES, SIZES
from nda.data.reading.decode import quiet_pillow, read_pixels
from nda.data.reading.open import open_bytes
from nda.errors import ConfigError, DataError
from nda.runtime.files import atomic_file, refuse_existing
from nda.runtime.progress import progress
from nda.validators import counted

_FOCAL = 35 / 32  # focal length over the picture's width: a lens of 35 mm before 32 mm of film
_CORNER = math.sqrt(2)  # a cube's reach over its radius
Read = Callable[[str], bytes]

SPLITS = ("train", "val")  # those whose scenes were published


@dataclass(frozen=True)
class Taken:
    """How many pictures of each count were taken, and how many left out as cut by the square."""

    pictures: Mapping[int, int]
    cut: int


def write_original_archive(
    path: Path,
    source: Path,
    counts: Sequence[int],
    *,
    number: int,
    size: int,
    split: str,
    overwrite: bool = False,
) -> Taken:
    """Write up to `number` pictures of each count from `source`, a folder or .zip of CLEVR_v1.0.

    In order of the scenes; each as `<count>/<number>.png` of `size` x `size` pixels, and all the
    scenes, their `pixel_coords` adapted, as `scenes.json`. The file is there as a whole or not at
    all. Raises `ConfigError` for an archive that exists and is not to be replaced, or is the
    source, and `DataError` for missing or broken files and counts that the split does not have.
    """
    refuse_existing(path, overwrite)
    if path.exists() and path.samefile(source):
        raise ConfigError(f"--out {path} is what is read; give another --out.")
    if split not in SPLITS:
        raise DataError(f"CLEVR has no scenes of split {split!r}; give --split train or val.")
    with _opened(source) as read, quiet_pillow():
        name = f"scenes/CLEVR_{split}_scenes.json"
        scenes = _sorted_by_count(read(name), f"{source}: {name}", counts)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as packed:
            taking = _Taking(read, f"images/{split}", size, packed)
            most = sum(min(number, len(some)) for some in scenes.values())
            with progress("reading", most) as advance:
                for count, some in scenes.items():
                    taking.take(count, some, number, advance)
            about = {"source": "CLEVR v1.0", "split": split, "size": size}
            content = json.dumps({"info": about, "scenes": taking.scenes})
            packed.writestr(zipfile.ZipInfo("scenes.json"), content)
    return Taken(taking.pictures, taking.cut)


class _Taking:
    """Pictures going one by one into the archive."""

    def __init__(self, read: Read, folder: str, size: int, packed: zipfile.ZipFile) -> None:
        self.read, self.folder, self.size, self.packed = read, folder, size, packed
        self.scenes: list[dict[str, Any]] = []
        self.pictures: dict[int, int] = {}
        self.cut = 0

    def take(self, count: int, scenes: list[Any], number: int, advance: Callable[[], None]) -> None:
        """The first `number` of the scenes that are whole within the middle square."""
        self.pictures[count] = 0
        for scene in scenes:
            if self.pictures[count] == number:
                return
            name = f"{self.folder}/{Path(scene['image_filename']).name}"
            content = self.read(name)
            image = read_pixels(partial(_open, content), self.size)
            if isinstance(image, str):
                raise DataError(f"{name} cannot be read ({image}). Fetch CLEVR anew.")
            objects = _seen_in_square(scene["objects"], _open(content).size, self.size)
            if objects is None:
                self.cut += 1
                continue
            picture = f"{count}/{self.pictures[count]:05d}.png"
            png = io.BytesIO()
            Image.fromarray(image).save(png, "PNG")
            self.packed.writestr(zipfile.ZipInfo(picture), png.getvalue())
            known = {"image_filename": picture, "image_index": self.pictures[count]}
            self.scenes.append({**known, "original": name, "objects": objects})
            self.pictures[count] += 1
            advance()
        if self.pictures[count] == 0:
            raise DataError(
                f"There is no picture of {counted(count, 'object')} in which all of it lies within "
                "the middle square; choose other --objects."
            )


def _open(content: bytes) -> Image.Image:
    return open_bytes(len(content), lambda: content)


def _seen_in_square(
    objects: list[dict[str, Any]], shape: tuple[int, int], size: int
) -> list[dict[str, Any]] | None:
    """Objects with their `pixel_coords` in the square, or None where it cuts one off."""
    width, height = shape
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    adapted = []
    for one in objects:
        x, y, depth = one["pixel_coords"]
        reach = SIZES[one["size"]] * (_CORNER if one["shape"] == "cube" else 1)
        around = _FOCAL * width * reach / depth  # pixels from its centre to its outline
        if not left + around <= x <= width - left - around:
            return None
        place = [(x - left) * size / side, (y - top) * size / side, depth]
        adapted.append({**one, "pixel_coords": place})
    return adapted


def _sorted_by_count(content: bytes, where: str, counts: Sequence[int]) -> dict[int, list[Any]]:
    """The scenes of each of the counts; refuses what are no scenes of CLEVR."""
    try:
        scenes = json.loads(content)["scenes"]
        for scene in scenes:
            _check(scene)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{where} holds no scenes as CLEVR has them ({type(error).__name__}: "
            f"{error}). Fetch CLEVR_v1.0 anew."
        ) from error
    found = {count: [s for s in scenes if len(s["objects"]) == count] for count in counts}
    absent = [str(count) for count, some in found.items() if not some]
    if absent:
        present = sorted({len(scene["objects"]) for scene in scenes})
        raise DataError(
            f"{where} has no scene of {', '.join(absent)} objects; there are scenes of "
            f"{', '.join(map(str, present))}. Choose among these by --objects."
        )
    return found


def _check(scene: Any) -> None:
    """Raise where the scene lacks something that is used of it."""
    str(scene["image_filename"])
    for one in scene["objects"]:
        place = [float(number) for number in one["pixel_coords"]]
        if (
            len(place) != 3
            or place[2] <= 0
            or one["size"] not in SIZES
            or one["shape"] not in SHAPES
        ):
            raise ValueError(f"an object {one}")


@contextmanager
def _opened(source: Path) -> Iterator[Read]:
    """Give the bytes of a file by its name below CLEVR_v1.0, from a folder or a .zip."""
    if source.is_dir():
        yield lambda name: _bytes_of(source, name)
    elif source.suffix.lower() == ".zip" and source.is_file():
        try:
            archive = zipfile.ZipFile(source)
        except zipfile.BadZipFile as error:
            raise DataError(f"{source} is not a readable zip ({error}). Fetch it anew.") from error
        with archive:
            yield lambda name: _member_of(archive, source, name)
    else:
        raise DataError(f"{source} is no folder and no .zip; give --original CLEVR_v1.0.")


def _bytes_of(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError as error:
        raise _missing(folder, name) from error


def _member_of(archive: zipfile.ZipFile, path: Path, name: str) -> bytes:
    for member in (name, f"CLEVR_v1.0/{name}"):
        try:
            return archive.read(member)
        except KeyError:
            continue
        except (zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{path}: {member} is damaged ({error}). Fetch it anew.") from error
    raise _missing(path, name)


def _missing(where: Path, name: str) -> DataError:
    return DataError(
        f"{where} has no {name}. Give the folder or .zip of CLEVR_v1.0, which holds images/ and "
        "scenes/."
    )
