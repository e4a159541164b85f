"""Small videos for tests, whose frames can be told from each other by their colour."""

from __future__ import annotations

import importlib
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

STEP = 5  # levels of grey from a frame to the next


def grey_of(number: int) -> int:
    return 20 + STEP * number


def numbers_in(frames: NDArray[np.uint8]) -> list[int]:
    """Which frames these `(T, 3, H, W)` are; wrong by less than half a step after any codec."""
    return [round((float(frame.mean()) - 20) / STEP) for frame in frames]


def encode(
    count: int,
    *,
    size: tuple[int, int] = (32, 24),
    container: str = "mp4",
    codec: str = "libx264",
    times: Sequence[int] | None = None,
    colours: Sequence[tuple[int, int, int]] | None = None,
    sound: bool = False,
    options: dict[str, str] | None = None,
) -> bytes:
    """The bytes of a video of `count` frames; frame k is grey `grey_of(k)`, or of its colour.

    `times` are the frames' times in 1/25 s, for a rate that varies. `size` is width, height, and
    `options` are those of the codec.
    """
    av: Any = importlib.import_module("av")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        stream = file.add_stream(codec, rate=25)
        stream.width, stream.height = size
        stream.options = options or {}
        stream.bit_rate = 2_000_000  # enough to tell neighbouring greys apart
        stream.pix_fmt = {"mjpeg": "yuvj444p", "gif": "rgb8"}.get(codec, "yuv444p")
        if codec in ("mpeg4", "flv", "mpeg1video") or size[0] % 2 == size[1] % 2 == 0:
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        noise = file.add_stream("aac", rate=8000, layout="mono") if sound else None
        for number in range(count):
            colour = colours[number] if colours else (grey_of(number),) * 3
            pixels = np.full((size[1], size[0], 3), colour, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = times[number] if times else number
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
        if noise is not None:
            _add_silence(av, file, noise)
    return buffer.getvalue()


def only_sound() -> bytes:
    """An MP4 file without pictures."""
    av: Any = importlib.import_module("av")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as file:
        _add_silence(av, file, file.add_stream("aac", rate=8000, layout="mono"))
    return buffer.getvalue()


def _add_silence(av: Any, file: Any, stream: Any) -> None:
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 2048), np.float32), "fltp", "mono")
    frame.sample_rate = 8000
    file.mux(stream.encode(frame))
    file.mux(stream.encode())


def frame_folder(folder: Path, numbers: Sequence[int], *, size: tuple[int, int] = (12, 8)) -> Path:
    """A folder of PNGs `f_0001.png`, ..., frame k in grey `grey_of(k)`; gives the folder."""
    folder.mkdir(parents=True)
    for number in numbers:
        Image.new("RGB", size, (grey_of(number),) * 3).save(folder / f"f_{number:04d}.png")
    return folder


def zip_of(folder: Path, path: Path, *, compression: int = zipfile.ZIP_STORED) -> Path:
    """Everything under `folder` as an archive `path`, with no folder around it."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder).as_posix())
    return path
