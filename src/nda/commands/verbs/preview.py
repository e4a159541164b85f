"""`nda preview IMAGES`: every negative on the user's own images, or on a video."""

from __future__ import annotations

import sys

from nda.api.refusals import refuse_preview
from nda.api.settings import PreviewOptions
from nda.commands.parser import parse


def preview(words: list[str]) -> int:
    """Write the picture."""
    options = parse(words, PreviewOptions, command="preview", positional="images")
    refuse_preview(options)

    from pathlib import Path

    from nda.api.preview import previewed
    from nda.report.pictures.grid import save_png

    found = previewed(options)
    left_out = [f"{name} is left out: {why}" for name, why in found.refused.items()]
    for note in (*found.notes, *left_out):
        print(f"nda: {note}", file=sys.stderr)
    save_png(found.picture, Path(options.out))
    print(f"{found.summary}: {options.out}")
    return 0
