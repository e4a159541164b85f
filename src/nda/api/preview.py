"""The pictures of `nda preview`: every negative on images, or on frames of a video."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor

from nda.api.media import holds_video_files
from nda.api.settings import PreviewOptions
from nda.data.clips.clip_set import Clips
from nda.data.clips.source import ClipSource
from nda.data.images.load import load_images
from nda.data.reading.layout import class_names
from nda.errors import DataError
from nda.negatives.named import negatives_from_list, suited
from nda.report.pictures.grid import image_grid, refuse_large_picture, save_png
from nda.runtime.seeding import generator_for
from nda.validators import counted

RESOLUTION = 128  # pixels, as published for DPC


def preview_video(options: PreviewOptions) -> int:
    """Frames in a row, and each negative of them in a row below: one draw for all frames.

    Of a folder or archive of several videos one is drawn, and another one to be mixed with it; a
    single video is mixed with itself, half its length later.
    """
    negatives = negatives_from_list(options.negatives)
    rng = generator_for(options.seed, purpose="preview")
    source = ClipSource(
        options.images,
        options.resolution or RESOLUTION,
        class_names(options.classes),
        skip_broken=options.skip_broken,
        bit_depth=options.bit_depth,
    )
    clips, _ = source.draw(2, generator=rng)
    numbers = evenly_spaced(int(clips.lengths[0]), options.count)
    some = [clips.frames(0, numbers), *_partner(clips, numbers)]
    pair = torch.stack(some)  # (2, T, 3, R, R), or 1 of them
    negatives, refused = suited(negatives, pair)
    tell_refused(refused)
    rows = [pair[0], *(negative(pair, generator=rng)[0] for negative in negatives.values())]
    grid = image_grid(
        torch.cat(rows),
        len(numbers),
        row_labels=["real", *(name.replace("_", " ") for name in negatives)],
        column_labels=[f"frame {number + 1:,}" for number in numbers.tolist()],
    )
    save_png(grid, Path(options.out))
    print(
        f"{len(numbers)} of {int(clips.lengths[0]):,} frames of {clips.names[0]}, "
        f"{counted(len(negatives), 'negative')}: {options.out}"
    )
    return 0


def evenly_spaced(length: int, count: int) -> Tensor:
    """At most `count` frames of a video, evenly spaced from the first to the last: int64."""
    return torch.linspace(0, length - 1, min(count, length), dtype=torch.float64).round().long()


def _partner(clips: Clips, numbers: Tensor) -> list[Tensor]:
    """Frames to be mixed in; none where there is but one frame, which is no partner to itself."""
    if len(clips) > 1:
        length = int(clips.lengths[1])
        return [clips.frames(1, numbers * length // int(clips.lengths[0]))]
    return [clips.frames(0, numbers.roll(-(len(numbers) // 2)))] if len(numbers) > 1 else []


def preview_images(options: PreviewOptions) -> int:
    """Images in a row, and each negative of them in a row below."""
    negatives = negatives_from_list(options.negatives)
    rng = generator_for(options.seed, purpose="preview")
    try:
        data = load_images(
            options.images,
            resolution=options.resolution,
            classes=class_names(options.classes),
            skip_broken=options.skip_broken,
            bit_depth=options.bit_depth,
            most=options.count,
            generator=rng,
        )
    except DataError as error:
        if not holds_video_files(options.images):
            raise
        raise DataError(f"{options.images} holds videos; give --video to see one.") from error
    chosen = data.images
    negatives, refused = suited(negatives, chosen)
    refuse_large_picture(len(chosen), 1 + len(negatives), chosen.shape[-1])
    for note in data.told:
        print(f"nda: {note}", file=sys.stderr)
    tell_refused(refused)
    rows = [chosen, *(negative(chosen, generator=rng) for negative in negatives.values())]
    labels = ["real", *(name.replace("_", " ") for name in negatives)]
    grid = image_grid(torch.cat(rows), len(chosen), row_labels=labels)
    save_png(grid, Path(options.out))
    print(f"{counted(len(chosen), 'image')}, {counted(len(negatives), 'negative')}: {options.out}")
    return 0


def tell_refused(refused: dict[str, str]) -> None:
    """Say which negatives the picture leaves out, and why."""
    for name, why in refused.items():
        print(f"nda: {name} is left out: {why}", file=sys.stderr)
