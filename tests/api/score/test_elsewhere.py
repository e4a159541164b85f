"""Pictures opened again in another process are those that were listed, or are told."""

from __future__ import annotations

import pickle
from contextlib import ExitStack
from pathlib import Path

import pytest
from PIL import Image

from nda.api.score.elsewhere import Opening, Share, shares_of
from nda.data.images.stream import StreamedBatch, open_stream, stream_of_paths
from nda.errors import DataError
from tests.support.made_images import STREAMED, streamed_folder
from tests.support.made_shards import write_set


@pytest.mark.parametrize("kind", ["folder", "zip", "shards"])
def test_shares_are_read_as_the_stream_is(kind: str, tmp_path: Path) -> None:
    source = write_set(tmp_path, train=30, test=10)
    if kind != "shards":
        source = streamed_folder(tmp_path / "set").with_suffix(".zip" if kind == "zip" else "")
    with open_stream(source) as stream, ExitStack() as opened:
        expected = list(stream.batches(16, 24, "stretch"))
        opening = pickle.loads(pickle.dumps(Opening.of(stream)))
        assert opening.loose == (kind == "folder")
        open_share = opening.opener(opened)
        found: list[StreamedBatch] = []
        for share in pickle.loads(pickle.dumps(list(shares_of(stream, 16)))):
            again = open_share(share)
            assert opening.missing(share, again) == []
            found += again.batches(16, 24, "stretch")
    names = [name for batch in found for name in batch.names]
    assert len(names) == 40
    assert kind == "shards" or names == STREAMED
    for one, other in zip(expected, found, strict=True):
        assert one.reasons == other.reasons == [""] * len(one.names)
        assert one.names == other.names
        assert one.images.equal(other.images)


def test_a_folder_that_is_called_like_an_archive_is_none(tmp_path: Path) -> None:
    source = streamed_folder(tmp_path / "set")
    source.with_suffix(".zip").unlink()
    source.rename(tmp_path / "set.zip")
    with open_stream(tmp_path / "set.zip") as stream:
        assert Opening.of(stream).loose


def test_files_that_are_gone_or_others_are_missing(tmp_path: Path) -> None:
    source = streamed_folder(tmp_path / "set")
    Path(source / "a" / "link.png").symlink_to(tmp_path / "nothing.png")
    with open_stream(source) as stream, ExitStack() as opened:
        opening = Opening.of(stream)
        share = next(shares_of(stream, 100))
        (source / "a" / "00.png").unlink()
        (source / "b" / "01.png").write_bytes(b"another")
        assert opening.missing(share, opening.opener(opened)(share)) == ["a/00.png", "b/01.png"]


def test_members_of_another_archive_are_missing(tmp_path: Path) -> None:
    one, other = (streamed_folder(tmp_path / name).with_suffix(".zip") for name in "ab")
    with open_stream(one) as stream, ExitStack() as opened:
        share = Share(["a/00.png", "c.png"], [stream.stamps["a/00.png"], (3, 5)])
        opening = Opening(str(other), False, None)
        assert opening.missing(share, opening.opener(opened)(share)) == ["c.png"]
    with ExitStack() as opened, pytest.raises(DataError, match="There is no"):
        Opening(str(tmp_path / "gone.zip"), False, None).opener(opened)


def test_paths_are_missing_where_nothing_is(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    names = [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    opening = Opening.of(stream_of_paths(iter(names)))
    with ExitStack() as opened:
        share = next(shares_of(stream_of_paths(iter(names)), 5))
        assert share.stamps == ()
        assert opening.missing(share, opening.opener(opened)(share)) == names[1:]


def test_what_is_met_in_a_share_is_told_of_it_alone(tmp_path: Path) -> None:
    source = streamed_folder(tmp_path / "set")
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(source / "a" / "moving.gif", save_all=True, append_images=frames[1:])
    with open_stream(source) as stream, ExitStack() as opened:
        open_share = Opening.of(stream).opener(opened)
        notes = []
        for share in shares_of(stream, 30):
            again = open_share(share)
            list(again.batches(30, 16, "crop"))
            notes.append(again.values.notes())
            stream.values.join(pickle.loads(pickle.dumps(again.values)))
    assert [len(each) for each in notes] == [1, 0]
    assert stream.values.notes() == notes[0]
