"""How far a stream reads ahead, and what is left of it when it is over."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from PIL import Image

from nda.data.images.stream import Stream, StreamedBatch
from tests.support.made_images import read_stream, streamed_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return streamed_folder(tmp_path_factory.mktemp("stream") / "images")


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
    assert threading.active_count() <= before  # an earlier test's may end meanwhile
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
    assert threading.active_count() <= before  # an earlier test's may end meanwhile


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
    read_stream(folder)
    assert warnings.filters == before
