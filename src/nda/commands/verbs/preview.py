"""`nda preview IMAGES`: every negative on the user's own images, or on a video."""

from __future__ import annotations

from nda.api.places import ready_outputs, refuse_missing
from nda.api.settings import PreviewOptions
from nda.bit_depths import check_bit_depth
from nda.commands.parser import parse
from nda.errors import ConfigError
from nda.validators import at_least


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

    from nda.api.preview import preview_images, preview_video
    from nda.data.clips.layout import VIDEO_EXTENSIONS

    if options.video or options.images.lower().endswith(VIDEO_EXTENSIONS):
        return preview_video(options)
    return preview_images(options)
