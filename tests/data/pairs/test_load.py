"""Pairs from every layout, and every way in which they can be wrong."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nda.data.pairs.load import PairSource, load_pairs
from nda.data.pairs.palette import load_palette, nearest_classes
from nda.errors import DataError
from tests.support.made_pairs import (
    COLOURS,
    SIDE,
    loaded,
    made_pair,
    pair_source,
    same_pairs,
    write_pairs,
    zipped,
)


@pytest.fixture
def source(tmp_path: Path, own_cache: Path) -> PairSource:
    return pair_source(tmp_path)


def test_two_trees_are_paired_by_name(source: PairSource) -> None:
    splits = loaded(source)
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
    first = loaded(source)
    files = sorted(own_cache.iterdir())
    assert len(files) == 4  # photographs and labels of two splits
    shutil.rmtree(Path(source.data) / "train" / "labels")
    with pytest.raises(DataError, match="without a partner"):
        loaded(source)
    write_pairs(Path(source.data), {"train": 6})
    again = loaded(source)
    assert same_pairs(first.train, again.train)
    assert first.train.names == again.train.names


def test_every_layout_gives_the_same_pairs(
    source: PairSource, tmp_path: Path, own_cache: Path
) -> None:
    expected = loaded(source)
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
    change = replace
    others = [
        change(source, data=str(zipped(data, tmp_path / "data.zip"))),
        change(source, data=str(tmp_path / "above")),
        change(source, data=str(tmp_path / "images"), label_data=str(tmp_path / "labels")),
        change(source, data=str(wide), side_by_side=True),
    ]
    for other in others:
        found = loaded(other)
        assert same_pairs(found.train, expected.train), other
        assert same_pairs(found.heldout, expected.heldout), other
        assert found.train.names == expected.train.names


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
    splits = loaded(PairSource("torchvision:Cityscapes", palette=palette))
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
    assert same_pairs(loaded(PairSource(str(root), palette=palette)).train, splits.train)
    # As they are downloaded: an archive for each of the trees.
    zips = [zipped(root / tree, tmp_path / f"{tree}.zip") for tree in ("leftImg8bit", "gtFine")]
    apart = PairSource(str(zips[0]), label_data=str(zips[1]), palette=palette)
    assert same_pairs(loaded(apart).heldout, splits.heldout)


def test_cityscapes_that_is_not_there_is_asked_for(own_cache: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be fetched without an account .* Unpack"):
        loaded(PairSource("torchvision:Cityscapes"))
    with pytest.raises(DataError, match="torchvision:CIFAR10 holds no pairs"):
        loaded(PairSource("torchvision:CIFAR10"))


def test_without_a_test_split_every_kth_pair_is_held_out(tmp_path: Path, own_cache: Path) -> None:
    data = write_pairs(tmp_path / "data", {"a": 10}, trees=False)
    splits = loaded(PairSource(str(data)), holdout=0.2)
    assert splits.heldout.names == ("a000", "a005")
    assert len(splits.train) == 8
    assert splits.heldout_name == "1 pair in 5, held out"
    with pytest.raises(DataError, match=r"has 10 pairs and no test split, of which --holdout 0 "):
        loaded(PairSource(str(data)), holdout=0)


def test_names_without_a_partner_are_named(source: PairSource) -> None:
    (Path(source.data) / "train" / "labels" / "train003.png").unlink()
    message = r"has train/train003 without a partner of the same name in .*labels"
    with pytest.raises(DataError, match=message):
        loaded(source)


def test_two_files_of_one_name_are_refused(source: PairSource) -> None:
    images = Path(source.data) / "train" / "images"
    shutil.copy(images / "train003.png", images / "train003.jpg")
    with pytest.raises(DataError, match=r"train003\.jpg and .*train003\.png share the name"):
        loaded(source)


def test_a_pair_of_unequal_sizes_is_named(source: PairSource) -> None:
    file = Path(source.data) / "train" / "labels" / "train003.png"
    Image.open(file).resize((15, 10)).save(file)
    message = r"train003\.png is 30 x 20 pixels and its partner .*train003\.png 15 x 10"
    with pytest.raises(DataError, match=message):
        loaded(source, skip_broken=True)


def test_a_folder_that_is_not_there_is_told_from_those_that_are(source: PairSource) -> None:
    message = r"no images in a folder 'photos'; its folders are images, labels, test, train\. Say"
    with pytest.raises(DataError, match=message):
        loaded(replace(source, photo_tree="photos"))


def test_broken_files_are_named_or_left_out_with_their_partners(source: PairSource) -> None:
    (Path(source.data) / "train" / "labels" / "train003.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"labels/train003\.png cannot be read \(not an image\)"):
        loaded(source)
    splits = loaded(source, skip_broken=True)
    assert splits.train.names == tuple(f"train{i:03d}" for i in range(6) if i != 3)
    assert len(splits.train.photos) == 5
    (note,) = splits.train.notes
    assert note.startswith("1 pair was left out, as a file could not be read: train003: ")
    assert loaded(source, skip_broken=True).train.notes == (note,)  # from the cache


def test_halves_need_an_even_width(tmp_path: Path, own_cache: Path) -> None:
    for index in range(4):
        Image.new("RGB", (31, 20)).save(tmp_path / f"{index}.png")
    with pytest.raises(DataError, match=r"\d\.png is 31 pixels wide, which cannot be halved"):
        loaded(PairSource(str(tmp_path), side_by_side=True), holdout=0.5)


def test_huge_images_are_refused_before_they_are_decoded(source: PairSource) -> None:
    file = Path(source.data) / "train" / "images" / "train001.png"
    Image.new("L", (9000, 9000)).save(file)
    with pytest.raises(DataError, match=r"train001\.png cannot be read \(more than 64 megapixels"):
        loaded(source)


CAMVID = Path(__file__).parents[4] / "shared" / "data" / "camvid_240x320.zip"


@pytest.mark.skipif(not CAMVID.is_file(), reason="CamVid is not here")
def test_camvid_is_read_as_it_is_described(own_cache: Path) -> None:
    splits = load_pairs(PairSource(str(CAMVID), palette=load_palette("camvid")), resolution=64)
    assert (len(splits.train), len(splits.heldout)) == (367, 193)
    assert splits.train.notes == splits.heldout.notes == ()
    assert splits.taken == (
        "367 pairs of split train are taken to train on and 193 of split test to measure on; "
        "passed over: 101 of split val, files of endings that are not read (.txt 1)."
    )
    palette = load_palette("camvid")
    shares = torch.bincount(nearest_classes(splits.train.labels, palette).flatten()) / (367 * 64**2)
    road, pavement, sky = (palette.names.index(name) for name in ("Road", "Pavement", "Sky"))
    assert shares[road] > 0.2 > shares[sky] > 0.1 > shares[pavement] > 0.02


def test_a_copy_of_a_photograph_is_held_out_with_it(tmp_path: Path, own_cache: Path) -> None:
    folder = write_pairs(tmp_path / "street", {"train": 6}, trees=False)
    for tree in ("images", "labels"):
        for path in list((folder / tree).iterdir()):
            shutil.copy(path, path.with_name(f"z{path.name}"))
    splits = load_pairs(PairSource(folder), resolution=SIDE, holdout=1 / 3)
    assert len(splits.train) == 8
    assert {name.removeprefix("z") for name in splits.heldout.names} == {"train000", "train003"}
    assert "6 of 12 images are copies" in splits.train.notes[-1]


def test_what_is_no_pair_is_told(source: PairSource) -> None:
    folder = Path(source.data)
    before = loaded(source).taken
    assert "passed over" not in before or "of no pair" not in before
    (folder / "notes.docx").write_bytes(b"words")
    Image.new("RGB", (8, 8)).save(folder / "thumbnail.png")
    said = loaded(source).taken
    assert "1 picture of no pair" in said
    assert ".docx 1" in said
