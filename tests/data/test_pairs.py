"""Pairs from every layout, and every way in which they can be wrong."""

from __future__ import annotations

import dataclasses
import shutil
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_pairs import COLOURS, PALETTE, made_pair, write_pairs, zipped
from numpy.typing import NDArray
from PIL import Image

from nda.data.pairs import Pairs, PairSource, PairSplits, load_pairs
from nda.data.palette import load_palette, make_palette, nearest_classes
from nda.errors import DataError

SIDE = 16


@pytest.fixture
def source(tmp_path: Path, own_cache: Path) -> PairSource:
    """Six pairs to train on and three held out, with labels as numbers."""
    (tmp_path / "palette.txt").write_text(PALETTE)
    data = write_pairs(tmp_path / "data", {"train": 6, "test": 3})
    return PairSource(str(data), palette=load_palette(str(tmp_path / "palette.txt")))


def load(source: PairSource, *, holdout: float = 0.1, skip_broken: bool = False) -> PairSplits:
    return load_pairs(source, resolution=SIDE, holdout=holdout, skip_broken=skip_broken)


def same(one: Pairs, other: Pairs) -> bool:
    return one.fingerprint == other.fingerprint and torch.equal(one.photos, other.photos)


def test_two_trees_are_paired_by_name(source: PairSource) -> None:
    splits = load(source)
    assert splits.train.names == tuple(f"train{i:03d}" for i in range(6))
    assert splits.heldout.names == tuple(f"test{i:03d}" for i in range(3))
    assert splits.heldout_name == "test split"
    assert splits.train.photos.shape == splits.train.labels.shape == (6, 3, SIDE, SIDE)
    photo, classes = made_pair(2)
    small = Image.fromarray(photo).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    assert np.array_equal(splits.train.photos[2].permute(1, 2, 0).numpy(), np.asarray(small))
    nearest = Image.fromarray(classes).resize((SIDE, SIDE), Image.Resampling.NEAREST)
    label = splits.train.labels[2].permute(1, 2, 0).numpy()
    assert np.array_equal(label, COLOURS[np.asarray(nearest)])


def test_what_was_loaded_once_comes_from_the_cache(source: PairSource, own_cache: Path) -> None:
    first = load(source)
    files = sorted(own_cache.iterdir())
    assert len(files) == 4  # photographs and labels of two splits
    shutil.rmtree(Path(source.data) / "train" / "labels")
    with pytest.raises(DataError, match="without a partner"):
        load(source)
    write_pairs(Path(source.data), {"train": 6})
    again = load(source)
    assert same(first.train, again.train)
    assert first.train.names == again.train.names


def test_every_layout_gives_the_same_pairs(
    source: PairSource, tmp_path: Path, own_cache: Path
) -> None:
    expected = load(source)
    data = Path(source.data)
    wide = tmp_path / "wide"
    for split in ("train", "test"):
        for tree in ("images", "labels"):
            for file in (data / split / tree).iterdir():
                for place in (tmp_path / "above" / tree / split, tmp_path / tree / split):
                    place.mkdir(parents=True, exist_ok=True)
                    shutil.copy(file, place)
        (wide / split).mkdir(parents=True)
        for file in (data / split / "images").iterdir():
            photo = np.asarray(Image.open(file))
            label = COLOURS[np.asarray(Image.open(data / split / "labels" / file.name))]
            both = np.concatenate([photo, label], axis=1)
            Image.fromarray(both).save(wide / split / file.name)
    change = dataclasses.replace
    others = [
        change(source, data=str(zipped(data, tmp_path / "data.zip"))),
        change(source, data=str(tmp_path / "above")),
        change(source, data=str(tmp_path / "images"), label_data=str(tmp_path / "labels")),
        change(source, data=str(wide), side_by_side=True),
    ]
    for other in others:
        found = load(other)
        assert same(found.train, expected.train), other
        assert same(found.heldout, expected.heldout), other
        assert found.train.names == expected.train.names


def test_colours_and_palette_images_mean_the_same_as_numbers(
    source: PairSource, tmp_path: Path
) -> None:
    expected = load(source)
    coloured = write_pairs(tmp_path / "coloured", {"train": 6, "test": 3}, colours=True)
    assert same(load(dataclasses.replace(source, data=str(coloured))).train, expected.train)
    for file in (coloured / "train" / "labels").iterdir():
        Image.open(file).convert("P", palette=Image.Palette.ADAPTIVE).save(file)
    assert same(load(dataclasses.replace(source, data=str(coloured))).train, expected.train)


def test_cityscapes_layout_is_known(tmp_path: Path, own_cache: Path) -> None:
    root = own_cache / "torchvision" / "cityscapes"
    palette = load_palette("cityscapes")
    numbers = np.array([23, 7, 21, 4], np.uint8)  # sky, road, vegetation, static
    for split, count in (("train", 3), ("val", 2), ("test", 2)):
        for tree in ("leftImg8bit", "gtFine"):
            (root / tree / split / "town").mkdir(parents=True)
        for index in range(count):
            photo, classes = made_pair(index)
            name = f"town/town_{index:06d}_000019"
            Image.fromarray(photo).save(root / f"leftImg8bit/{split}/{name}_leftImg8bit.png")
            label = Image.fromarray(numbers[classes])
            label.save(root / f"gtFine/{split}/{name}_gtFine_labelIds.png")
            label.save(root / f"gtFine/{split}/{name}_gtFine_instanceIds.png")
    from torchvision.datasets import Cityscapes

    theirs = Cityscapes(str(root), split="train", mode="fine", target_type="semantic")
    splits = load(PairSource("torchvision:Cityscapes", palette=palette))
    assert len(splits.train) == len(theirs) == 3
    assert splits.heldout_name == "val split"
    assert len(splits.heldout) == 2
    found = nearest_classes(splits.train.labels, palette)
    for row, file in enumerate(sorted(theirs.images)):
        _, label = theirs[theirs.images.index(file)]
        small = np.asarray(label.resize((SIDE, SIDE), Image.Resampling.NEAREST))
        for number in numbers:
            wanted = palette.indices[int(number)]
            assert np.array_equal(found[row].numpy() == wanted, small == number)
    assert same(load(PairSource(str(root), palette=palette)).train, splits.train)
    # As they are downloaded: an archive for each of the trees.
    zips = [zipped(root / tree, tmp_path / f"{tree}.zip") for tree in ("leftImg8bit", "gtFine")]
    apart = PairSource(str(zips[0]), label_data=str(zips[1]), palette=palette)
    assert same(load(apart).heldout, splits.heldout)


def test_cityscapes_that_is_not_there_is_asked_for(own_cache: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be fetched without an account .* Unpack"):
        load(PairSource("torchvision:Cityscapes"))
    with pytest.raises(DataError, match="torchvision:CIFAR10 holds no pairs"):
        load(PairSource("torchvision:CIFAR10"))


def test_without_a_test_split_every_kth_pair_is_held_out(tmp_path: Path, own_cache: Path) -> None:
    data = write_pairs(tmp_path / "data", {"a": 10}, trees=False)
    splits = load(PairSource(str(data)), holdout=0.2)
    assert splits.heldout.names == ("a000", "a005")
    assert len(splits.train) == 8
    assert splits.heldout_name == "1 pair in 5, held out"
    with pytest.raises(DataError, match=r"has 10 pairs and no test split, of which --holdout 0 "):
        load(PairSource(str(data)), holdout=0)


def test_names_without_a_partner_are_named(source: PairSource) -> None:
    (Path(source.data) / "train" / "labels" / "train003.png").unlink()
    message = r"has train/train003 without a partner of the same name in .*labels"
    with pytest.raises(DataError, match=message):
        load(source)


def test_two_files_of_one_name_are_refused(source: PairSource) -> None:
    images = Path(source.data) / "train" / "images"
    shutil.copy(images / "train003.png", images / "train003.jpg")
    with pytest.raises(DataError, match=r"train003\.jpg and .*train003\.png share the name"):
        load(source)


def test_a_pair_of_unequal_sizes_is_named(source: PairSource) -> None:
    file = Path(source.data) / "train" / "labels" / "train003.png"
    Image.open(file).resize((15, 10)).save(file)
    message = r"train003\.png is 30 x 20 pixels and its partner .*train003\.png 15 x 10"
    with pytest.raises(DataError, match=message):
        load(source, skip_broken=True)


def test_a_folder_that_is_not_there_is_told_from_those_that_are(source: PairSource) -> None:
    message = r"no images in a folder 'photos'; its folders are images, labels, test, train\. Say"
    with pytest.raises(DataError, match=message):
        load(dataclasses.replace(source, photo_tree="photos"))


def test_broken_files_are_named_or_left_out_with_their_partners(source: PairSource) -> None:
    (Path(source.data) / "train" / "labels" / "train003.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"labels/train003\.png cannot be read \(not an image\)"):
        load(source)
    splits = load(source, skip_broken=True)
    assert splits.train.names == tuple(f"train{i:03d}" for i in range(6) if i != 3)
    assert len(splits.train.photos) == 5
    (note,) = splits.train.notes
    assert note.startswith("1 pair was left out, as a file could not be read: train003: ")
    assert load(source, skip_broken=True).train.notes == (note,)  # from the cache


def paint_over(file: Path, pixels: int) -> None:
    """Give some pixels of a coloured label a colour that is nearly the road's."""
    image = np.asarray(Image.open(file)).copy()
    image.reshape(-1, 3)[:pixels] = (130, 64, 128)
    Image.fromarray(image).save(file)


def test_colours_outside_the_palette_are_counted(source: PairSource, tmp_path: Path) -> None:
    data = write_pairs(tmp_path / "coloured", {"train": 6, "test": 3}, colours=True)
    source = dataclasses.replace(source, data=str(data))
    file = data / "train" / "labels" / "train002.png"
    paint_over(file, 36)  # 1 % of 6 x 600
    splits = load(source)
    told = ("36 label pixels were in no colour of the palette and taken as the nearest one.",)
    assert splits.train.notes == told
    assert load(source).train.notes == told  # from the cache
    assert source.palette is not None
    first_row = nearest_classes(splits.train.labels, source.palette)[2, 0]
    assert (first_row == 1).all()
    paint_over(file, 37)
    message = r"37 of 3,600 label pixels \(1\.0%\) are in colours .* most of them in .*train002"
    with pytest.raises(DataError, match=message):
        load(source)
    assert load(dataclasses.replace(source, tolerance=2)).train.notes == ()


def test_numbers_outside_the_palette_need_a_class_for_what_has_none(source: PairSource) -> None:
    file = Path(source.data) / "train" / "labels" / "train002.png"
    numbers = np.asarray(Image.open(file)).copy()
    numbers[0, :5] = 77
    Image.fromarray(numbers).save(file)
    splits = load(source)
    assert "5 label pixels" in splits.train.notes[0]
    bare = make_palette(
        [(0, "sky", 1, 1, 1), (1, "road", 2, 2, 2), (2, "tree", 3, 3, 3), (3, "car", 4, 4, 4)], "p"
    )
    message = r"5 pixels of train/labels/train002\.png have a number that is none of the palette's"
    with pytest.raises(DataError, match=message):
        load(dataclasses.replace(source, palette=bare))


def test_a_palette_in_which_most_pixels_have_no_class_is_doubted(source: PairSource) -> None:
    # Sky and road have no class here, which leaves the few trees.
    other = make_palette([(0, "void", 0, 0, 0), (1, "void", 1, 1, 1), (2, "car", 9, 9, 9),
                          (3, "void", 2, 2, 2)], "other")  # fmt: skip
    (note,) = load(dataclasses.replace(source, palette=other)).train.notes
    assert note.endswith("% of the label pixels are void in this palette, which may not be the one "
                         "that the labels were made with.")  # fmt: skip
    assert load(source).train.notes == ()


def test_halves_need_an_even_width(tmp_path: Path, own_cache: Path) -> None:
    for index in range(4):
        Image.new("RGB", (31, 20)).save(tmp_path / f"{index}.png")
    with pytest.raises(DataError, match=r"\d\.png is 31 pixels wide, which cannot be halved"):
        load(PairSource(str(tmp_path), side_by_side=True), holdout=0.5)


def test_huge_images_are_refused_before_they_are_decoded(source: PairSource) -> None:
    file = Path(source.data) / "train" / "images" / "train001.png"
    Image.new("L", (9000, 9000)).save(file)
    with pytest.raises(DataError, match=r"train001\.png cannot be read \(more than 64 megapixels"):
        load(source)


def test_targets_that_are_pictures_keep_their_colours(source: PairSource) -> None:
    splits = load(dataclasses.replace(source, palette=None))
    _, classes = made_pair(0)
    grey = Image.fromarray(classes).convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    assert np.array_equal(splits.train.labels[0].permute(1, 2, 0).numpy(), np.asarray(grey))


CAMVID = Path(__file__).parents[3] / "shared" / "data" / "camvid_240x320.zip"


@pytest.mark.skipif(not CAMVID.is_file(), reason="CamVid is not here")
def test_camvid_is_read_as_it_is_described(own_cache: Path) -> None:
    splits = load_pairs(PairSource(str(CAMVID), palette=load_palette("camvid")), resolution=64)
    assert (len(splits.train), len(splits.heldout)) == (367, 193)
    assert splits.train.notes == splits.heldout.notes == ()
    palette = load_palette("camvid")
    shares = torch.bincount(nearest_classes(splits.train.labels, palette).flatten()) / (367 * 64**2)
    road, pavement, sky = (palette.names.index(name) for name in ("Road", "Pavement", "Sky"))
    assert shares[road] > 0.2 > shares[sky] > 0.1 > shares[pavement] > 0.02


# --- what the numbers and the orientation of labels mean


@pytest.mark.parametrize("bits", [1, 2, 4, 16])
def test_labels_of_any_bits_are_their_numbers(source: PairSource, bits: int) -> None:
    palette = replace(source.palette, unlabelled=None) if source.palette else None
    before = load(replace(source, palette=palette))
    for file in Path(source.data).rglob("labels/*.png"):
        numbers = np.asarray(Image.open(file)).astype(np.uint16)
        file.write_bytes(grey_png(numbers if bits > 1 else numbers % 2, bits))
    after = load(replace(source, palette=palette))
    if bits > 1:
        assert same(before.train, after.train)
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
    pairs = load(source).train
    sky = (pairs.labels[0] == torch.tensor([128, 128, 128]).view(3, 1, 1)).all(0)
    # The photograph is brighter than 190 in red where there is sky, and darker in its blue on road.
    assert sky.any()
    photo = pairs.photos[0].float()
    assert photo[:, sky].std(dim=1).max() < 30


def test_a_label_that_is_upright_fits_a_photograph_that_lies_on_its_side(
    source: PairSource,
) -> None:
    before = load(source).train
    photo, _ = first_files(source)
    with Image.open(photo) as image:
        image.transpose(Image.Transpose.ROTATE_90).save(photo)
    turn(photo, 6)
    assert same(before, load(source).train)


@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_a_photograph_that_is_turned_alone_is_refused_where_nothing_tells(
    source: PairSource, orientation: int
) -> None:
    photo, label = first_files(source)
    turn(photo, orientation)
    with pytest.raises(DataError, match=f"Only one of .*{photo.name} .* Save both upright"):
        load(source)
    turn(label, orientation)
    load(source)


def test_labels_with_an_alpha_that_says_nothing_are_numbers(source: PairSource) -> None:
    before = load(source)
    for file in Path(source.data).rglob("labels/*.png"):
        with Image.open(file) as image:
            image.convert("LA").save(file)
    assert same(before.train, load(source).train)


def test_a_palette_saved_as_utf_16_is_read(source: PairSource, tmp_path: Path) -> None:
    (tmp_path / "wide.txt").write_bytes(PALETTE.encode("utf-16"))
    assert load_palette(str(tmp_path / "wide.txt")) == source.palette


def test_a_copy_of_a_photograph_is_held_out_with_it(tmp_path: Path, own_cache: Path) -> None:
    folder = write_pairs(tmp_path / "street", {"train": 6}, trees=False)
    for tree in ("images", "labels"):
        for path in list((folder / tree).iterdir()):
            shutil.copy(path, path.with_name(f"z{path.name}"))
    splits = load_pairs(PairSource(folder), resolution=SIDE, holdout=1 / 3)
    assert len(splits.train) == 8
    assert {name.removeprefix("z") for name in splits.heldout.names} == {"train000", "train003"}
    assert "6 of 12 images are copies" in splits.train.notes[-1]
