"""What the names of image files say: `[split/][class/]name`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nda.data.unicode_names import composed
from nda.errors import DataError

SPLITS = ("train", "test", "val", "valid", "validation", "all", "unlabeled")
HELDOUT_SPLITS = ("test", "val", "valid", "validation")  # in order of preference
MASKS = "ground_truth"  # beside the splits of MVTec's layout: no images of the data set


@dataclass(frozen=True)
class Entry:
    """One image file: its name and what the name says ("" for no split or no class)."""

    name: str
    split: str
    label: str


def class_names(text: str | None) -> list[str] | None:
    """The names in a list separated by commas; None, for all classes, where there is none."""
    return [name.strip() for name in text.split(",")] if text else None


def parse_layout(names: Iterable[str]) -> list[Entry]:
    """The entries in order of their names, so that no file system's order shows.

    Folders are splits only where every image lies under one: a class may be called "train".
    """
    ordered = sorted(names)
    kept = [name for name in ordered if name.split("/")[0] != MASKS]
    has_splits = bool(kept) and all("/" in name and _top(name) in SPLITS for name in kept)
    entries = []
    for name in kept if has_splits else ordered:
        parts = name.split("/")[1:] if has_splits else name.split("/")
        split = _top(name) if has_splits else ""
        entries.append(Entry(name, split, composed(parts[0]) if len(parts) > 1 else ""))
    return entries


def choose_split(splits: Iterable[str], split: str | None, where: str) -> str:
    """The split asked for; by default train, else all, else the only one ("" without splits)."""
    present = [name for name in SPLITS if name in set(splits)]
    wanted = split.lower() if split is not None else None
    if wanted in present:
        return wanted
    if not present:
        if wanted is None:
            return ""
        raise DataError(
            f"{where} has no split {split!r}: its images do not all lie under split folders "
            f"({', '.join(SPLITS)}). Leave the split out, or sort the images into such folders."
        )
    if wanted is None:
        for name in ("train", "all"):
            if name in present:
                return name
        if len(present) == 1:
            return present[0]
    missing = "train split" if wanted is None else f"split {split!r}"
    raise DataError(f"{where} has no {missing}. Choose one that exists: {', '.join(present)}.")


def heldout_split(splits: Iterable[str], training: str) -> str | None:
    """The split to evaluate on beside `training`, where there is one."""
    present = set(splits) - {training}
    return next((name for name in HELDOUT_SPLITS if name in present), None)


@dataclass(frozen=True)
class Selection:
    """The images to decode, in order; `part` says which of the source's they are."""

    part: str
    names: list[str]
    labels: list[int]
    classes: tuple[str, ...]


def select(
    entries: Sequence[Entry], split: str, classes: Sequence[str] | None, where: str
) -> Selection:
    """The images of `split` in `classes` (all by default); refuses fewer than two images.

    The classes are those of the whole source, sorted, so that a label means the same in every
    split; there are none where the split has no class folders.
    """
    chosen = [entry for entry in entries if entry.split == split]
    known = sorted({entry.label for entry in entries if entry.label})
    if not any(entry.label for entry in chosen):
        known = []
    kept = choose_classes(known, classes, where)
    numbers = {name: number for number, name in enumerate(kept)}
    if kept:
        _refuse_loose(chosen, where)
        chosen = [entry for entry in chosen if entry.label in numbers]
    if len(chosen) < 2:
        inside = f"the {split} split" if split else "all"
        raise DataError(
            f"{where} has {len(chosen)} image{'s' * (len(chosen) != 1)} in {inside}"
            f"{' of class ' + ', '.join(kept) if classes else ''}; at least 2 are needed."
        )
    labels = [numbers.get(entry.label, 0) for entry in chosen]
    return Selection(split, [entry.name for entry in chosen], labels, kept)


def _refuse_loose(entries: Sequence[Entry], where: str) -> None:
    loose = [entry.name for entry in entries if not entry.label]
    if loose:
        raise DataError(
            f"{where}: {loose[0]}{and_more(len(loose) - 1)} lies beside the class folders, not in "
            "one. Move it into the folder of its class, or away."
        )


def choose_classes(
    names: Sequence[str], wanted: Sequence[str] | None, where: str
) -> tuple[str, ...]:
    """Those of `names` that are wanted, in the order of `names`; an unknown one is refused."""
    if not wanted:
        return tuple(names)
    wanted = [composed(name) for name in ([wanted] if isinstance(wanted, str) else wanted)]
    known = set(names)
    wanted = _joined(wanted, names)
    for name in wanted:
        if not names:
            raise DataError(f"{where} has no class folders, so no class {name!r} can be chosen.")
        if name not in known:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            shown = ", ".join(names[:20]) + and_more(max(0, len(names) - 20))
            raise DataError(f"{where} has no class {name!r}.{hint} It has {shown}.")
    chosen = set(wanted)
    return tuple(name for name in names if name in chosen)


def _joined(wanted: Sequence[str], names: Sequence[str]) -> list[str]:
    """What was wanted, with the parts put together again of a name that holds commas."""
    joined: list[str] = []
    first = 0
    while first < len(wanted):
        for last in range(len(wanted), first, -1):
            parts = wanted[first:last]
            name = next((each for each in (", ".join(parts), ",".join(parts)) if each in names), "")
            if name or last == first + 1:
                joined.append(name or wanted[first])
                first = last
                break
    return joined


def and_more(count: int) -> str:
    """The tail of a list of which only the beginning is named."""
    return f" and {count} more" if count else ""


def _top(name: str) -> str:
    return name.split("/", maxsplit=1)[0].lower()
