"""Images one batch after another: the same pixels, in order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from nda.data import load_images
from nda.data.images.stream import Stream, StreamedBatch, open_stream, stream_of_paths
from nda.errors import DataError
from tests.support.made_images import STREAMED, read_stream, streamed_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return streamed_folder(tmp_path_factory.mktemp("stream") / "images")


def names_of(batches: list[StreamedBatch]) -> list[str]:
    return [name for batch in batches for name in batch.names]


@pytest.mark.parametrize("fit", ["stretch", "crop"])
@pytest.mark.parametrize("form", ["folder", "zip"])
def test_the_pixels_are_those_of_loading_all_at_once(folder: Path, form: str, fit: str) -> None:
    source = folder if form == "folder" else folder.with_suffix(".zip")
    batches = read_stream(source, fit=fit)
    assert names_of(batches) == STREAMED
    assert not any(reason for batch in batches for reason in batch.reasons)
    loaded = {
        kind: load_images(
            source,
            classes=[kind],
            resolution=24,
            fit="crop" if fit == "crop" else "stretch",
        ).images
        for kind in ("a", "b")
    }
    images = torch.cat([batch.images for batch in batches])
    assert images.dtype == torch.uint8
    assert torch.equal(images, torch.cat([loaded["a"], loaded["b"]]))
    assert all(batch.images.is_contiguous() for batch in batches)


def test_the_number_of_images_is_known_beforehand_and_masks_are_none_of_them(folder: Path) -> None:
    for source in (folder, folder.with_suffix(".zip")):
        with open_stream(source) as stream:
            assert stream.count == 40
            assert list(stream.names) == STREAMED


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(
    count=st.integers(0, 120),
    size=st.integers(1, 150),
    broken=st.sets(st.integers(0, 119)),
)
def test_every_file_comes_once_in_order_in_batches_of_the_size(
    count: int, size: int, broken: set[int]
) -> None:
    def open_image(name: str) -> Image.Image:
        number = int(name)
        if number in broken:
            raise ValueError(f"broken {number}")
        return Image.new("RGB", (2, 2), (number, 0, 0))

    stream = Stream([str(number) for number in range(count)], count, open_image)
    batches = list(stream.batches(size, 2, "stretch"))
    assert names_of(batches) == [str(number) for number in range(count)]
    assert [len(batch.names) for batch in batches] == [
        min(size, count - start) for start in range(0, count, size)
    ]
    for batch in batches:
        numbers = [int(name) for name in batch.names]
        assert batch.reasons == [f"broken {n}" if n in broken else "" for n in numbers]
        whole = [n for n in numbers if n not in broken]
        assert batch.images.shape == (len(whole), 3, 2, 2)
        assert batch.images.dtype == torch.uint8
        assert batch.images[:, 0, 0, 0].tolist() == whole


def test_large_images_come_in_order_too() -> None:
    def open_image(name: str) -> Image.Image:
        return Image.new("RGB", (4, 4), (int(name), 0, 0))

    stream = Stream(map(str, range(9)), None, open_image)
    batches = list(stream.batches(4, 2048, "stretch"))
    assert [len(batch.names) for batch in batches] == [4, 4, 1]
    assert [int(p) for batch in batches for p in batch.images[:, 0, 0, 0]] == list(range(9))


def test_broken_files_are_reported_in_their_place(tmp_path: Path) -> None:
    for number in range(6):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"{number}.png")
    (tmp_path / "1.png").write_bytes(b"")
    (tmp_path / "3.png").write_text("no picture at all")
    (tmp_path / "4.png").unlink()
    (tmp_path / "4.png").symlink_to("nothing")
    (batch,) = read_stream(tmp_path)
    assert batch.names == [f"{number}.png" for number in range(6)]
    assert batch.reasons[1] == "an empty file"
    assert batch.reasons[3] == "not an image"
    assert "No such file" in batch.reasons[4]
    assert [bool(reason) for reason in batch.reasons] == [False, True, False, True, True, False]
    assert batch.images[:, 0, 0, 0].tolist() == [0, 2, 5]


def test_a_batch_of_broken_files_alone_has_no_images(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"x")
    (batch,) = read_stream(tmp_path)
    assert batch.images.shape == (0, 3, 24, 24)
    assert batch.reasons == ["not an image"]


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes(bytes(3 * 2**20))
    monkeypatch.setattr("nda.data.reading.open.MAX_BYTES", 2**20)
    (batch,) = read_stream(tmp_path)
    assert batch.reasons == ["", "3 MiB, more than the 1 MiB read"]
    (batch,) = stream_of_paths([str(tmp_path / "2.png")]).batches(4, 8, "crop")
    assert batch.reasons == ["3 MiB, more than the 1 MiB read"]


def test_a_huge_picture_is_refused_from_its_header(tmp_path: Path) -> None:
    Image.new("1", (9000, 9000)).save(tmp_path / "1.png")
    (batch,) = read_stream(tmp_path)
    assert batch.reasons == ["more than 64 megapixels"]


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no"), open_stream(tmp_path / "nothing"):
        pass
    with pytest.raises(DataError, match="holds no images"), open_stream(tmp_path):
        pass


def test_links_to_what_never_ends_are_reported(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    (tmp_path / "2.png").symlink_to(tmp_path / "pipe")
    (tmp_path / "3.png").symlink_to("/dev/zero")
    (batch,) = read_stream(tmp_path)
    assert batch.reasons == ["", "not a file", "not a file"]


def test_a_picture_of_an_ending_that_is_not_read_is_told_of(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "b.heic").write_bytes(b"not read")
    with open_stream(tmp_path) as stream:
        (batch,) = stream.batches(8, 16, "crop")
    assert batch.names == ["a.png", "b.heic"]
    assert batch.reasons[0] == ""
    assert batch.reasons[1]
