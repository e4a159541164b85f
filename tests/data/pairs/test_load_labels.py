"""What the colours, the numbers and the orientation of label images mean."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from nda.data.pairs.load import PairSource
from nda.data.pairs.palette import load_palette, make_palette, nearest_classes
from nda.errors import DataError
from tests.support.made_pairs import (
    PALETTE,
    SIDE,
    loaded,
    made_pair,
    pair_source,
    same_pairs,
    write_pairs,
)


@pytest.fixture
def source(tmp_path: Path, own_cache: Path) -> PairSource:
    return pair_source(tmp_path)


def test_colours_and_palette_images_mean_the_same_as_numbers(
    source: PairSource, tmp_path: Path
) -> None:
    expected = loaded(source)
    coloured = write_pairs(tmp_path / "coloured", {"train": 6, "test": 3}, colours=True)
    assert same_pairs(loaded(replace(source, data=str(coloured))).train, expected.train)
    for file in (coloured / "train" / "labels").iterdir():
        Image.open(file).convert("P", palette=Image.Palette.ADAPTIVE).save(file)
    assert same_pairs(loaded(replace(source, data=str(coloured))).train, expected.train)


def paint_over(file: Path, pixels: int) -> None:
    """Give some pixels of a coloured label a colour that is nearly the road's."""
    image = np.asarray(Image.open(file)).copy()
    image.reshape(-1, 3)[:pixels] = (130, 64, 128)
    Image.fromarray(image).save(file)


def test_colours_outside_the_palette_are_counted(source: PairSource, tmp_path: Path) -> None:
    data = write_pairs(tmp_path / "coloured", {"train": 6, "test": 3}, colours=True)
    source = replace(source, data=str(data))
    file = data / "train" / "labels" / "train002.png"
    paint_over(file, 36)  # 1 % of 6 x 600
    splits = loaded(source)
    told = ("36 label pixels were in no colour of the palette and taken as the nearest one.",)
    assert splits.train.notes == told
    assert loaded(source).train.notes == told  # from the cache
    assert source.palette is not None
    first_row = nearest_classes(splits.train.labels, source.palette)[2, 0]
    assert (first_row == 1).all()
    paint_over(file, 37)
    message = r"37 of 3,600 label pixels \(1\.0%\) are in colours .* most of them in .*train002"
    with pytest.raises(DataError, match=message):
        loaded(source)
    assert loaded(replace(source, tolerance=2)).train.notes == ()


def test_numbers_outside_the_palette_need_a_class_for_what_has_none(source: PairSource) -> None:
    file = Path(source.data) / "train" / "labels" / "train002.png"
    numbers = np.asarray(Image.open(file)).copy()
    numbers[0, :5] = 77
    Image.fromarray(numbers).save(file)
    splits = loaded(source)
    assert "5 label pixels" in splits.train.notes[0]
    bare = make_palette(
        [(0, "sky", 1, 1, 1), (1, "road", 2, 2, 2), (2, "tree", 3, 3, 3), (3, "car", 4, 4, 4)], "p"
    )
    message = r"5 pixels of train/labels/train002\.png have a number that is none of the palette's"
    with pytest.raises(DataError, match=message):
        loaded(replace(source, palette=bare))


def test_a_palette_in_which_most_pixels_have_no_class_is_doubted(source: PairSource) -> None:
    # Sky and road have no class here, which leaves the few trees.
    other = make_palette([(0, "void", 0, 0, 0), (1, "void", 1, 1, 1), (2, "car", 9, 9, 9),
                          (3, "void", 2, 2, 2)], "other")  # fmt: skip
    (note,) = loaded(replace(source, palette=other)).train.notes
    assert note.endswith("% of the label pixels are void in this palette, which may not be the one "
                         "that the labels were made with.")  # fmt: skip
    assert loaded(source).train.notes == ()


def test_targets_that_are_pictures_keep_their_colours(source: PairSource) -> None:
    splits = loaded(replace(source, palette=None))
    _, classes = made_pair(0)
    grey = Image.fromarray(classes).convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    assert np.array_equal(splits.train.labels[0].permute(1, 2, 0).numpy(), np.asarray(grey))


@pytest.mark.parametrize("bits", [1, 2, 4, 16])
def test_labels_of_any_bits_are_their_numbers(source: PairSource, bits: int) -> None:
    palette = replace(source.palette, unlabelled=None) if source.palette else None
    before = loaded(replace(source, palette=palette))
    for file in Path(source.data).rglob("labels/*.png"):
        numbers = np.asarray(Image.open(file)).astype(np.uint16)
        file.write_bytes(grey_png(numbers if bits > 1 else numbers % 2, bits))
    after = loaded(replace(source, palette=palette))
    if bits > 1:
        assert same_pairs(before.train, after.train)
    else:  # sky and road alone
        assert sorted(torch.unique(after.train.labels[:, 1]).tolist()) == [64, 128]


def grey_png(numbers: NDArray[np.uint16], bits: int) -> bytes:
    """A grey PNG of so few bits a pixel, or so many, which Pillow cannot write."""
    height, width = numbers.shape
    ones = (numbers[..., None] >> np.arange(bits - 1, -1, -1)) & 1  # the highest bit first
    rows = np.packbits(ones.reshape(height, -1).astype(np.uint8), axis=1)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    content = b"\x89PNG\r\n\x1a\n"
    head = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    for kind, part in ((b"IHDR", head), (b"IDAT", data), (b"IEND", b"")):
        check = struct.pack(">I", zlib.crc32(kind + part))
        content += struct.pack(">I", len(part)) + kind + part + check
    return content


def turn(file: Path, orientation: int) -> None:
    """Mark a file as stored otherwise than it is to be seen."""
    with Image.open(file) as image:
        image.load()
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(file, exif=exif)


def first_files(source: PairSource) -> tuple[Path, Path]:
    folder = Path(source.data) / "train"
    return min(folder.glob("images/*")), min(folder.glob("labels/*"))


@pytest.mark.parametrize("orientation", [2, 3, 6, 8])
def test_a_label_that_is_turned_like_its_photograph_stays_with_it(
    source: PairSource, orientation: int
) -> None:
    for file in first_files(source):
        turn(file, orientation)
    pairs = loaded(source).train
    sky = (pairs.labels[0] == torch.tensor([128, 128, 128]).view(3, 1, 1)).all(0)
    # The photograph is brighter than 190 in red where there is sky, and darker in its blue on road.
    assert sky.any()
    photo = pairs.photos[0].float()
    assert photo[:, sky].std(dim=1).max() < 30


def test_a_label_that_is_upright_fits_a_photograph_that_lies_on_its_side(
    source: PairSource,
) -> None:
    before = loaded(source).train
    photo, _ = first_files(source)
    with Image.open(photo) as image:
        image.transpose(Image.Transpose.ROTATE_90).save(photo)
    turn(photo, 6)
    assert same_pairs(before, loaded(source).train)


@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_a_photograph_that_is_turned_alone_is_refused_where_nothing_tells(
    source: PairSource, orientation: int
) -> None:
    photo, label = first_files(source)
    turn(photo, orientation)
    with pytest.raises(DataError, match=f"Only one of .*{photo.name} .* Save both upright"):
        loaded(source)
    turn(label, orientation)
    loaded(source)


def test_labels_with_an_alpha_that_says_nothing_are_numbers(source: PairSource) -> None:
    before = loaded(source)
    for file in Path(source.data).rglob("labels/*.png"):
        with Image.open(file) as image:
            image.convert("LA").save(file)
    assert same_pairs(before.train, loaded(source).train)


def test_a_palette_saved_as_utf_16_is_read(source: PairSource, tmp_path: Path) -> None:
    (tmp_path / "wide.txt").write_bytes(PALETTE.encode("utf-16"))
    assert load_palette(str(tmp_path / "wide.txt")) == source.palette
