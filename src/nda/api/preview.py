"""Every negative on one's own images, or on frames of a video: `nda preview`, from Python too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nda.api.images import drawn_images
from nda.api.media import holds_video_files
from nda.api.options import options_on, settings_shown
from nda.api.refusals import refuse_preview
from nda.api.settings import PreviewOptions
from nda.data import ImageSet
from nda.data.clips.clip_set import Clips
from nda.data.clips.layout import VIDEO_EXTENSIONS
from nda.data.clips.source import ClipSource
from nda.data.images.textures import give_textures
from nda.data.reading.layout import class_names
from nda.errors import DataError
from nda.negatives.named import negatives_from_list, suited
from nda.report.pictures.grid import save_png
from nda.report.pictures.previews import Preview, drawn, preview_negatives
from nda.runtime.notes import overheard
from nda.runtime.seeding import generator_for
from nda.validators import counted

RESOLUTION = 128  # pixels, as published for DPC


@settings_shown(PreviewOptions, out=None)
def preview(images: Any, **settings: Any) -> Preview:
    """Show negatives on images or a video, as one labelled picture, which notebooks show.

    Args:
        images: folder, .zip of a folder, torchvision:NAME or a video file; or images at hand: a
            tensor uint8 (N, 3, H, H), arrays, pictures of Pillow or a data set of them; at least 2
        settings: those of `nda preview`; the picture is written only if `out` is given

    Returns:
        The picture, and the images and negatives in it, uint8 (N, 3, H, H).

    Raises:
        UserError: settings out of range, images that cannot be used, and none of which a negative
            can be made.

    Examples:
        >>> shown = nda.preview("photos/", negatives="jigsaw,stitch", count=4)
        >>> list(shown.negatives)
        ['jigsaw', 'stitch']
    """
    options, at_hand = options_on(PreviewOptions, images, settings)
    refuse_preview(options, given=at_hand is not None)
    with overheard() as remarks:
        found = previewed(options, at_hand)
    if options.out:
        save_png(found.picture, Path(options.out))
    return replace(found, notes=[*found.notes, *remarks])


def previewed(options: PreviewOptions, images: Any = None) -> Preview:
    """Negatives of the images or of the video that the options name, or of `images`."""
    if images is not None:
        return preview_images(options, images)
    if options.video or options.images.lower().endswith(VIDEO_EXTENSIONS):
        return preview_video(options)
    return preview_images(options)


def preview_images(options: PreviewOptions, images: Any = None) -> Preview:
    """Images in a row, and each negative of them in a row below."""
    asked = negatives_from_list(options.negatives)
    rng = generator_for(options.seed, purpose="preview")
    data = chosen_images(options, rng, images)
    give_textures(options.texture, asked.values(), data.images.shape[-1])
    negatives, refused = suited(asked, data.images)
    found = preview_negatives(data.images, negatives, generator=rng, refused=refused)
    summary = f"{counted(len(data), 'image')}, {counted(len(negatives), 'negative')}"
    return replace(found, summary=summary, notes=data.told)


def chosen_images(options: PreviewOptions, rng: torch.Generator, images: Any = None) -> ImageSet:
    """As many as the options say, in random order; refuses videos (`DataError`)."""
    try:
        return drawn_images(options, rng, images)
    except DataError as error:
        if images is not None or not holds_video_files(options.images):
            raise
        raise DataError(f"{options.images} holds videos; give --video to see one.") from error


def preview_video(options: PreviewOptions) -> Preview:
    """Frames in a row, and each negative of them in a row below: one draw for all frames.

    Of a folder or archive of several videos one is drawn, and another one to be mixed with it; a
    single video is mixed with itself, half its length later.
    """
    asked = negatives_from_list(options.negatives)
    rng = generator_for(options.seed, purpose="preview")
    source = ClipSource(
        options.images,
        options.resolution or RESOLUTION,
        class_names(options.classes),
        skip_broken=options.skip_broken,
        bit_depth=options.bit_depth,
    )
    give_textures(options.texture, asked.values(), source.resolution)
    clips, _ = source.draw(2, generator=rng)
    numbers = evenly_spaced(int(clips.lengths[0]), options.count)
    some = [clips.frames(0, numbers), *_partner(clips, numbers)]
    pair = torch.stack(some)  # (2, T, 3, R, R), or 1 of them
    negatives, refused = suited(asked, pair)
    made = {name: negative(pair, generator=rng)[0] for name, negative in negatives.items()}
    found = drawn(pair[0], made, refused, [f"frame {number + 1:,}" for number in numbers.tolist()])
    return replace(
        found,
        summary=f"{len(numbers)} of {int(clips.lengths[0]):,} frames of {clips.names[0]}, "
        f"{counted(len(negatives), 'negative')}",
    )


def evenly_spaced(length: int, count: int) -> Tensor:
    """At most `count` frames of a video, evenly spaced from the first to the last: int64."""
    return torch.linspace(0, length - 1, min(count, length), dtype=torch.float64).round().long()


def _partner(clips: Clips, numbers: Tensor) -> list[Tensor]:
    """Frames to be mixed in; none where there is but one frame, which is no partner to itself."""
    if len(clips) > 1:
        length = int(clips.lengths[1])
        return [clips.frames(1, numbers * length // int(clips.lengths[0]))]
    return [clips.frames(0, numbers.roll(-(len(numbers) // 2)))] if len(numbers) > 1 else []
