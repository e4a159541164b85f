"""Large sets of shards: what is known of them after one look is what a whole decoding tells."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nda.data import load_images, load_splits
from nda.data.images.copies import copy_groups
from nda.data.images.source import ImageSource
from nda.data.reading.on_demand import OnDemand, Pictures
from nda.data.shards.write import write_shards
from nda.errors import DataError
from tests.support.made_shards import decode_on_demand, write_folder, write_set


@pytest.fixture(autouse=True)
def all_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    decode_on_demand(monkeypatch)


def test_large_shards_are_the_images_of_the_folder(tmp_path: Path) -> None:
    shards = write_set(tmp_path)
    plain, found = load_splits(tmp_path / "images"), load_splits(shards)
    assert type(found.train.images) is OnDemand
    for one, other in ((plain.train, found.train), (plain.heldout, found.heldout)):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.labels, other.labels)
        assert (one.classes, one.names, one.told) == (other.classes, other.names, other.told)


def test_without_a_test_split_the_same_are_held_out_with_their_copies(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "images/a", test=0).parent
    first = folder / "a/train/1/000.png"
    for number in range(3):
        (folder / f"a/train/2/{number}.png").write_bytes(first.read_bytes())
    write_shards(folder / "a", tmp_path / "shards")
    plain, found = load_splits(folder / "a"), load_splits(tmp_path / "shards")
    assert any("copies" in note for note in found.train.notes)
    assert found.train.notes == plain.train.notes
    for one, other in ((plain.train, found.train), (plain.heldout, found.heldout)):
        assert torch.equal(one.images, other.images)
    assert type(found.train.images) is OnDemand
    groups = copy_groups(found.train.images)
    assert groups.tolist() == copy_groups(plain.train.images).tolist()


def test_copies_across_splits_are_told(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "images")
    (folder / "test/1/new.png").write_bytes((folder / "train/1/000.png").read_bytes())
    write_shards(folder, tmp_path / "shards")
    notes = load_splits(tmp_path / "shards").train.notes
    assert notes == load_splits(folder).train.notes
    assert "is a copy of a training image" in notes[0]


def test_the_look_is_taken_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shards = write_set(tmp_path)
    read: list[int] = []
    plain = Pictures.read

    def noted(pictures: Pictures, row: int) -> object:
        read.append(row)
        return plain(pictures, row)

    monkeypatch.setattr(Pictures, "read", noted)
    first = load_images(shards, cache_dir=tmp_path / "cache")
    assert sorted(read) == list(range(40))
    again = load_images(shards, cache_dir=tmp_path / "cache")
    assert len(read) == 40
    assert again.fingerprint == first.fingerprint
    (kept,) = (tmp_path / "cache").glob("survey-*")
    content = bytearray(kept.read_bytes())
    content[-5] ^= 1
    kept.write_bytes(content)
    assert load_images(shards, cache_dir=tmp_path / "cache").fingerprint == first.fingerprint
    assert len(read) == 80


def test_another_image_has_another_fingerprint(tmp_path: Path) -> None:
    shards = write_set(tmp_path)
    before = load_images(shards)
    path = tmp_path / "images/train/1/000.png"
    path.write_bytes((tmp_path / "images/train/1/002.png").read_bytes())
    write_shards(tmp_path / "images", shards)
    after = load_images(shards)
    assert after.fingerprint != before.fingerprint
    assert before.only(torch.arange(9)).fingerprint != before.only(torch.arange(8)).fingerprint


def damaged(tmp_path: Path) -> tuple[Path, str]:
    """A set with a changed bit in its second shard, and the image that it is in."""
    shards = write_set(tmp_path)
    index = json.loads((shards / "train-000001.json").read_text())
    content = bytearray((shards / "train-000001.tar").read_bytes())
    content[index["offsets"][3] + 60] ^= 1
    (shards / "train-000001.tar").write_bytes(content)
    return shards, index["names"][3]


def test_a_changed_image_is_met_before_training_or_left_out(tmp_path: Path) -> None:
    shards, name = damaged(tmp_path)
    with pytest.raises(DataError, match=rf"{name} cannot be read \(train-000001.tar has other"):
        load_images(shards)
    found = load_images(shards, skip_broken=True)
    assert [skipped.split(":")[0] for skipped in found.skipped] == [name]
    plain = load_images(tmp_path / "images")
    rows = torch.tensor([row for row in range(40) if plain.names[row] != name])
    assert torch.equal(found.images, plain.images[rows])
    assert found.names == tuple(plain.names[row] for row in rows)
    assert torch.equal(found.labels, plain.labels[rows])


def test_another_size_is_met_before_training(tmp_path: Path) -> None:
    write_folder(tmp_path / "images", test=0)
    write_folder(tmp_path / "images/train/1/more", train=2, test=0, side=9)
    write_shards(tmp_path / "images", tmp_path / "shards")
    with pytest.raises(DataError, match=r"images differ in size: .* 16 x 16, .* 9 x 9 pixels"):
        load_images(tmp_path / "shards")
    assert load_images(tmp_path / "shards", resolution=8).images.shape == (42, 3, 8, 8)


def test_a_folder_is_decoded_as_a_whole_however_large(tmp_path: Path) -> None:
    write_folder(tmp_path / "images")
    source = ImageSource(tmp_path / "images")
    assert type(source.load().images) is torch.Tensor
    assert type(replace(source, cache=False).load().images) is torch.Tensor
