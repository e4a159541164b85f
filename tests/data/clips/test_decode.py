"""Frames of video files and folders, and what is said of files that give none."""

from __future__ import annotations

import importlib
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from nda.data.clips import decode as clip_decode
from nda.data.clips.decode import Frame, UnreadableError, chosen_frames, frames_of
from nda.data.clips.layout import find_videos
from nda.data.clips.reader import open_videos
from nda.data.reading.decode import Fit
from nda.errors import ConfigError
from tests.support.made_videos import encode, frame_folder, grey_of, numbers_in, only_sound

pytest.importorskip("av")


def decoded(
    path: Path, resolution: int | None = 16, fit: Fit = "crop", *, name: str = ""
) -> NDArray[np.uint8]:
    with open_videos(path) as source:
        videos = find_videos(source.stamps, source.where)
        (video,) = (each for each in videos if name in each.name)
        return np.stack([frame() for frame in frames_of(source, video, resolution, fit)])


def video_file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("container", "codec"),
    [("mp4", "libx264"), ("matroska", "libx264"), ("avi", "mpeg4"), ("avi", "mjpeg"),
     ("mpegts", "libx264"), ("webm", "libvpx-vp9"), ("flv", "flv"), ("mpeg", "mpeg1video")],
)  # fmt: skip
def test_every_frame_in_order(tmp_path: Path, container: str, codec: str) -> None:
    path = video_file(tmp_path / "a.mp4", encode(30, container=container, codec=codec))
    assert numbers_in(decoded(path)) == list(range(30))


@pytest.mark.parametrize("codec", ["libx264", "mjpeg"])  # of limited range and of full range
def test_colours(tmp_path: Path, codec: str) -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)]
    content = encode(5, codec=codec, container="avi", colours=colours)
    found = decoded(video_file(tmp_path / "a.avi", content)).mean(axis=(2, 3))
    assert np.abs(found - colours).max() < 10


def test_a_rate_that_varies_changes_nothing(tmp_path: Path) -> None:
    content = encode(6, times=[0, 1, 5, 6, 30, 31])
    assert numbers_in(decoded(video_file(tmp_path / "a.mp4", content))) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("size", [(33, 25), (25, 33), (17, 17), (64, 8)])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    frames = decoded(video_file(tmp_path / "a.mkv", encode(3, size=size, container="matroska")))
    assert frames.shape == (3, 3, 16, 16)
    assert numbers_in(frames) == [0, 1, 2]
    assert decoded(tmp_path / "a.mkv", None).shape == (3, 3, size[1], size[0])


def one_frame(
    path: Path, pixels: NDArray[np.uint8], codec: str = "png", layout: str = "rgb24"
) -> Path:
    """A video of one frame `(H, W, 3)`."""
    av = importlib.import_module("av")
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = pixels.shape[1], pixels.shape[0], layout
        file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        file.mux(stream.encode())
    return path


def test_the_middle_is_cut_out_or_the_whole_frame_stretched(tmp_path: Path) -> None:
    pixels = np.full((16, 48, 3), 50, np.uint8)
    pixels[:, 32:] = 200  # the middle, from 16 to 32, ends where it becomes light
    path = one_frame(tmp_path / "a.avi", pixels)
    (middle,), (whole,) = decoded(path, 8), decoded(path, 9, "stretch")
    assert np.abs(middle[0, 0, :7].astype(int) - 50).max() <= 3
    assert whole[0, 4].round(-1).tolist() == [50] * 6 + [200] * 3


def test_shrinking_averages(tmp_path: Path) -> None:
    """Stripes a pixel wide become grey: single pixels, taken here and there, would stay stripes."""
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, ::2] = 200
    found = decoded(one_frame(tmp_path / "stripes.avi", pixels), 16).astype(int)
    assert np.abs(found - 100).max() <= 3


@pytest.mark.parametrize(
    ("matrix", "dark"),
    [((1, 0, 0, 1), "left"), ((0, 1, -1, 0), "top"), ((-1, 0, 0, -1), "right")],
)
def test_a_telephone_held_upright(tmp_path: Path, matrix: tuple[int, ...], dark: str) -> None:
    """The matrix of a track takes (x, y) to (ax + cy, bx + dy): that of (0, 1, -1, 0) turns right
    to bottom, and so left to top.
    """
    pixels = np.full((24, 32, 3), 200, np.uint8)
    pixels[:, :16] = 50
    content = bytearray(one_frame(tmp_path / "a.mp4", pixels, "libx264", "yuv444p").read_bytes())
    place = content.index(b"tkhd") + 44
    a, b, c, d = (value << 16 for value in matrix)
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    (frame,) = decoded(video_file(tmp_path / "a.mp4", bytes(content)), None)
    assert frame.shape == ((3, 32, 24) if dark == "top" else (3, 24, 32))
    halves = {
        "left": frame[:, :, : frame.shape[2] // 2],
        "right": frame[:, :, frame.shape[2] // 2 :],
        "top": frame[:, : frame.shape[1] // 2],
    }
    assert halves[dark].mean() < 60


def test_sound_beside_the_pictures_is_left(tmp_path: Path) -> None:
    assert len(decoded(video_file(tmp_path / "a.mp4", encode(4, sound=True)))) == 4


def cut(content: bytes) -> bytes:
    return content[: len(content) * 6 // 10]


def damaged(content: bytes) -> bytes:
    half = len(content) // 2
    return content[:half] + bytes(300) + content[half + 300 :]


@pytest.mark.parametrize(
    ("container", "codec"),
    [("mp4", "libx264"), ("matroska", "libx264"), ("avi", "mpeg4"), ("webm", "libvpx-vp9"),
     ("mpeg", "mpeg1video")],
)  # fmt: skip
def test_chosen_frames_are_those_of_decoding_everything(
    tmp_path: Path, container: str, codec: str
) -> None:
    path = video_file(tmp_path / "a.mp4", encode(30, container=container, codec=codec))
    whole = decoded(path)
    with open_videos(path) as source:
        (video,) = find_videos(source.stamps, source.where)
        for wanted in ({0}, {29}, {3, 6, 9, 12, 15}, {28, 1}, set(range(30))):
            found = {n: frame() for n, frame in chosen_frames(source, video, wanted, 30, 16)}
            assert found.keys() == wanted
            assert all(np.array_equal(found[number], whole[number]) for number in wanted)
        with pytest.raises(UnreadableError, match="it ends before frame 31"):
            list(chosen_frames(source, video, {2, 30}, 30, 16))


@pytest.mark.parametrize(
    ("length", "kept_bytes", "sparing"),
    [(30, 2**20, True), (29, 2**20, False), (30, 0, False)],  # 29: packets are not one a frame
)
def test_frames_on_which_none_depends_are_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int, kept_bytes: int, sparing: bool
) -> None:
    two_sided = "bframes=3:b-adapt=0:b-pyramid=none:scenecut=0:keyint=60:no-mbtree=1"
    content = encode(30, options={"x264-params": two_sided})  # I BBB P BBB P ...
    path = video_file(tmp_path / "a.mp4", content)
    numbers: list[int] = []
    decode = clip_decode._decoded

    def noted(*settings: Any) -> Iterator[tuple[int, Frame]]:
        for number, frame in decode(*settings):
            numbers.append(number)
            yield number, frame

    monkeypatch.setattr(clip_decode, "_decoded", noted)
    monkeypatch.setattr(clip_decode, "_KEPT_BYTES", kept_bytes)
    with open_videos(path) as source:
        (video,) = find_videos(source.stamps, source.where)
        frames = {n: frame() for n, frame in chosen_frames(source, video, {5, 20}, length, 16)}
    assert [numbers_in(frames[number][None]) for number in (5, 20)] == [[5], [20]]
    assert len(numbers) < 12 if sparing else numbers == list(range(21))


def broken_files() -> Iterator[tuple[str, bytes, str]]:
    whole = encode(40, size=(160, 120))
    avi = encode(40, container="avi", codec="mjpeg")
    yield "empty", b"", "an empty file"
    yield "text", b"no video " * 99, "not a video, or cut short"
    yield "cut MP4", cut(whole), "not a video, or cut short"
    yield "cut AVI", cut(avi), "damaged a"
    yield "sound", only_sound(), "only sound, no pictures"
    yield "other codec", whole.replace(b"avc1", b"zzzz"), "no decoder for its codec"
    yield "playlist", b"#EXTM3U\n#EXTINF:1,\nother.mp4\n", "not a video, or cut short"
    yield "no frames", encode(2)[:-100], "no frames"


@pytest.mark.parametrize(
    ("content", "reason"), [pytest.param(c, r, id=name) for name, c, r in broken_files()]
)
def test_broken_files_say_why(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=f"^{reason}"):
        decoded(video_file(tmp_path / "a.mp4", content))


def test_damage_in_the_middle_is_not_passed_over(tmp_path: Path) -> None:
    av = importlib.import_module("av")
    draws = np.random.default_rng(0)
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(20):
            pixels = draws.integers(0, 255, (64, 64, 3), dtype=np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        file.mux(stream.encode())
    video_file(path, damaged(path.read_bytes()))
    with pytest.raises(UnreadableError, match=r"damaged a(t|fter) frame \d+"):
        decoded(path)


def test_limits_are_checked_before_and_while_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = video_file(tmp_path / "a.mp4", encode(5))
    monkeypatch.setattr(clip_decode, "MAX_FRAMES", 4)
    with pytest.raises(UnreadableError, match=r"more than 4 frames; cut it into clips"):
        decoded(path)
    frame_folder(tmp_path / "long" / "jump", [3, 4, 5, 6, 7])
    with pytest.raises(UnreadableError, match=r"more than 4 frames; cut it into clips"):
        decoded(tmp_path / "long")
    monkeypatch.setattr(clip_decode, "MAX_PIXELS", 700)
    with pytest.raises(UnreadableError, match=r"32 x 24 pixels, more than 64 megapixels"):
        decoded(path)


def test_a_folder_of_frames(tmp_path: Path) -> None:
    frame_folder(tmp_path / "a" / "jump", [3, 4, 5, 6])
    assert numbers_in(decoded(tmp_path / "a")) == [3, 4, 5, 6]
    (tmp_path / "a" / "jump" / "f_0004.png").write_bytes(b"none")
    with pytest.raises(UnreadableError, match=r"f_0004.png: not an image"):
        decoded(tmp_path / "a")
    (tmp_path / "a" / "jump" / "f_0004.png").unlink()
    with pytest.raises(UnreadableError, match=r"a frame is missing between f_0003.png and f_00"):
        decoded(tmp_path / "a")


def test_without_pyav_files_are_refused_and_frames_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video_file(tmp_path / "a.mp4", encode(2))
    frame_folder(tmp_path / "b" / "c", [0, 1])
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ConfigError, match=r'pip install "nda-torch\[video\]"; or give folders'):
        decoded(tmp_path / "a.mp4")
    assert numbers_in(decoded(tmp_path / "b")) == [0, 1]


def test_a_cover_is_no_video(tmp_path: Path) -> None:
    """The picture of a song is a stream of its own, which players show and do not play."""
    av = importlib.import_module("av")
    cover = tmp_path / "cover.png"
    Image.new("RGB", (16, 16), (grey_of(3),) * 3).save(cover)
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as file, av.open(str(cover)) as picture:
        sound = file.add_stream("aac", rate=8000, layout="mono")
        image = file.add_stream_from_template(picture.streams.video[0])
        image.disposition = av.stream.Disposition.attached_pic
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2048), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        file.mux(sound.encode(frame))
        file.mux(sound.encode())
        for packet in picture.demux():
            if packet.dts is not None:
                packet.stream = image
                file.mux(packet)
    with pytest.raises(UnreadableError, match=r"only sound, no pictures"):
        decoded(path)
