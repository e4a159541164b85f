"""Pascal VOC's layout: which files a split names, and what an annotation says.

JPEGImages/<name>.jpg, Annotations/<name>.xml, ImageSets/Main/<split>.txt (Everingham et al., 2010).
"""

from __future__ import annotations

import difflib
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NoReturn

from nda.data.reading.layout import and_more
from nda.data.reading.source import EXTENSIONS, Source
from nda.data.reading.unicode_names import composed, lines_of
from nda.errors import DataError

ENDINGS = (".xml", ".txt")  # of the files beside the images
MAX_BYTES = 1 << 20  # of an annotation or a list; VOC's have some thousands
IMAGES, ANNOTATIONS, SETS, LABELS = "JPEGImages", "Annotations", "ImageSets/Main", "labels.txt"
_CLASS_MARK = re.compile(r"\s+(?:-1|0|1)$")  # whether the class of a list is in the image
_SIDES = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class Object:
    """An object of an annotation; `fault` says what is wrong with its box, if anything is.

    `box` is left, top, right, bottom. VOC counts pixels from 1, and the last belongs to the box:
    1 is taken off the first two, so that the edges of an image are 0 and its width or height.
    """

    name: str
    box: tuple[float, float, float, float]
    difficult: bool
    fault: str = ""


@dataclass(frozen=True)
class Annotation:
    """An image of a split with its objects; `fault` says why it cannot be used, if it cannot."""

    name: str
    image: str  # name of its file
    xml: str
    size: tuple[int, int] | None = None  # width and height, where the annotation gives them
    objects: tuple[Object, ...] = ()
    fault: str = ""


def annotations_of(source: Source, splits: str) -> list[Annotation]:
    """The images of the splits, joined by commas, in their order; none comes twice.

    Raises `DataError` where there is no such split, or nothing in it.
    """
    roots = _roots(source)
    found: dict[str, Annotation] = {}
    for split in (word.strip() for word in splits.split(",")):
        folder, _, name = split.rpartition("/")
        chosen = [
            root
            for root in roots
            if f"{root}{SETS}/{name}.txt" in source.stamps
            and (not folder or f"/{root}".endswith(f"/{folder}/"))
        ]
        if not chosen:
            raise _no_split(source, split, roots)
        for root in chosen:
            names = _Names(source, root)
            for line in _lines(source, f"{root}{SETS}/{name}.txt"):
                listed = names.listed(line)
                found.setdefault(root + listed, _annotation(source, listed, names))
    if not found:
        raise DataError(f"{source.where}: the split {splits} names no image. Give another split.")
    return list(found.values())


def labels_of(source: Source) -> tuple[str, ...]:
    """The classes that `labels.txt` names, in its order; nothing where there is no such file."""
    files = [f"{root}{LABELS}" for root in _roots(source) if f"{root}{LABELS}" in source.stamps]
    if LABELS in source.stamps:
        files = [LABELS]
    names = [composed(name) for file in files for name in _lines(source, file)]
    return tuple(dict.fromkeys(names))


def parse_annotation(data: bytes) -> tuple[tuple[int, int] | None, tuple[Object, ...]]:
    """Size and objects of a VOC annotation.

    Raises `ValueError` for anything but plain XML of an annotation. A document type is refused:
    entities that it declares could grow without bound, or name other files.
    """
    # Without NULs, so that UTF-16 is seen through as well; other encodings meet the builder.
    if b"<!DOCTYPE" in data.replace(b"\0", b""):
        raise ValueError("a document type, which is not taken")
    try:
        root = ET.fromstring(data, ET.XMLParser(target=_PlainBuilder()))
    except ET.ParseError as error:
        raise ValueError(f"no readable XML: {error}") from error
    if root.tag != "annotation":
        raise ValueError(f"its root is <{root.tag[:40]}>, not <annotation>")
    return _size(root), tuple(_object(each) for each in root.findall("object"))


class _PlainBuilder(ET.TreeBuilder):
    """Refuses a document type before anything in it is read."""

    def doctype(self, *_: object) -> NoReturn:
        raise ValueError("a document type, which is not taken")


def _annotation(source: Source, name: str, names: _Names) -> Annotation:
    xml, image = names.annotation(name), names.image(name)
    if not image:
        missing = f"{names.root}{IMAGES}/{name}.jpg"
        return Annotation(name, missing, xml, fault=f"there is no {missing}, which a split names")
    if xml not in source.stamps:
        return Annotation(name, image, xml, fault=f"there is no {xml} for {image}")
    try:
        return Annotation(name, image, xml, *parse_annotation(_read(source, xml)))
    except ValueError as error:
        return Annotation(name, image, xml, fault=f"{xml} cannot be read ({error})")


def _object(found: ET.Element) -> Object:
    name = composed((found.findtext("name") or "").strip())
    box = found.find("bndbox")
    words = [((box.findtext(side) if box is not None else None) or "").strip() for side in _SIDES]
    try:
        left, top, right, bottom = map(float, words)
    except ValueError:
        left = math.nan
    difficult = (found.findtext("difficult") or "").strip() == "1"
    shown = ", ".join(words)
    if math.isnan(left) or not all(map(math.isfinite, (left, top, right, bottom))):
        return Object(name, (0, 0, 0, 0), difficult, f"the box ({shown}) is not four numbers")
    fault = "" if right > left and bottom > top else f"the box ({shown}) has no area"
    return Object(name, (left - 1, top - 1, right, bottom), difficult, fault)


def _size(root: ET.Element) -> tuple[int, int] | None:
    try:
        width, height = (int(root.findtext(f"size/{side}") or 0) for side in ("width", "height"))
    except ValueError:
        return None
    return (width, height) if width > 0 and height > 0 else None


def _roots(source: Source) -> list[str]:
    """The folders that hold `ImageSets/Main`, each with a slash behind it, or "" for the top."""
    ends = (name.rpartition(f"{SETS}/") for name in source.stamps if name.endswith(".txt"))
    return sorted({root for root, middle, _ in ends if middle and (not root or root[-1] == "/")})


class _Names:
    """The images of a root by the names that lists give them, and their annotations."""

    def __init__(self, source: Source, root: str) -> None:
        self.root = root
        self.below: dict[str, str] = {}  # names without ending below JPEGImages, to files
        self.stems: dict[str, str] = {}  # the same without folders
        self.annotations = {
            composed(name): name for name in source.stamps if name.lower().endswith(".xml")
        }
        folder = f"{root}{IMAGES}/"
        for name in sorted(source.stamps):
            if name.startswith(folder) and name.lower().endswith(EXTENSIONS):
                path = PurePosixPath(composed(name).removeprefix(composed(folder)))
                self.below[str(path.with_suffix(""))] = name
                # Of two files of one name none is meant without its folder.
                self.stems[path.stem] = "" if path.stem in self.stems else name

    def image(self, listed: str) -> str:
        """The file of a listed name; "" where there is none."""
        return self.below.get(listed) or self.stems.get(listed) or ""

    def annotation(self, listed: str) -> str:
        """Where the annotation of a listed name is, or would be."""
        xml = f"{self.root}{ANNOTATIONS}/{listed}.xml"
        return self.annotations.get(composed(xml), xml)

    def listed(self, line: str) -> str:
        """What a line names: all of it, or what stands before the 1, 0 or -1 of a class.

        Folders may be parted by backslashes, and the ending of the file may stand behind.
        """
        whole = composed(line).replace("\\", "/").removeprefix("./")
        for name in (whole, _CLASS_MARK.sub("", whole), whole.split()[0]):
            if self.image(name):
                return name
            if name.lower().endswith(EXTENSIONS) and self.image(bare := name.rpartition(".")[0]):
                return bare
        return _CLASS_MARK.sub("", whole)


def _lines(source: Source, file: str) -> list[str]:
    """The lines of a list that are not empty."""
    try:
        return lines_of(_read(source, file))
    except ValueError as error:  # of decoding as well
        raise DataError(f"{source.where}: {file} cannot be read ({error}). Mend it.") from error


def _read(source: Source, name: str) -> bytes:
    size = source.stamps[name][0]
    if size > MAX_BYTES:
        raise ValueError(f"{size:,} bytes, more than the {MAX_BYTES:,} read")
    try:
        return source.read(name)
    except Exception as error:  # of a damaged archive, or of the disk
        raise ValueError(str(error) or type(error).__name__) from error


def _no_split(source: Source, split: str, roots: Sequence[str]) -> DataError:
    if not roots:
        return DataError(
            f"{source.where} is not in Pascal VOC's layout: it has no {SETS}/<split>.txt. Give "
            f"data with {IMAGES}, {ANNOTATIONS} and {SETS}."
        )
    present = sorted(
        name.removesuffix(".txt").replace(f"{SETS}/", "", 1)
        for name in source.stamps
        if name.endswith(".txt") and any(name.startswith(f"{root}{SETS}/") for root in roots)
    )
    near = difflib.get_close_matches(split, present, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    shown = ", ".join(present[:12]) + and_more(max(0, len(present) - 12))
    return DataError(f"{source.where} has no split {split!r}.{hint} It has {shown}.")
