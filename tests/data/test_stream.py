"""Images one batch after another: the same pixels, in order, in bounded memory."""

from __future__ import annotations

import io
import os
import threading
import time
import warnings
import zipfile
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from nda.data import load_images
from nda.data.stream import (
    Stream,
    StreamedBatch,
    listed_paths,
    open_stream,
    stream_of_paths,
)
from nda.errors import DataError

NAMES = [f"{kind}/{number:02d}.png" for kind in ("a", "b") for number in range(20)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 images of many sizes, and masks."""
    root = tmp_path_factory.mktemp("stream") / "images"
    for index, name in enumerate([*NAMES, "ground_truth/a/00.png"]):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draws = np.random.default_rng(index)
        height, width = draws.integers(8, 40, 2)
        pixels = draws.integers(0, 256, (height, width, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(path)
    with zipfile.ZipFile(root.with_suffix(".zip"), "w") as archive:
        for name in reversed([*NAMES, "ground_truth/a/00.png"]):
            archive.write(root / name, name)
    return root


def read(source: Path, size: int = 16, **options: str) -> list[StreamedBatch]:
    with open_stream(source) as stream:
        return list(stream.batches(size, 24, "crop" if options.get("fit") == "crop" else "stretch"))


def names_of(batches: list[StreamedBatch]) -> list[str]:
    return [name for batch in batches for name in batch.names]


# --- what comes out


@pytest.mark.parametrize("fit", ["stretch", "crop"])
@pytest.mark.parametrize("form", ["folder", "zip"])
def test_the_pixels_are_those_of_loading_all_at_once(folder: Path, form: str, fit: str) -> None:
    source = folder if form == "folder" else folder.with_suffix(".zip")
    batches = read(source, fit=fit)
    assert names_of(batches) == NAMES
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
            assert list(stream.names) == NAMES


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


# --- files that cannot be read


def test_broken_files_are_reported_in_their_place(tmp_path: Path) -> None:
    for number in range(6):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"{number}.png")
    (tmp_path / "1.png").write_bytes(b"")
    (tmp_path / "3.png").write_text("no picture at all")
    (tmp_path / "4.png").unlink()
    (tmp_path / "4.png").symlink_to("nothing")
    (batch,) = read(tmp_path)
    assert batch.names == [f"{number}.png" for number in range(6)]
    assert batch.reasons[1] == "an empty file"
    assert batch.reasons[3] == "not an image"
    assert "No such file" in batch.reasons[4]
    assert [bool(reason) for reason in batch.reasons] == [False, True, False, True, True, False]
    assert batch.images[:, 0, 0, 0].tolist() == [0, 2, 5]


def test_a_batch_of_broken_files_alone_has_no_images(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"x")
    (batch,) = read(tmp_path)
    assert batch.images.shape == (0, 3, 24, 24)
    assert batch.reasons == ["not an image"]


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes(bytes(3 * 2**20))
    monkeypatch.setattr("nda.data.images.MAX_BYTES", 2**20)
    (batch,) = read(tmp_path)
    assert batch.reasons == ["", "3 MiB, more than the 1 MiB read"]
    (batch,) = stream_of_paths([str(tmp_path / "2.png")]).batches(4, 8, "crop")
    assert batch.reasons == ["3 MiB, more than the 1 MiB read"]


def test_a_huge_picture_is_refused_from_its_header(tmp_path: Path) -> None:
    Image.new("1", (9000, 9000)).save(tmp_path / "1.png")
    (batch,) = read(tmp_path)
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
    (batch,) = read(tmp_path)
    assert batch.reasons == ["", "not a file", "not a file"]


# --- lists of paths


def test_paths_come_from_lines_of_text(folder: Path) -> None:
    wanted = [NAMES[3], NAMES[30], NAMES[0]]
    lines = [f"{folder / wanted[0]}\n", "\n", f"{folder / wanted[1]}\r\n", "  \n"]
    text = "".join([*lines, str(folder / wanted[2])])
    stream = stream_of_paths(listed_paths(io.BytesIO(text.encode())))
    assert stream.count is None
    (batch,) = stream.batches(8, 24, "stretch")
    assert batch.names == [str(folder / name) for name in wanted]  # the order of the list
    with open_stream(folder) as opened:
        ((whole),) = opened.batches(40, 24, "stretch")
    assert torch.equal(batch.images, whole.images[[3, 30, 0]])


def test_names_with_blanks_are_kept(tmp_path: Path) -> None:
    path = tmp_path / " a b .png"
    Image.new("RGB", (8, 8)).save(path)
    (batch,) = stream_of_paths(listed_paths(io.BytesIO(f"{path}\n".encode()))).batches(8, 8, "crop")
    assert (batch.names, batch.reasons) == ([str(path)], [""])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{}/nothing.png", "No such file"),
        ("{}", "not a file"),
        ("{}/pipe.png", "not a file"),
        ("/dev/zero", "not a file"),
        ("{}/empty.png", "an empty file"),
        ("a\0b.png", "null byte"),
        ("~nobody-of-this-name/x.png", "home directory"),
    ],
)
def test_lines_that_name_no_picture_are_reported(tmp_path: Path, line: str, reason: str) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "empty.png").touch()
    (batch,) = stream_of_paths([line.format(tmp_path)]).batches(8, 8, "crop")
    assert reason in batch.reasons[0]
    assert len(batch.images) == 0


def test_a_list_of_nothing_gives_no_batches() -> None:
    assert list(stream_of_paths([]).batches(8, 8, "crop")) == []
    assert list(listed_paths(io.BytesIO(b"\n \n\r\n"))) == []


@pytest.mark.parametrize(
    ("lines", "paths"),
    [
        (b"\xef\xbb\xbfa.png\r\nb.png\r\n", ["a.png", "b.png"]),  # as Windows writes it
        (b'"C d.png"\n"\n""\n', ["C d.png", '"', '""']),
        (b"a\xef\xbb\xbf.png\n\xef\xbb\xbfb.png\n", ["a\ufeff.png", "\ufeffb.png"]),
        ("ü λ.png".encode(), ["ü λ.png"]),
        (b"caf\xe9.png\n", [os.fsdecode(b"caf\xe9.png")]),
    ],
)
def test_lists_are_read_as_people_have_them(lines: bytes, paths: list[str]) -> None:
    assert list(listed_paths(io.BytesIO(lines))) == paths


def test_quotes_that_belong_to_a_name_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path('"a.png"').touch()
    assert list(listed_paths(io.BytesIO(b'"a.png"\n"b.png"\n'))) == ['"a.png"', "b.png"]


def test_a_line_without_end_is_refused_in_bounded_memory() -> None:
    with open("/dev/zero", "rb") as zeros, pytest.raises(DataError, match="so it is no path"):  # noqa: PTH123
        list(listed_paths(zeros))


# --- memory and threads


class Watched:
    """An endless source of pictures that counts how many names were asked for and opened."""

    def __init__(self) -> None:
        self.asked = self.opened = 0
        self.lock = threading.Lock()

    def names(self) -> Iterator[str]:
        while True:
            self.asked += 1
            yield str(self.asked)

    def open_image(self, name: str) -> Image.Image:
        with self.lock:
            self.opened += 1
        return Image.new("RGB", (2, 2))

    def batches(self, size: int, resolution: int) -> Generator[StreamedBatch, None, None]:
        return Stream(self.names(), None, self.open_image).batches(size, resolution, "crop")


@pytest.mark.parametrize(
    ("size", "resolution", "most"),
    [(1, 8, 330), (64, 8, 450), (256, 8, 850), (4, 1024, 30), (2, 2048, 14)],
)
def test_only_a_few_batches_are_read_ahead(size: int, resolution: int, most: int) -> None:
    """From an endless source, so that reading it whole would never end."""
    source = Watched()
    batches = source.batches(size, resolution)
    for index in range(1, 4):
        next(batches)
        time.sleep(0.02)  # for the threads to go on as far as they may
        assert source.asked - index * size <= most
    batches.close()
    assert source.opened >= 3 * size


def test_nothing_is_read_before_the_first_batch_is_asked_for() -> None:
    source = Watched()
    batches = source.batches(8, 8)
    time.sleep(0.02)
    assert source.asked == 0
    del batches


def test_closing_early_stops_the_reading_and_the_threads() -> None:
    source, before = Watched(), threading.active_count()
    batches = source.batches(8, 8)
    next(batches)
    batches.close()
    assert threading.active_count() == before
    opened = source.opened
    time.sleep(0.05)
    assert source.opened == opened


def test_an_error_of_the_consumer_stops_the_threads_too() -> None:
    before = threading.active_count()

    def consume() -> None:
        for _ in Watched().batches(8, 8):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        consume()
    assert threading.active_count() == before


def test_several_threads_decode() -> None:
    together = threading.Barrier(2, timeout=20)

    def open_image(name: str) -> Image.Image:
        if name in ("0", "40"):  # of two chunks; alone, either would wait in vain
            together.wait()
        return Image.new("RGB", (2, 2))

    stream = Stream(map(str, range(64)), 64, open_image)
    assert sum(len(batch.images) for batch in stream.batches(64, 2, "crop")) == 64


def test_the_filters_of_warnings_are_as_before_afterwards(folder: Path) -> None:
    before = list(warnings.filters)
    read(folder)
    assert warnings.filters == before


def test_a_picture_of_an_ending_that_is_not_read_is_told_of(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "b.heic").write_bytes(b"not read")
    with open_stream(tmp_path) as stream:
        (batch,) = stream.batches(8, 16, "crop")
    assert batch.names == ["a.png", "b.heic"]
    assert batch.reasons[0] == ""
    assert batch.reasons[1]
