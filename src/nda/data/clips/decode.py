"""From one video, a file or a folder of frames, to its frames, by PyAV and Pillow.

PyAV brings FFmpeg along (extra `video`); folders of frames need Pillow alone. Both let other
threads run while they decode.
"""

from __future__ import annotations

import importlib
import io
import posixpath
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nda.data.clips.layout import Video
from nda.data.reading.decode import Fit, Pixels, read_pixels
from nda.data.reading.open import open_member
from nda.data.reading.source import Source
from nda.data.reading.values import MAX_PIXELS
from nda.errors import ConfigError, UserError

MAX_BYTES = 2**30  # of a file in an archive, which is read whole
_KEPT_BYTES = 64 * 2**20  # of a file whose packets are all held at once
MAX_FRAMES = 100_000  # of one video: nearly an hour, at 30 a second
# Containers with the pictures inside them: no playlists, which name other files.
_CONTAINERS = "mov,matroska,avi,mpeg,mpegts,mpegvideo,ogg,flv,asf"
_ATTACHED_PICTURE = 1024  # FFmpeg's mark of a stream that is a cover
_RED_GREEN_BLUE = (2, 0, 1)  # planes of FFmpeg's gbrp

Frame = Callable[[], Pixels]
"""Gives a frame as uint8 `(3, height, width)`."""


class UnreadableError(Exception):
    """Why a video cannot be used, in words that follow its name."""


def frames_of(
    source: Source, video: Video, resolution: int | None, fit: Fit = "crop"
) -> Iterator[Frame]:
    """The frames of a video in order of display, each converted only where it is called.

    With `resolution` the shorter side is resized to it and the middle cut out, or with
    `fit="stretch"` the whole frame becomes square; without, all keep the size of the first one.
    Raises `UnreadableError` for damage, here or when a frame is called, and `ConfigError` where
    PyAV is needed and absent.
    """
    if video.fault:
        raise UnreadableError(video.fault)
    if len(video.frames) > MAX_FRAMES:
        raise _too_long()
    if video.frames:
        return (partial(_picture, source, name, resolution, fit) for name in video.frames)
    return (frame for _, frame in _decoded(source, video.name, resolution, fit))


def _too_long() -> UnreadableError:
    return UnreadableError(f"more than {MAX_FRAMES:,} frames; cut it into clips")


def all_frames(
    source: Source, video: Video, resolution: int, fit: Fit = "crop", *, convert: bool = True
) -> Iterator[Pixels | None]:
    """Every frame of a video as `frames_of` gives it, or None in its place without `convert`.

    Whatever else a decoder raises on damaged bytes becomes an `UnreadableError` too.
    """
    try:
        for frame in frames_of(source, video, resolution, fit):
            yield frame() if convert else None
    except (UnreadableError, UserError):
        raise
    except Exception as error:  # a decoder that is fed damaged bytes may raise anything
        raise UnreadableError((str(error) or type(error).__name__).rstrip(".")) from error


def chosen_frames(
    source: Source,
    video: Video,
    numbers: Collection[int],
    length: int,
    resolution: int,
    fit: Fit = "crop",
) -> Iterator[tuple[int, Frame]]:
    """Some frames of a video of `length`, each once and with its number, as they are decoded.

    Other frames on which none depends are not decoded where the codec allows it. Raises as
    `frames_of`, and `UnreadableError` where the video ends before.
    """
    left = set(numbers)
    if video.frames and max(left) < len(video.frames):
        for number in sorted(left):
            yield number, partial(_picture, source, video.frames[number], resolution, fit)
        return
    if not video.frames:
        sparing = source.stamps[video.name][0] <= _KEPT_BYTES
        # Where a frame did not come because another one was passed over, all are decoded.
        wanted = _Wanted(frozenset(left), length)
        for some in [wanted, None] if sparing else [None]:
            for number, frame in _decoded(source, video.name, resolution, fit, some):
                if number in left:
                    left.discard(number)
                    yield number, frame
                    if not left:
                        return
    raise UnreadableError(f"it ends before frame {min(left) + 1}")


@dataclass(frozen=True)
class _Wanted:
    """Which frames are wanted of a video of `length`."""

    numbers: frozenset[int]
    length: int

    def order(self, packets: Sequence[Any]) -> dict[int | None, int] | None:
        """The number of the frame in each packet, by its time of display.

        None where that cannot be told: without times, or where packets are not one a frame, as in
        AVI files that pack two frames into one.
        """
        times = {packet.pts for packet in packets if packet.size and not packet.is_discard}
        if None in times or len(times) != self.length:
            return None
        return {time: number for number, time in enumerate(sorted(times))}


def load_av() -> Any:
    """PyAV, or a `ConfigError` that says how to install it."""
    try:
        return importlib.import_module("av")
    except ImportError as error:
        raise ConfigError(
            "Reading video files needs PyAV, which is not installed. Install it: "
            'pip install "nda-torch[video]"; or give folders of frames.'
        ) from error


def _picture(source: Source, name: str, resolution: int | None, fit: Fit) -> Pixels:
    pixels = read_pixels(partial(open_member, source, name), resolution, fit)
    if isinstance(pixels, str):
        raise UnreadableError(f"{posixpath.basename(name)}: {pixels}")
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))  # (H, W, 3) to (3, H, W)


def _decoded(
    source: Source,
    name: str,
    resolution: int | None,
    fit: Fit,
    wanted: _Wanted | None = None,
) -> Iterator[tuple[int, Frame]]:
    """Frames with their numbers: all, or those that are wanted and whatever they depend on."""
    av = load_av()
    file = _input(source, name)
    convert = _Converter(resolution, fit)
    count, place = 0, "not a video, or cut short"
    try:
        with av.open(file, options={"format_whitelist": _CONTAINERS}) as container:
            stream = _pictures(container)
            place = "no frames"
            packets, order = container.demux(stream), None
            if wanted is not None:
                packets = list(packets)
                order = wanted.order(packets)
            for packet in packets:
                if order is not None and wanted is not None:
                    needed = order.get(packet.pts) in wanted.numbers
                    stream.codec_context.skip_frame = "DEFAULT" if needed else "NONREF"
                for frame in packet.decode():
                    if packet.is_corrupt or frame.is_corrupt:
                        raise UnreadableError(f"damaged at frame {count + 1}")
                    count += 1
                    if count > MAX_FRAMES:
                        raise _too_long()
                    place = f"damaged after frame {count}"
                    number = count - 1 if order is None else order.get(frame.pts, -1)
                    yield number, partial(convert, frame)
    except av.error.DecoderNotFoundError as error:
        raise UnreadableError("no decoder for its codec") from error
    except (PermissionError, FileNotFoundError) as error:  # PyAV's are of these kinds too
        raise UnreadableError(error.strerror) from error
    except (av.FFmpegError, UnicodeError) as error:
        raise UnreadableError(place) from error
    if not count:
        raise UnreadableError("no frames")


def _input(source: Source, name: str) -> str | io.BytesIO:
    """What PyAV opens: the path of a file, or the bytes of a member of an archive."""
    size = source.stamps[name][0]
    if size == 0:
        raise UnreadableError("an empty file")
    folder = Path(source.where)
    if folder.is_dir():
        return f"file:{folder.resolve() / name}"
    if size > MAX_BYTES:
        raise UnreadableError(
            f"{size / 2**20:.0f} MiB, more than the {MAX_BYTES >> 20} MiB read from an archive"
        )
    return io.BytesIO(source.read(name))


def _pictures(container: Any) -> Any:
    """The video stream, set to decode in this thread: several videos are decoded at once."""
    streams = [each for each in container.streams.video if not _is_cover(each)]
    if not streams:
        sound = bool(container.streams.audio)
        raise UnreadableError("only sound, no pictures" if sound else "no video stream")
    stream = streams[0]
    if stream.codec_context is None:
        raise UnreadableError("no decoder for its codec")
    if stream.width * stream.height > MAX_PIXELS:
        raise UnreadableError(f"{stream.width} x {stream.height} pixels, more than 64 megapixels")
    stream.thread_count = 1
    return stream


def _is_cover(stream: Any) -> bool:
    """Whether a stream is the picture of a sound file, which is no video."""
    return bool(int(stream.disposition) & _ATTACHED_PICTURE)


class _Converter:
    """FFmpeg's frames as RGB of one size; it keeps what depends on the sizes, so one a thread."""

    def __init__(self, resolution: int | None, fit: Fit) -> None:
        self.reformatter = importlib.import_module("av.video.reformatter").VideoReformatter()
        self.resolution, self.fit = resolution, fit
        self.first: tuple[int, int] | None = None

    def __call__(self, frame: Any) -> Pixels:
        width, height = self.size(frame.width, frame.height)
        if width * height > MAX_PIXELS:
            raise UnreadableError(f"resized to {width} x {height} pixels, more than 64 megapixels")
        shrinks = width < frame.width or height < frame.height
        # Averaging an area is antialiased and takes a tenth of the time of decoding.
        way = "AREA" if shrinks else "BICUBIC"
        planes = self.reformatter.reformat(
            frame, width, height, "gbrp", interpolation=way, threads=1
        ).planes
        side = self.resolution
        tall, wide = (side, side) if side else (height, width)
        top, left = (height - tall) // 2, (width - wide) // 2
        pixels = np.empty((3, tall, wide), np.uint8)
        for channel, number in enumerate(_RED_GREEN_BLUE):
            plane = planes[number]
            rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
            pixels[channel] = rows[top : top + tall, left : left + wide]
        turns = round(frame.rotation / 90) % 4  # of a telephone held upright, counterclockwise
        return np.ascontiguousarray(np.rot90(pixels, turns, (1, 2))) if turns else pixels

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height to resize to, before the middle is cut out."""
        if self.resolution is None:
            self.first = self.first or (width, height)
            return self.first
        if self.fit == "stretch":
            return self.resolution, self.resolution
        scale = self.resolution / min(width, height)
        return (
            max(self.resolution, round(width * scale)),
            max(self.resolution, round(height * scale)),
        )
