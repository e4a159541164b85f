"""`nda preview IMAGES`: every negative on the user's own images, or on a video."""

from __future__ import annotations

import sys

from nda.bit_depths import check_bit_depth
from nda.commands.arguments import PreviewOptions
from nda.commands.parser import parse
from nda.commands.places import ready_outputs, refuse_missing
from nda.errors import ConfigError, DataError
from nda.validators import at_least, counted


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
