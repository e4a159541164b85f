"""Decoded image sets on disk, so that the second start of a run takes a moment."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from nda.data.images.image_set import ImageSet
from nda.runtime.files import follow_umask

_VERSION = 2  # raise it whenever decoding gives other pixels or the file another form


def cached(folder: Path, settings: Any, content: Any, build: Callable[[], ImageSet]) -> ImageSet:
    """What `build` gives, from `folder` where it was built before with the same settings.

    `settings` (source and options) name the file and `content` (names, sizes, dates) says whether
    it still holds: changed data replace their file instead of adding another. Both are anything
    JSON can write. A file that is damaged is built anew, and where none can be written the set is
    simply not kept: the cache saves time and nothing else.
    """
    path = folder / f"images-{_digest(settings)}.safetensors"
    stamp = _digest(content)
    found = _load(path, stamp)
    if found is None:
        found = build()
        _save(path, stamp, found)
    return found


def _load(path: Path, stamp: str) -> ImageSet | None:
    try:
        with safe_open(path, "pt") as file:
            kept = json.loads((file.metadata() or {})["nda"])
            # A file of an earlier version has no digest of what is said and is built anew.
            if kept.pop("digest") != _digest(kept) or kept["stamp"] != stamp:
                return None
            tensors = file.get_tensor("images"), file.get_tensor("labels")
        said = {name: kept[name] for name in ("classes", "skipped", "notes")}
        loaded = ImageSet.of(*tensors, **said)
        # The fingerprint was taken anew from what was read, so no flipped bit goes unseen.
        return loaded if loaded.fingerprint == kept["fingerprint"] else None
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _save(path: Path, stamp: str, built: ImageSet) -> None:
    kept = {
        "stamp": stamp,
        "classes": built.classes,
        "skipped": built.skipped,
        "notes": built.notes,
        "fingerprint": built.fingerprint,
    }
    tensors = {"images": built.images, "labels": built.labels}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # save_file writes from the tensor itself, but only to a name: hence a folder of our own.
        with tempfile.TemporaryDirectory(prefix=".images-", dir=path.parent) as folder:
            unfinished = Path(folder, path.name)
            said = json.dumps(kept | {"digest": _digest(kept)})
            save_file(tensors, unfinished, metadata={"nda": said})
            follow_umask(unfinished)
            unfinished.replace(path)
    except (OSError, SafetensorError):
        return  # no room or no permission: the next start decodes again


def _digest(value: Any) -> str:
    return hashlib.blake2b(json.dumps([_VERSION, value]).encode(), digest_size=16).hexdigest()
