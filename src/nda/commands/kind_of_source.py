"""Images given where videos are needed, and the other way round: said in so many words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nda.data.clip_layout import VIDEO_EXTENSIONS, Video
from nda.data.clip_reader import open_videos
from nda.errors import ConfigError, DataError, UserError


@contextmanager
def expecting_images(source: str, model: str) -> Iterator[None]:
    """Where `source` cannot be used and holds video files, says that `model` takes images."""
    try:
        yield
    except DataError as error:
        if not _holds_video_files(source):
            raise
        raise DataError(
            f"{source} holds videos, and {model} takes images. Give images, or a run of dpc, which "
            "takes videos."
        ) from error


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


def _holds_video_files(source: str) -> bool:
    path = Path(source).expanduser()
    try:
        with open_videos(path) as opened:
            return any(name.lower().endswith(VIDEO_EXTENSIONS) for name in opened.stamps)
    except UserError:
        return False
