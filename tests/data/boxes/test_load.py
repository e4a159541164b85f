"""Boxed images: what is read, what is refused by name, and what is left out and counted."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nda.data.boxes.load import load_boxes
from nda.errors import DataError
from tests.support.made_boxes import write_image, write_list, write_voc, write_xml

SHARED = Path(__file__).parents[3].parent / "shared" / "data"


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    return write_voc(tmp_path / "voc")


def zipped(folder: Path, *, below: str = "") -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, below + str(file.relative_to(folder)))
    return path


def test_images_keep_their_size_and_boxes_are_counted_from_the_edge(voc: Path) -> None:
    write_xml(
        voc, "train00", (50, 40), [("disc", (1, 1, 50, 40), False), ("bar", (3, 5, 4, 9), True)]
    )
    train = load_boxes(voc).train
    assert len(train) == 12
    assert train.classes == ("bar", "disc")
    assert {tuple(image.shape) for image in train.images} == {
        (3, 40, width) for width in (50, 52, 54, 56)
    }
    assert all(image.dtype == torch.uint8 for image in train.images)
    assert train.boxes[0].tolist() == [[0, 0, 50, 40], [2, 4, 4, 9]]
    assert train.labels[0].tolist() == [1, 0]
    assert train.difficult[0].tolist() == [False, True]
    assert train.counts == [7, 12]
    # The box holds the object and nothing else.
    left, top, right, bottom = train.boxes[2][0].int().tolist()
    inside = train.images[2][:, top:bottom, left:right]
    assert (inside == torch.tensor([250, 240, 60]).view(3, 1, 1)).all()


@pytest.mark.parametrize("below", ["", "VOC2012/"])
def test_a_zip_is_the_same_as_its_folder(voc: Path, below: str) -> None:
    folder, archive = load_boxes(voc), load_boxes(zipped(voc, below=below))
    assert folder.train.fingerprint == archive.train.fingerprint
    assert folder.test.fingerprint == archive.test.fingerprint


def test_the_fingerprint_follows_boxes_and_pixels(voc: Path) -> None:
    before = load_boxes(voc)
    write_xml(voc, "train00", (50, 40), [("disc", (1, 1, 9, 9), False)])
    after = load_boxes(voc)
    assert before.train.fingerprint != after.train.fingerprint
    assert before.test.fingerprint == after.test.fingerprint


def test_large_images_are_shrunk_with_their_boxes(voc: Path) -> None:
    plain, small = load_boxes(voc).train, load_boxes(voc, longest=28).train
    for image, boxes, own, theirs in zip(
        small.images, small.boxes, plain.images, plain.boxes, strict=True
    ):
        assert max(image.shape) == 28
        ratio = image.shape[2] / own.shape[2], image.shape[1] / own.shape[1]
        torch.testing.assert_close(boxes, theirs * torch.tensor(ratio).repeat(2))
    assert load_boxes(voc, longest=64).train.fingerprint == plain.fingerprint


def test_splits_of_several_folders_are_joined(tmp_path: Path) -> None:
    for year, split, seed in (("VOC2007", "trainval", 1), ("VOC2012", "trainval", 2),
                              ("VOC2007", "test", 3)):  # fmt: skip
        write_image(tmp_path / year, f"{split}{seed}", seed)
        write_list(tmp_path / year, split, [f"{split}{seed}"])
    both = load_boxes(
        tmp_path,
        train_split="VOC2007/trainval,VOC2012/trainval",
        test_split="VOC2007/test",
        classes=["disc"],
    )
    assert both.train.names == ["trainval1", "trainval2"]
    assert both.test.names == ["test3"]
    assert len(load_boxes(tmp_path, train_split="trainval", test_split="test").train) == 2
    with pytest.raises(DataError, match=r"no split 'VOC2012/test'. Did you mean"):
        load_boxes(tmp_path, train_split="trainval", test_split="VOC2012/test")


def test_classes_can_be_chosen_and_are_then_numbered_anew(voc: Path) -> None:
    chosen = load_boxes(voc, classes=["disc"]).train
    assert chosen.classes == ("disc",)
    assert chosen.counts == [12]
    with pytest.raises(DataError, match=r"has no class 'disk'\. Did you mean 'disc'"):
        load_boxes(voc, classes=["disk"])


def test_labels_txt_gives_the_classes_and_their_order(tmp_path: Path) -> None:
    made = load_boxes(write_voc(tmp_path / "a", labels="disc\nbar\ntv monitor\n"))
    assert made.train.classes == ("disc", "bar", "tv monitor")
    assert made.test.counts == [6, 3, 0]


def outside(folder: Path) -> None:
    write_xml(folder, "train03", (56, 40), [("disc", (30, 5, 80, 30), False)])


def flat(folder: Path) -> None:
    write_xml(folder, "train03", (56, 40), [("disc", (7, 5, 7, 30), False)])


def no_number(folder: Path) -> None:
    write_xml(folder, "train03", (56, 40), [("disc", (float("nan"), 5, 7, 30), False)])


def unknown(folder: Path) -> None:
    (folder / "labels.txt").write_text("disc\nbar\n")
    write_xml(folder, "train03", (56, 40), [("dsic", (7, 5, 17, 30), False)])


def no_image(folder: Path) -> None:
    (folder / "JPEGImages" / "train03.png").unlink()


def broken_image(folder: Path) -> None:
    (folder / "JPEGImages" / "train03.png").write_bytes(b"no picture at all")


def no_xml(folder: Path) -> None:
    (folder / "Annotations" / "train03.xml").unlink()


def cut_xml(folder: Path) -> None:
    (folder / "Annotations" / "train03.xml").write_text("<annotation><object>")


def other_size(folder: Path) -> None:
    write_xml(folder, "train03", (500, 375), [("disc", (7, 5, 17, 30), False)])


def bomb(folder: Path) -> None:
    text = '<!DOCTYPE a [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><annotation>&b;</annotation>'
    (folder / "Annotations" / "train03.xml").write_text(text)


BOX, IMAGE = "Split train: 1 box was left out", "Split train: 1 image was left out"
FAULTS = [
    (outside, r"train03.xml: the box \(30, 5, 80, 30\) of disc reaches outside the image of "
     r"56 x 40 pixels", BOX),
    (flat, r"train03.xml: the box \(7, 5, 7, 30\) has no area \(disc\)", BOX),
    (no_number, r"train03.xml: the box \(nan, 5, 7, 30\) is not four numbers", BOX),
    (unknown, r"train03.xml: the class 'dsic' is not known", BOX),
    (no_image, r"there is no JPEGImages/train03.jpg, which a split names", IMAGE),
    (broken_image, r"JPEGImages/train03.png cannot be read \(not an image\)", IMAGE),
    (no_xml, r"there is no Annotations/train03.xml for JPEGImages/train03.png", IMAGE),
    (cut_xml, r"Annotations/train03.xml cannot be read \(no readable XML", IMAGE),
    (other_size, r"train03.png is 56 x 40 pixels, and Annotations/train03.xml says 500 x 375",
     IMAGE),
    (bomb, r"train03.xml cannot be read \(a document type, which is not taken\)", IMAGE),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "message", "note"), FAULTS)
def test_a_fault_is_refused_by_name_or_left_out_and_counted(
    voc: Path, spoil: Callable[[Path], None], message: str, note: str
) -> None:
    before = load_boxes(voc)
    spoil(voc)
    with pytest.raises(DataError, match=message + r".*Mend it or take it away.*--skip-broken"):
        load_boxes(voc)
    after = load_boxes(voc, skip_broken=True)
    assert len(after.train.notes) == 1
    assert after.train.notes[0].startswith(note)
    assert after.test.notes == []
    assert len(after.train) == 12 - (note == IMAGE)
    lost = before.train.counts[1] - after.train.counts[list(after.train.classes).index("disc")]
    assert lost == 1


def test_several_faults_are_counted_in_the_message(voc: Path) -> None:
    outside(voc)
    no_image(voc)
    write_xml(voc, "train05", (52, 40), [("disc", (7, 5, 7, 30), False)] * 2)
    with pytest.raises(DataError, match=r"train03.jpg, .* \(2 more faults are there\)"):
        load_boxes(voc)


def test_a_box_a_pixel_outside_is_clipped(voc: Path) -> None:
    write_xml(voc, "train03", (56, 40), [("disc", (0, 0, 57, 41), False)])
    assert load_boxes(voc).train.boxes[3].tolist() == [[0, 0, 56, 40]]


def test_a_class_that_training_never_saw_is_unknown_in_the_test_split(voc: Path) -> None:
    write_xml(voc, "val00", (50, 40), [("moon", (7, 5, 17, 30), False)])
    with pytest.raises(DataError, match=r"val00\.xml: the class 'moon' is not known"):
        load_boxes(voc)


def test_an_image_in_both_splits_is_refused(voc: Path) -> None:
    write_list(voc, "both", ["train00", "val01"])
    with pytest.raises(DataError, match=r"train00\.png of both, which is measured on, also stands"):
        load_boxes(voc, test_split="both")


def test_other_layouts_and_empty_splits_are_refused(voc: Path, image_folder: Path) -> None:
    with pytest.raises(DataError, match="is not in Pascal VOC's layout"):
        load_boxes(image_folder)
    write_list(voc, "nothing", [])
    with pytest.raises(DataError, match="the split nothing names no image"):
        load_boxes(voc, train_split="nothing")
    with pytest.raises(DataError, match=r"has no split 'trian'\. Did you mean 'train'"):
        load_boxes(voc, train_split="trian")
    for name in ("val00", "val01"):
        write_xml(voc, name, (50 + 2 * int(name[-1]), 40), [])
    write_list(voc, "bare", ["val00", "val01"])
    with pytest.raises(DataError, match="no image of the split bare has a box of bar, disc"):
        load_boxes(voc, test_split="bare")


def test_nothing_left_is_refused_even_where_broken_files_are_skipped(voc: Path) -> None:
    shutil.rmtree(voc / "JPEGImages")
    (voc / "JPEGImages").mkdir()
    (voc / "JPEGImages" / "other.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"11 more faults are there.*Mend it or take it away\.$"):
        load_boxes(voc, skip_broken=True)


@pytest.mark.skipif(not (SHARED / "detection_voc.zip").exists(), reason="the sample is not here")
def test_the_real_sample_is_read_whole() -> None:
    made = load_boxes(SHARED / "detection_voc.zip", longest=64)
    assert (len(made.train), len(made.test)) == (290, 95)
    assert len(made.train.classes) == 22
    assert made.test.counts[made.test.classes.index("bus")] == 0
    assert made.train.notes == made.test.notes == []
