"""Which two files, or which two halves of one, make a pair."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nda.data.reading.layout import and_more, split_of
from nda.data.reading.unicode_names import composed
from nda.errors import DataError

CITYSCAPES = "torchvision:Cityscapes"
PHOTO_TREE, LABEL_TREE = "leftImg8bit", "gtFine"  # of Cityscapes
_PHOTO_END, _LABEL_END = "_leftImg8bit", "_gtFine_labelIds"


@dataclass(frozen=True)
class PairNames:
    """A pair: its name without split and ending, the split ("" for none), and its two files.

    Of an image that holds both side by side the two files are the same.
    """

    name: str
    split: str
    photo: str
    label: str


def pairs_of_trees(names: Iterable[str], photos: str, labels: str, where: str) -> list[PairNames]:
    """Pairs of one source with a folder `photos` and a folder `labels`, of equal names below them.

    The folders may stand above the splits or below them.
    """
    trees = {tree: _below(names, tree) for tree in (photos, labels)}
    for tree, option in ((photos, "--inputs"), (labels, "--targets")):
        if not trees[tree]:
            tops = sorted({part for name in names for part in name.split("/")[:-1]})
            shown = f"its folders are {', '.join(tops[:12])}" if tops else "it has no folders"
            raise DataError(
                f"{where} has no images in a folder {tree!r}; {shown}. Say with {option} which "
                "one it is, or give --side_by_side for images that hold both."
            )
    return _matched(trees[photos], trees[labels], f"{where}, {photos}", f"{where}, {labels}")


def pairs_of_sources(
    photos: Iterable[str], labels: Iterable[str], where: str, target_where: str
) -> list[PairNames]:
    """Pairs of two sources that hold files of equal names, or the two archives of Cityscapes."""
    found, others = _by_stem(photos), _by_stem(labels)
    if all(name.endswith(_PHOTO_END) for name in found):
        found, others = _ending_in(found, _PHOTO_END), _ending_in(others, _LABEL_END)
        return _with_public_labels(_matched(found, others, where, target_where))
    return _matched(found, others, where, target_where)


def pairs_side_by_side(names: Iterable[str]) -> list[PairNames]:
    """Pairs of images that hold both halves."""
    return _divided((_stem(name), name, name) for name in sorted(names))


def cityscapes_root(data: str, folder: Path) -> Path:
    """Where torchvision's set `data` lies in the cache `folder` (`DataError` for others)."""
    if data != CITYSCAPES:
        raise DataError(f"{data} holds no pairs; of torchvision's sets {CITYSCAPES} does.")
    root = folder / "torchvision" / "cityscapes"
    if not root.is_dir():
        raise DataError(
            f"{CITYSCAPES} cannot be fetched without an account at cityscapes-dataset.com. Unpack "
            f"leftImg8bit and gtFine into {root}, or give the folder that holds them as --data."
        )
    return root


def pairs_of_cityscapes(names: Collection[str], where: str) -> list[PairNames]:
    """Pairs of Cityscapes' own layout, as torchvision.datasets.Cityscapes expects it.

    `leftImg8bit/<split>/<city>/*_leftImg8bit.png` beside `gtFine/<split>/<city>/*_labelIds.png`.
    """
    found = [
        _ending_in(_below(names, tree), ending)
        for tree, ending in ((PHOTO_TREE, _PHOTO_END), (LABEL_TREE, _LABEL_END))
    ]
    pairs = _matched(found[0], found[1], f"{where}, {PHOTO_TREE}", f"{where}, {LABEL_TREE}")
    return _with_public_labels(pairs)


def is_cityscapes(names: Iterable[str]) -> bool:
    """Whether both of the trees of Cityscapes are there."""
    tops = {part for name in names for part in name.split("/")[:-1]}
    return {PHOTO_TREE, LABEL_TREE} <= tops


def _matched(
    photos: Mapping[str, list[str]], labels: Mapping[str, list[str]], where: str, other: str
) -> list[PairNames]:
    """Pairs of equal names; a name that stands alone, or twice, is refused."""
    for found, place in ((photos, where), (labels, other)):
        for name, files in found.items():
            if len(files) > 1:
                raise DataError(
                    f"{place}: {files[0]} and {files[1]} share the name {name!r}, so their pair is "
                    "not certain; take one of them away."
                )
    for alone, place, absent in (
        (sorted(set(photos) - set(labels)), where, other),
        (sorted(set(labels) - set(photos)), other, where),
    ):
        if alone:
            some = ", ".join(alone[:3]) + and_more(max(0, len(alone) - 3))
            raise DataError(
                f"{place} has {some} without a partner of the same name in {absent}. Give every "
                "image its partner, or take it away."
            )
    return _divided((name, photos[name][0], labels[name][0]) for name in sorted(photos))


def _below(names: Iterable[str], tree: str) -> dict[str, list[str]]:
    """The files under any folder `tree`, by their names without it and without ending."""
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        parts = name.split("/")
        if tree in parts[:-1]:
            parts.remove(tree)
            found.setdefault(_stem("/".join(parts)), []).append(name)
    return found


def _with_public_labels(pairs: list[PairNames]) -> list[PairNames]:
    """Without Cityscapes' test split, whose label files are empty."""
    return [pair for pair in pairs if pair.split != "test"]


def _ending_in(found: Mapping[str, list[str]], ending: str) -> dict[str, list[str]]:
    """Those whose name ends so, without the ending."""
    return {
        name.removesuffix(ending): files for name, files in found.items() if name.endswith(ending)
    }


def _by_stem(names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        found.setdefault(_stem(name), []).append(name)
    return found


def _stem(name: str) -> str:
    return composed(str(PurePosixPath(name).with_suffix("")))


def _divided(found: Iterable[tuple[str, str, str]]) -> list[PairNames]:
    """Pairs with their splits; there are splits only where every pair lies under one."""
    every = list(found)
    if not all("/" in name and split_of(name.partition("/")[0]) for name, _, _ in every):
        return [PairNames(name, "", photo, label) for name, photo, label in every]
    return [
        PairNames(name.partition("/")[2], split_of(name.partition("/")[0]), photo, label)
        for name, photo, label in every
    ]
