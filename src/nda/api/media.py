"""What a source holds: images where videos are needed, or the other way round, or the run's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np

from nda.data.clips.decode import UnreadableError
from nda.data.clips.layout import VIDEO_EXTENSIONS, Video
from nda.data.clips.reader import open_videos
from nda.data.clips.stream import VideoStream
from nda.errors import ConfigError, DataError, UserError
from nda.recipes import recipe_of
from nda.training.run_folder import RunFolder

LOOKED_AT, IN_A_ROW, SIDE = 8, 9, 32  # folders, pictures of each, their side in pixels
UNLIKE = 0.7  # in real videos 0.2 at most, in folders of photographs 0.8 and more


@contextmanager
def expecting_images(source: str, model: str) -> Iterator[None]:
    """Where `source` cannot be used and holds video files, says that `model` takes images."""
    try:
        yield
    except DataError as error:
        if not holds_video_files(source):
            raise
        raise DataError(
            f"{source} holds videos, and {model} takes images. Give images, or a run of dpc, which "
            "takes videos."
        ) from error


def is_run_of_videos(path: str) -> bool:
    """Whether `path` is a run of dpc; what is no run at all is left to others to refuse."""
    folder = RunFolder(Path(path))
    return folder.config_path.is_file() and recipe_of(folder.config()["recipe"]).scores == "videos"


def refuse_no_videos(source: str, model: str) -> None:
    """Refuse what can only be images: a data set of torchvision's."""
    if source.startswith("torchvision:"):
        raise ConfigError(
            f"{source} holds images, and {model} is a run of dpc, which takes videos. Give a "
            "folder or a .zip of videos or of folders of frames."
        )


def refuse_pictures(videos: Sequence[Video], source: str, model: str) -> None:
    """Refuse folders of pictures of which not one is the frames of a video.

    A folder of images is one where the names of the pictures are not numbered in equal steps.
    """
    if all(video.frames and (video.fault or len(video.frames) == 1) for video in videos):
        first = videos[0]
        raise DataError(
            f"{source} seems to hold images: its pictures are not the frames of videos "
            f"({first.name}: {first.fault or 'a single picture'}). {model} is a run of dpc, which "
            "takes videos, or folders of frames that are numbered in equal steps."
        )


def refuse_unlike_frames(stream: VideoStream, source: str, model: str) -> None:
    """Refuse numbered pictures that are as unlike each other as those of different things."""
    if (found := unlikeness(stream)) is not None and found > UNLIKE:
        raise DataError(
            f"{source} seems to hold images: the pictures in its folders follow each other by "
            f"number, but differ as those of different things do. {model} is a run of dpc, which "
            "takes videos, or folders of their frames."
        )


def unlikeness(stream: VideoStream) -> float | None:
    """How much pictures in a row differ, in units of their standard deviation; None for files.

    The median over some folders of the mean difference of neighbouring pictures: near 1.1 for
    pictures that have nothing to do with each other, 0.2 or less for frames of a moving scene.
    """
    folders = [video for video in stream.videos if len(video.frames) > 1 and not video.fault]
    found = []
    for video in folders[:: max(1, len(folders) // LOOKED_AT)][:LOOKED_AT]:
        try:
            some = list(islice(stream.frames(video, SIDE, "crop"), IN_A_ROW))
        except UnreadableError:
            continue  # said where the video is used
        pictures = np.stack(some).astype(np.float32)
        found.append(float(np.abs(np.diff(pictures, axis=0)).mean() / max(1.0, pictures.std())))
    return float(np.median(found)) if found else None


def same_place(one: str, other: str) -> bool:
    """Whether two paths lead to the same folder or file."""
    return _place(one) == _place(other)


def within(one: str, other: str) -> bool:
    """Whether one of two sources is the other or lies in it."""
    if "torchvision:" in (one[:12], other[:12]):
        return one == other
    first, second = _place(one), _place(other)
    return first.is_relative_to(second) or second.is_relative_to(first)


def _place(path: str) -> Path:
    return Path(path).expanduser().resolve()


def holds_video_files(source: str) -> bool:
    path = Path(source).expanduser()
    try:
        with open_videos(path) as opened:
            return any(name.lower().endswith(VIDEO_EXTENSIONS) for name in opened.stamps)
    except UserError:
        return False
