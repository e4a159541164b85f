"""Decoded image sets on disk, so that the second start of a run takes a moment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from nda.data.images.image_set import ImageSet
from nda.runtime.files import follow_umask, temporary_folder

T = TypeVar("T")

_VERSION = 2  # raise it whenever decoding gives other pixels or the file another form


def cached(folder: Path, settings: Any, content: Any, build: Callable[[], ImageSet]) -> ImageSet:
    """What `build` gives, from `folder` where it was built before with the same settings.

    `settings` (source and options) name the file and `content` (names, sizes, dates) says whether
    it still holds: changed data replace their file instead of adding another. Both are anything
    JSON can write. A file that is damaged is built anew, and where none can be written the set is
    simply not kept: the cache saves time and nothing else.
    """
    file = CacheFile(folder, "images", settings, content)
    found = file.load(_image_set)
    if found is None:
        found = build()
        said = {name: getattr(found, name) for name in ("classes", "skipped", "notes")}
        tensors = {"images": found.images, "labels": found.labels}
        file.save(tensors, said | {"fingerprint": found.fingerprint})
    return found


def _image_set(tensors: dict[str, Tensor], said: dict[str, Any]) -> ImageSet | None:
    kept = said.pop("fingerprint")
    loaded = ImageSet.of(tensors["images"], tensors["labels"], **said)
    # The fingerprint was taken anew from what was read, so no flipped bit goes unseen.
    return loaded if loaded.fingerprint == kept else None


class CacheFile:
    """Tensors in a folder, with what is said of them; `settings` and `content` as in `cached`."""

    def __init__(self, folder: Path, kind: str, settings: Any, content: Any) -> None:
        self.path = folder / f"{kind}-{_digest(settings)}.safetensors"
        self.stamp = _digest(content)

    def load(self, make: Callable[[dict[str, Tensor], dict[str, Any]], T | None]) -> T | None:
        """What `make` makes of them, which maps the tensors; None where they do not hold."""
        try:
            with safe_open(self.path, "pt") as file:
                said = json.loads((file.metadata() or {})["nda"])
                # A file of an earlier version has no digest of what is said and is built anew.
                if said.pop("digest") != _digest(said) or said.pop("stamp") != self.stamp:
                    return None
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return make(tensors, said)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def save(self, tensors: dict[str, Tensor], said: dict[str, Any]) -> None:
        """Keep them, where there is room and permission."""
        _save(self.path, tensors, said | {"stamp": self.stamp})


def _save(path: Path, tensors: dict[str, Tensor], said: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # save_file writes from the tensor itself, but only to a name: hence a folder of our own.
        with temporary_folder(path) as folder:
            unfinished = folder / path.name
            metadata = {"nda": json.dumps(said | {"digest": _digest(said)})}
            save_file(tensors, unfinished, metadata=metadata)
            follow_umask(unfinished)
            unfinished.replace(path)
    except (OSError, SafetensorError):
        return  # no room or no permission: the next start decodes again


def _digest(value: Any) -> str:
    return hashlib.blake2b(json.dumps([_VERSION, value]).encode(), digest_size=16).hexdigest()
