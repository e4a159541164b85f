"""What the names of image files say: `[split/][class/]name`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nda.data.reading.unicode_names import composed
from nda.errors import DataError

SPLITS = (
    "train", "test", "val", "valid", "validation", "all", "unlabeled",
    "test_private", "test_private_mixed",
)  # fmt: skip
_OTHER_NAMES = {
    "training": "train",
    "testing": "test",
    "test_public": "test",  # of MVTec AD 2, whose private test images have no labels
    "dev": "val",
    "unlabelled": "unlabeled",
}
_WHOLE = ("all", "unlabeled", "unlabelled", "dev")  # also ordinary words: refused nowhere
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


def split_of(part: str) -> str:
    """The split that a folder's name stands for, in any case of letters; "" for none."""
    name = part.lower()
    return _OTHER_NAMES.get(name, name if name in SPLITS else "")


def has_splits(names: Iterable[str]) -> bool:
    """Whether every image, masks aside, lies under a folder that is a split."""
    kept = [name for name in names if name.split("/")[0] != MASKS]
    return bool(kept) and all("/" in name and split_of(_top(name)) for name in kept)


def parse_layout(names: Iterable[str], where: str = "The data") -> list[Entry]:
    """The entries in order of their names, so that no file system's order shows.

    Folders are splits only where every image lies under one: a class may be called "train" where
    it holds images alone. Raises `DataError` where splits are mixed with other folders or lie below
    them. Masks (`ground_truth/`) beside or right inside the splits are left out.
    """
    ordered = sorted(names)
    if not has_splits(ordered):
        _refuse_hidden_splits(ordered, where)
        return [Entry(name, "", _label(name.split("/"))) for name in ordered]
    return [
        Entry(name, split_of(_top(name)), _label(name.split("/")[1:]))
        for name in ordered
        if MASKS not in name.split("/")[:-1][:2]
    ]


def _label(parts: Sequence[str]) -> str:
    return composed(parts[0]) if len(parts) > 1 else ""


def _refuse_hidden_splits(names: Sequence[str], where: str) -> None:
    """Refuse folders of which some are splits: their test images would be trained on."""
    folders = [name.split("/")[:-1] for name in names]
    splits = sorted({parts[0] for parts in folders if parts and split_of(parts[0])})
    others = sorted({parts[0] if parts else "loose images" for parts in folders} - set(splits))
    if splits and others and any(len(parts) > 1 and parts[0] in splits for parts in folders):
        raise DataError(
            f"{where} has splits ({_some(splits)}) beside what is none ({_some(others)}). Give the "
            "splits names that are known (train, val, test), or move the rest away."
        )
    below = {
        "/".join(parts[: place + 1])
        for parts in folders
        for place, part in enumerate(parts)
        if place and (part == MASKS or (split_of(part) and part.lower() not in _WHOLE))
    }
    if below:
        raise DataError(
            f"{where} has splits or masks below its folders ({_some(sorted(below))}). Give one of "
            f"{_some(others or splits)} as the data, or put the splits on top."
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + and_more(max(0, len(names) - 6))


def choose_split(splits: Iterable[str], split: str | None, where: str) -> str:
    """The split asked for; by default train, else all, else the only one ("" without splits)."""
    present = [name for name in SPLITS if name in set(splits)]
    wanted = split_of(split) or split.lower() if split is not None else None
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

    def only(self, rows: Sequence[int]) -> Selection:
        """Those of the images, in the order of `rows`."""
        names, labels = [self.names[row] for row in rows], [self.labels[row] for row in rows]
        return Selection(self.part, names, labels, self.classes)


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
            raise DataError(
                f"{where} has no class folders, so no class {name[:80]!r} can be chosen."
            )
        if name not in known:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            shown = ", ".join(names[:20]) + and_more(max(0, len(names) - 20))
            raise DataError(f"{where} has no class {name[:80]!r}.{hint} It has {shown}.")
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
