"""Names are names: blanks, folders, Unicode forms, byte-order marks and locales change none."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import unicodedata
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from nda.cli import main
from nda.data import load_images, load_splits
from nda.data.boxes.load import load_boxes
from nda.data.boxes.voc import annotations_of, labels_of
from nda.data.clips.split_files import parse_lists
from nda.data.images.defects import load_defects
from nda.data.pairs.load import PairSource, load_pairs
from nda.data.reading.layout import choose_classes, class_names
from nda.data.reading.source import open_source
from nda.data.reading.unicode_names import composed, lines_of, text_of
from nda.errors import DataError
from tests.support.made_boxes import write_image, write_list, write_voc
from tests.support.made_images import write
from tests.support.made_pairs import write_pairs
from tests.support.processes import PATIENCE


def split(name: str) -> str:
    """As macOS writes a name (NFD)."""
    return unicodedata.normalize("NFD", name)


def test_both_forms_of_a_letter_are_one_name() -> None:
    assert composed(split("größe/é.png")) == "größe/é.png"
    assert composed("größe".encode().decode("ascii", "surrogateescape")) == "größe"
    assert composed("gr\udcffe") == "gr\udcffe"  # bytes that are no text stay what they are


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_list_is_read_in_the_encodings_that_editors_write(encoding: str) -> None:
    assert lines_of("größe 1\r\n\r\n  b\u2028c \n".encode(encoding)) == ["größe 1", "b\u2028c"]


def test_bytes_that_are_no_text_are_those_of_a_file_name() -> None:
    assert text_of(b"gr\xf6\xdfe") == os.fsdecode(b"gr\xf6\xdfe")
    with pytest.raises(ValueError, match="utf-16"):
        text_of(b"\xff\xfea")


# --- lists of Pascal VOC


def listed(folder: Path, text: str | bytes) -> list[str]:
    place = folder / "ImageSets" / "Main" / "train.txt"
    place.write_bytes(text if isinstance(text, bytes) else text.encode())
    with open_source(folder, (".txt", ".xml")) as source:
        found = annotations_of(source, "train")
    return [each.fault or each.image for each in found]


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    folder = tmp_path / "voc"
    write_list(folder, "val", [])
    for name in ("a", "my photo 1", "cam0/0", "cam1/0", "cam0/only", "v1.2", split("é"), "x 1"):
        write_image(folder, name, 0)
    return folder


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("a", "a"),
        ("a 1", "a"),
        ("a  -1", "a"),
        ("my photo 1", "my photo 1"),
        ("my photo 1  0", "my photo 1"),
        ("x 1", "x 1"),
        ("cam0/0", "cam0/0"),
        ("cam1\\0 1", "cam1/0"),
        ("./cam1/0", "cam1/0"),
        ("a.png", "a"),
        ("my photo 1.png -1", "my photo 1"),
        ("only", "cam0/only"),
        ("v1.2", "v1.2"),
        ("é", split("é")),
        (split("é"), split("é")),
        ("\ufeffa", "a"),
    ],
)
def test_a_line_names_an_image_as_a_whole_or_before_its_mark(
    voc: Path, line: str, name: str
) -> None:
    if name == "cam0/only":  # beside the others, as its line says
        (voc / "Annotations" / "cam0" / "only.xml").rename(voc / "Annotations" / "only.xml")
    assert listed(voc, line + "\n") == [f"JPEGImages/{name}.png"]


@pytest.mark.parametrize("line", ["b c", "b c 1"])
def test_a_line_that_names_nothing_is_told_whole(voc: Path, line: str) -> None:
    assert listed(voc, line) == ["there is no JPEGImages/b c.jpg, which a split names"]


def test_a_name_of_two_folders_needs_its_folder(voc: Path) -> None:
    assert listed(voc, "0") == ["there is no JPEGImages/0.jpg, which a split names"]


def test_a_list_saved_as_utf_16_is_read(voc: Path) -> None:
    assert listed(voc, "a\r\né\r\n".encode("utf-16")) == [
        "JPEGImages/a.png",
        f"JPEGImages/{split('é')}.png",
    ]


def test_classes_of_annotations_and_labels_are_the_same_in_both_forms(tmp_path: Path) -> None:
    folder = write_voc(tmp_path / "voc", labels=split("Schraube\ngrüne Mutter\n"))
    for file in (folder / "Annotations").iterdir():
        text = file.read_text().replace("disc", "grüne Mutter").replace("bar", "Schraube")
        file.write_text(text, encoding="utf-8")
    with open_source(folder, (".txt", ".xml")) as source:
        assert labels_of(source) == ("Schraube", "grüne Mutter")
    for typed in ("grüne Mutter", split("grüne Mutter")):
        assert load_boxes(folder, classes=[typed]).train.counts == [12]


# --- classes, pairs, masks, videos


def test_class_folders_of_both_forms_are_one_class(tmp_path: Path) -> None:
    write(tmp_path, "train/größe/1.png", "train/größe/2.png", "train/b/1.png", "train/b/2.png")
    write(tmp_path, split("test/größe/3.png"), split("test/größe/4.png"), "test/b/3.png")
    splits = load_splits(tmp_path, cache=False)
    assert splits.train.classes == splits.heldout.classes == ("b", "größe")
    for typed in ("größe", split("größe")):
        assert len(load_images(tmp_path, classes=[typed], cache=False)) == 2


def test_pairs_are_matched_whatever_the_form_of_their_names(tmp_path: Path) -> None:
    write_pairs(tmp_path, {"train": 4, "test": 2})
    for tree, name in (("images", "übung"), ("labels", split("übung"))):
        file = tmp_path / "train" / tree / "train000.png"
        file.rename(file.with_stem(name))
    assert "übung" in load_pairs(PairSource(str(tmp_path)), resolution=16, cache=False).train.names


def test_masks_are_found_whatever_the_form_of_their_names(tmp_path: Path) -> None:
    write(tmp_path, "train/good/1.png", "train/good/2.png", "test/good/1.png", "test/kratzer/ö.png")
    mask = tmp_path / "ground_truth" / "kratzer" / f"{split('ö')}_mask.png"
    mask.parent.mkdir(parents=True)
    Image.new("L", (8, 8), 255).save(mask)
    found = load_defects(str(tmp_path), ["good"], resolution=8, fit="crop")
    assert found is not None
    assert found.masks is not None
    assert found.masks.flatten(1).sum(dim=1).tolist() == [0, 64]


def test_split_files_of_videos_may_have_breaks_of_other_kinds_in_names() -> None:
    texts = {"trainlist01.txt": "Grün/v a\u2028b.avi 1\r\nGrün/c.avi 1\r\n"}
    found = parse_lists(texts, 1, "here")
    assert [each.name for each in found] == ["Grün/v a\u2028b.avi", "Grün/c.avi"]


# --- zips, and locales that are not UTF-8


def test_a_zip_that_does_not_say_utf_8_is_read_as_what_it_is(tmp_path: Path) -> None:
    write(tmp_path / "data", "größe/1.png", "größe/2.png", "b/1.png", "b/2.png")
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted((tmp_path / "data").rglob("*.png")):
            archive.write(file, file.relative_to(tmp_path / "data").as_posix())
    content = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):  # the flags' upper byte
        start = -1
        while (start := content.find(mark, start + 1)) >= 0:
            content[start + place] &= ~0x08
    path.write_bytes(content)
    assert load_images(path, cache=False).classes == ("b", "größe")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems know no names but text")
def test_the_locale_changes_no_name(tmp_path: Path) -> None:
    names = ["ä b.png", "=1+2.png", "é\n.png", os.fsdecode(b"\xff\xfe.png")]
    write(tmp_path / "größe", *names)
    (tmp_path / "größe" / "no picture.png").write_bytes(b"broken")
    script = (
        "import sys; from nda.cli import main; code = main(sys.argv[1:]);"
        "from nda.data import load_images;"
        "s = load_images(sys.argv[2], skip_broken=True, cache=False);"
        "print(len(s), ascii(s.skipped)); sys.exit(code)"
    )
    words = ["preview", "größe", "--out", "bild ä.png", "--negatives", "jigsaw", "--skip_broken"]
    done = subprocess.run(
        [sys.executable, "-c", script, *words, "true"],
        cwd=tmp_path,
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert b"4 ('no picture.png: not an image',)" in done.stdout
    assert (tmp_path / "bild ä.png").is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems know no names but text")
@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_message_with_a_name_that_is_no_text_can_be_printed(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write(tmp_path / "data", "a.png", "b.png")
    (data / os.fsdecode(b"\xff.png")).write_bytes(b"broken")
    shown = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr("sys.stderr", shown)
    assert main(["preview", str(data), "--out", str(tmp_path / "o.png")]) == 2
    shown.flush()
    assert b"\\udcff.png cannot be read (not an image)" in shown.buffer.getvalue()


@pytest.mark.parametrize("typed", ["red, blue", "red,blue", "x,red, blue", "red,blue,x"])
def test_a_class_with_a_comma_can_be_chosen(typed: str) -> None:
    for name in ("red, blue", "red,blue"):
        chosen = choose_classes([name, "x"], class_names(typed), "here")
        assert chosen == ((name, "x") if "x" in typed else (name,))
    with pytest.raises(DataError, match="no class 'green'"):
        choose_classes(["red, blue"], class_names("red, blue, green"), "here")
