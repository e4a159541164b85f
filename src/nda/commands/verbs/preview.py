"""`nda preview IMAGES`: every negative on the user's own images, or on a video."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from nda.bit_depths import check_bit_depth
from nda.commands.parser import parse
from nda.commands.places import ready_outputs, refuse_missing
from nda.errors import ConfigError, DataError
from nda.numerals import counted
from nda.training.config import at_least

# The negatives of global structure, with controls; and that of the anomaly recipe, which is local.
STRUCTURAL = (
    "jigsaw", "stitch", "cutout", "cutmix", "mixup", "horizontal_flip", "random_crop",
    "gaussian_noise",
)  # fmt: skip
PREVIEWED = (*STRUCTURAL, "blemish")


@dataclass(frozen=True)
class PreviewOptions:
    """Show every negative on your own images or video, as one labelled picture.

    Args:
        images: folder, .zip of a folder, or torchvision:NAME; or a video file
        out: .png file to write
        overwrite: replace files that are there
        count: images to show, or frames of the video; at least 2
        negatives: what to show, separated by commas, such as jigsaw:grid=4,stitch
        resolution: side in pixels to bring the images to; needed where they differ in size
        classes: classes to use, separated by commas; all of them where none is given
        seed: seed of the choice of images and of the negatives
        skip_broken: skip unreadable images in place of refusing them
        bit_depth: bits of the numbers in files of more than 8, such as 12 for a camera of 12 in 16
        video: take a folder or .zip as videos: folders of frames, or video files
    """

    images: str
    out: str = "negatives.png"
    overwrite: bool = False
    count: int = 8
    negatives: str = ",".join(PREVIEWED)
    resolution: int | None = None
    classes: str | None = None
    seed: int = 0
    skip_broken: bool = False
    bit_depth: int | None = None
    video: bool = False


def preview(words: list[str]) -> int:
    """Write the picture."""
    options = parse(words, PreviewOptions, command="preview", positional="images")
    at_least(options, "seed", 0)
    check_bit_depth(options.bit_depth)
    if options.count < 2:
        raise ConfigError(f"count is {options.count}; stitch and mixup need at least 2 images.")
    if not options.out.endswith(".png"):
        raise ConfigError(f"--out {options.out} must end in .png; the picture is a PNG file.")
    refuse_missing(options, "images")

    ready_outputs(options, source=options.images)

    from nda.data.clips.layout import VIDEO_EXTENSIONS

    if options.video or options.images.lower().endswith(VIDEO_EXTENSIONS):
        from nda.commands.preview_clips import preview_video

        return preview_video(options)
    return preview_images(options)


def preview_images(options: PreviewOptions) -> int:
    """Images in a row, and each negative of them in a row below."""
    from pathlib import Path

    import torch

    from nda.commands.media import holds_video_files
    from nda.data.images.load import load_images
    from nda.data.reading.layout import class_names
    from nda.negatives.named import negatives_from_list, suited
    from nda.report.pictures.grid import image_grid, refuse_large_picture, save_png
    from nda.runtime.seeding import generator_for

    negatives = negatives_from_list(options.negatives)
    draws = generator_for(options.seed, purpose="preview")
    try:
        data = load_images(
            options.images,
            resolution=options.resolution,
            classes=class_names(options.classes),
            skip_broken=options.skip_broken,
            bit_depth=options.bit_depth,
            most=options.count,
            generator=draws,
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
    rows = [chosen, *(negative(chosen, generator=draws) for negative in negatives.values())]
    labels = ["real", *(name.replace("_", " ") for name in negatives)]
    grid = image_grid(torch.cat(rows), len(chosen), row_labels=labels)
    save_png(grid, Path(options.out))
    print(f"{counted(len(chosen), 'image')}, {counted(len(negatives), 'negative')}: {options.out}")
    return 0


def tell_refused(refused: dict[str, str]) -> None:
    """Say which negatives the picture leaves out, and why."""
    for name, why in refused.items():
        print(f"nda: {name} is left out: {why}", file=sys.stderr)
