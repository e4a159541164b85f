"""Which scored images are normal, as the folders say that they lie in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nda.data.reading.layout import MASKS, and_more, class_names, split_of
from nda.data.reading.unicode_names import composed
from nda.errors import ConfigError

USUAL = ("good", "normal")  # names of folders of normal images, in any case of letters


@dataclass(frozen=True)
class NormalFolders:
    """Folders of normal images, by name; images in other folders are anomalous."""

    names: tuple[str, ...]

    def is_anomalous(self, file: str) -> bool | None:
        """What the folders of an image say: None where it lies in none, or in a split alone."""
        folders = folders_of(file)
        if not folders:
            return None
        known = {name.casefold() for name in self.names}
        return not any(folder.casefold() in known for folder in folders)

    @property
    def sentence(self) -> str:
        """How images came by their labels."""
        one = len(self.names) == 1
        return (
            f"Labels are the names of folders: what lies in {' or '.join(self.names)} is normal, "
            f"what lies in {'another' if one else 'others'} is anomalous."
        )


def folders_of(file: str) -> list[str]:
    """The names of the folders that a file lies in, without those that are splits."""
    parts = [composed(part) for part in file.split("/")[:-1] if part not in ("", ".", "..")]
    return parts[1:] if parts and split_of(parts[0]) else parts


def normal_folders(given: str | None, files: Iterable[str] | None) -> NormalFolders | None:
    """The folders of normal images: those `given`, else one that is called as is usual.

    None where nothing says so. `files` are all names, or None where they are not known before.
    Raises `ConfigError` where no file, or every one, lies in the folders given.
    """
    asked = class_names(given)
    if files is None:
        return NormalFolders(tuple(asked)) if asked else None
    kept = [file for file in files if MASKS not in file.split("/")]
    there = sorted({folder for file in kept for folder in folders_of(file)})
    named = asked or [folder for folder in there if folder.casefold() in USUAL]
    found = NormalFolders(tuple(named))
    labels = {found.is_anomalous(file) for file in kept}
    if {True, False} <= labels and named:
        return found
    if not asked:
        return None
    shown = ", ".join(there[:5]) + and_more(len(there[5:])) if there else "no folder"
    which = "no image lies in" if False not in labels else "no image lies outside"
    raise ConfigError(
        f"--normal {given}: {which} such a folder, so there is nothing to tell apart; there "
        f"{'are' if len(there) > 1 else 'is'} {shown}."
    )
