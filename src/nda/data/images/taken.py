"""What of a source was taken and what was passed over: told before anything is learned from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from nda.data.reading.layout import MASKS, Entry, Selection
from nda.data.reading.passed import first_few, passed_reasons, with_passed


def told_taken(
    entries: Sequence[Entry], selected: Selection, names: Collection[str], passed: Mapping[str, int]
) -> str:
    """A sentence: how many images of which classes and split, and what was passed over and why.

    `entries` are the images of the source, `names` all of its files with an ending that is read,
    and `passed` counts the others (`Source.passed`).
    """
    chosen = Counter(selected.labels)
    classes = [
        f"{name} {chosen[label]:,}" for label, name in enumerate(selected.classes) if chosen[label]
    ]
    where = f" of split {selected.part}" if selected.part else ""
    sorted_in = f" ({first_few(classes)})" if classes else ", in no classes,"
    text = f"{len(selected.names):,} images{where}{sorted_in} are taken"
    left = Counter(entry.split or "no split" for entry in entries)
    left[selected.part or "no split"] -= len(selected.names)
    reasons = [f"{count:,} of {_part(split)}" for split, count in left.items() if count > 0]
    if masks := len(names) - len(entries):
        reasons.append(f"{masks:,} in {MASKS}")
    return with_passed(text, [*reasons, *passed_reasons(passed)])


def _part(split: str) -> str:
    return "other classes" if split == "no split" else f"split {split}"
