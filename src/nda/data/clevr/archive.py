"""A .zip of rendered scenes of CLEVR, sorted into one folder a count: a data set like any other.

Pictures are finished one by one in a folder beside the archive, which appears only when all are
there. Whatever ends the work half-way, the same call goes on from the pictures there are.
"""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from nda.data.clevr.draw import scene_of
from nda.data.clevr.render import SAMPLES, render, renderer
from nda.data.clevr.scene import Scene, to_json
from nda.data.clevr.view import pixel_coords
from nda.errors import DataError
from nda.runtime.files import atomic_file, refuse_existing, write_atomically, write_text_atomically
from nda.runtime.workers.processes import in_processes

FORMAT = "nda clevr 1"  # anything that changes a picture changes this number
_SETTINGS = "settings.json"
_SCENE = "scene"  # the text in a PNG file that describes what it shows


@dataclass(frozen=True)
class ClevrArchive:
    """What an archive is to hold: `number` pictures of each of the `counts` of objects."""

    path: Path  # or text
    counts: tuple[int, ...]
    number: int
    size: int = 64  # side in pixels
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))

    @property
    def partial(self) -> Path:
        """The folder of finished pictures while the archive is not yet there."""
        return self.path.with_name(self.path.name + ".partial")

    def names(self) -> Iterator[tuple[int, int, str]]:
        """Count, number and name of every picture."""
        for count in sorted(self.counts):
            for index in range(self.number):
                yield count, index, f"{count}/{index:05d}.png"


def write_clevr_archive(
    archive: ClevrArchive, *, workers: int = 1, overwrite: bool = False
) -> None:
    """Render all scenes in `workers` processes and write the archive, as a whole or not at all.

    Equal arguments make equal files. Pictures that an interrupted call left are kept, also where
    it asked for other counts or another number. Raises `DataError` where Mitsuba is missing, a
    count cannot be placed or its unfinished pictures are of another
    size or seed, `ConfigError` where the archive exists and is not to be replaced, and
    `WorkerDiedError` where a worker was killed.
    """
    refuse_existing(archive.path, overwrite)
    renderer()  # what is missing is said before anything is written
    for count in archive.counts:
        scene_of(count, 0, archive.seed)  # and so is what cannot be placed
    _claim(archive)
    todo = [
        (archive, count, index)
        for count, index, name in archive.names()
        if not (archive.partial / name).exists()
    ]
    todo.sort(key=itemgetter(2))  # all counts alike far: what is done may serve a smaller archive
    in_processes(render_picture, todo, workers, "rendering", done=_total(archive) - len(todo))
    _pack(archive)
    shutil.rmtree(archive.partial)


def render_picture(archive: ClevrArchive, count: int, index: int) -> None:
    """Render one scene into the folder of unfinished work; its file carries its description."""
    scene = scene_of(count, index, archive.seed)
    pixels = render(scene, archive.size)
    known = PngImagePlugin.PngInfo()
    known.add_text(_SCENE, json.dumps(describe(scene, archive.size)))
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG", pnginfo=known)
    path = archive.partial / f"{count}/{index:05d}.png"
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, lambda file: file.write(content.getvalue()))


def describe(scene: Scene, size: int) -> dict[str, Any]:
    """The scene under CLEVR's names, with where its objects are in a picture of that size."""
    known = to_json(scene)
    for one in known["objects"]:
        one["pixel_coords"] = list(pixel_coords(one["3d_coords"], scene.camera, size))
    return known


def _total(archive: ClevrArchive) -> int:
    return len(archive.counts) * archive.number


def _claim(archive: ClevrArchive) -> None:
    """Make the folder of unfinished work, or make sure that it is of the same pictures."""
    settings = {
        "format": FORMAT,
        "size": archive.size,
        "seed": archive.seed,
        "samples": SAMPLES,
    }
    path = archive.partial / _SETTINGS
    archive.partial.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        if any(archive.partial.iterdir()):
            raise DataError(
                f"{archive.partial} holds files that are not unfinished scenes. Move it away, or "
                "give another --out."
            )
        write_text_atomically(path, json.dumps(settings) + "\n")
    elif (found := _settings_in(path)) != settings:
        raise DataError(
            f"{archive.partial} holds unfinished scenes of size {found['size']} and seed "
            f"{found['seed']}, not of size {archive.size} and seed {archive.seed}. Give the "
            "same settings to go on, or remove that folder to begin anew."
        )


def _settings_in(path: Path) -> dict[str, Any]:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        found: dict[str, Any] = {"size": None, "seed": None, **kept}
    except (ValueError, TypeError) as error:
        raise DataError(
            f"{path} is damaged ({error}). Remove the folder around it to begin anew."
        ) from error
    return found


def _pack(archive: ClevrArchive) -> None:
    whole = archive.partial / "whole.zip"
    scenes = []
    with atomic_file(whole) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as packed:
        for _, index, name in archive.names():
            content = (archive.partial / name).read_bytes()
            scene = _scene_in(content, archive.partial / name)
            scenes.append({"image_filename": name, "image_index": index, **scene})
            packed.writestr(zipfile.ZipInfo(name), content)  # of a fixed date
        about = {"format": FORMAT, "size": archive.size, "seed": archive.seed}
        packed.writestr(
            zipfile.ZipInfo("scenes.json"), json.dumps({"info": about, "scenes": scenes})
        )
    whole.replace(archive.path)


def _scene_in(content: bytes, path: Path) -> dict[str, Any]:
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            picture.load()
            known: dict[str, Any] = json.loads(picture.info[_SCENE])
            return known
    except (OSError, SyntaxError, KeyError, ValueError) as error:
        raise DataError(
            f"{path} is damaged ({error}). Remove it and give the same command again."
        ) from error
