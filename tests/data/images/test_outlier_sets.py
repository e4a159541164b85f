"""Sets from elsewhere: named, found, resized, and searched for images of the data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from nda.data import ImageSet, load_images
from nda.data.images.outlier_sets import (
    KnownImages,
    Overlap,
    content_hashes,
    load_outlier_set,
    named_sources,
    some_of,
)
from nda.errors import ConfigError, DataError
from tests.conftest import write_split

SHARED = Path(__file__).parents[3].parent / "shared" / "data"


def images(count: int, first: int = 0) -> Tensor:
    """Images that all differ; image i is the same whatever `first` is."""
    numbers = torch.arange(first, first + count).view(-1, 1, 1, 1)
    return (numbers + torch.arange(3 * 4 * 4).view(3, 4, 4)).to(torch.uint8)


def test_words_name_sets() -> None:
    words = ["digits=a/digits.zip", "svhn = torchvision:SVHN", "odd=x=y"]
    assert named_sources(words) == {
        "digits": "a/digits.zip",
        "svhn": "torchvision:SVHN",
        "odd": "x=y",
    }
    assert named_sources([]) == {}


@pytest.mark.parametrize(
    ("word", "example"),
    [
        ("a/dtd_10.zip", "dtd_10=a/dtd_10.zip"),
        ("=dtd.zip", "digits=digits.zip"),
        ("dtd=", "digits=digits.zip"),
        ("", "digits=digits.zip"),
    ],
)
def test_a_word_without_name_or_path_is_refused(word: str, example: str) -> None:
    with pytest.raises(ConfigError) as caught:
        named_sources([word])
    assert str(caught.value) == (
        f"--ood is {word!r}; give a name and a folder, .zip or torchvision:NAME, such as {example}."
    )


def test_two_sets_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        named_sources(["dtd=a", "dtd=b"])
    assert str(caught.value) == (
        "--ood names two sets 'dtd': a and b. Give each a name of its own."
    )


def test_the_test_split_is_taken_where_there_is_one(tmp_path: Path) -> None:
    write_split(tmp_path / "both" / "train", 3)
    write_split(tmp_path / "both" / "test", 2)
    write_split(tmp_path / "one" / "train", 4)
    write_split(tmp_path / "none", 5)
    write_split(tmp_path / "val" / "train", 3)
    write_split(tmp_path / "val" / "val", 1)
    found = {
        name: load_outlier_set(name, str(tmp_path / name), resolution=32)
        for name in ("both", "one", "none", "val")
    }
    assert {name: len(each.images) for name, each in found.items()} == {
        "both": 4, "one": 8, "none": 10, "val": 2,
    }  # fmt: skip
    assert [each.source for each in found.values()] == [
        "both, test split", "one, train split", "none", "val, val split",
    ]  # fmt: skip
    expected = load_images(tmp_path / "both", split="test")
    assert torch.equal(found["both"].images, expected.images)


def test_a_torchvision_set_is_taken_by_name() -> None:
    fake = load_outlier_set("noise", "torchvision:FakeData", resolution=8, samples=5)
    assert (fake.source, fake.images.shape) == ("torchvision:FakeData", (5, 3, 8, 8))


def test_other_sizes_are_resized_and_named(tmp_path: Path) -> None:
    write_split(tmp_path / "same", 3)
    write_split(tmp_path / "other", 3)
    wide = Image.fromarray(np.zeros((48, 64), np.uint8))  # grey, and not square
    wide.save(tmp_path / "other" / "dark" / "002.png")
    assert load_outlier_set("same", str(tmp_path / "same"), resolution=32).resized == ""
    other = load_outlier_set("other", str(tmp_path / "other"), resolution=32)
    assert other.resized == "64 x 48"
    assert other.images.shape == (6, 3, 32, 32)


def test_broken_files_are_refused_or_counted(tmp_path: Path) -> None:
    write_split(tmp_path / "set", 3)
    (tmp_path / "set" / "dark" / "000.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"^--ood mine: .*000\.png"):
        load_outlier_set("mine", str(tmp_path / "set"), resolution=32)
    kept = load_outlier_set("mine", str(tmp_path / "set"), resolution=32, skip_broken=True)
    assert (len(kept.images), kept.skipped) == (5, 1)


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_outlier_set("dtd", str(tmp_path / "dtd.zip"), resolution=32)
    assert str(caught.value) == f"--ood dtd: There is no {tmp_path / 'dtd.zip'}. Check the path."
    with pytest.raises(DataError, match=r"^--ood svhn: torchvision:SVNH is not known\. Did you"):
        load_outlier_set("svhn", "torchvision:SVNH", resolution=32)


def test_some_are_chosen_at_random_and_the_same_every_time() -> None:
    every = images(50)
    chosen = some_of(every, 10)
    assert torch.equal(chosen, some_of(every, 10))
    assert len(set(content_hashes(chosen)) & set(content_hashes(every))) == 10
    assert not torch.equal(chosen, every[:10])
    assert some_of(every, 50) is every
    assert some_of(every, None) is every


def test_shared_images_are_counted_once_each() -> None:
    known = KnownImages(ImageSet.of(images(20)), ImageSet.of(images(10, first=15)))
    found = known.overlap(images(12, first=18))  # 18, 19 trained on; 20 to 24 held out
    assert found == Overlap(images=12, in_training=2, in_heldout=5)
    assert known.overlap(images(9, first=40)) == Overlap(9, 0, 0)


@pytest.mark.parametrize(
    ("overlap", "warning"),
    [
        (Overlap(885, 0, 0), ""),
        (
            Overlap(3000, 7, 5),
            "7 of its 3,000 images are training images of this run and 5 are held-out ones, pixel "
            "for pixel: they draw the figures towards those of chance; take them out",
        ),
        (
            Overlap(10_000, 0, 10_000),
            "0 of its 10,000 images are training images of this run and 10,000 are held-out ones, "
            "pixel for pixel: this set is the data itself, and its AUROC belongs near .5",
        ),
    ],
)
def test_a_warning_says_how_many_and_what_follows(overlap: Overlap, warning: str) -> None:
    assert overlap.warning == warning


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data are not here")
def test_real_sets_stand_ready() -> None:
    textures = load_outlier_set("dtd", str(SHARED / "dtd_10.zip"), resolution=32, samples=50)
    assert textures.source == "dtd_10.zip, test split"
    assert (textures.images.shape, textures.resized) == ((50, 3, 32, 32), "104 x 104")
