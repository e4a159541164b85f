"""The page of a check: one HTML file that needs no other."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from torch import Tensor

from nda.evaluation.validity.check import CheckedNegative
from nda.evaluation.validity.verdict import GIVEN_AWAY, SEPARATES, VERDICTS
from nda.report.check_table import HEADER, Checked, cells
from nda.report.pages.render import render
from nda.report.pictures.embed import Picture
from nda.report.pictures.grid import image_grid
from nda.report.plots.check_plane import COLOURS, PlacedNegative, plane_figure
from nda.report.plots.svg import inline, themed
from nda.report.words import protocol_words
from nda.runtime.files import write_text_atomically
from nda.validators import counted

_SCALES = (1, 2, 3)  # thumbnails are enlarged so far, for images of 96, 48 and 32 pixels


@dataclass(frozen=True)
class Row:
    """A negative on the page."""

    name: str
    refused: str
    cells: Sequence[str]
    verdict: str
    reason: str
    colour: str
    picture: Picture | None


def write_check_page(out: Path, checked: Checked, command: str) -> Path:
    """Write the page to `out` and give its path; `command` is what to type for the same."""
    rows = [_row(negative) for negative in checked.negatives]
    page = render(
        "check.html",
        title=checked.title,
        verdict=_verdict(rows),
        summary=checked.summary,
        notes=checked.notes,
        header=HEADER,
        rows=rows,
        groups=[
            (
                verdict,
                themed(COLOURS[verdict]),
                [row.name for row in rows if row.verdict == verdict],
            )
            for verdict in VERDICTS
        ],
        plane=_plane(checked.negatives),
        examples=_picture(checked.examples, "held-out images"),
        separates=SEPARATES,
        given_away=GIVEN_AWAY,
        protocol=protocol_words(checked.protocol),
        command=command,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomically(out, page)
    return out


def _row(negative: CheckedNegative) -> Row:
    if negative.judgement is None or negative.examples is None:
        return Row(negative.title, negative.refused, (), "", "", "", None)
    verdict = negative.judgement.verdict
    return Row(
        negative.title,
        "",
        cells(negative)[:-1],
        verdict,
        negative.judgement.reason,
        themed(COLOURS[verdict]),
        _picture(negative.examples, f"{negative.title} of the held-out images"),
    )


def _verdict(rows: Sequence[Row]) -> str:
    good = [row.name for row in rows if row.verdict == "informative"]
    measured = sum(not row.refused for row in rows)
    if good:
        return (
            f"Informative for these images: {', '.join(good)} ({len(good)} of {measured} checked)."
        )
    return f"None of the {counted(measured, 'negative')} checked is shown to be informative here."


def _plane(negatives: Sequence[CheckedNegative]) -> Markup:
    placed = [
        PlacedNegative(row.title, row.found, row.judgement.verdict)
        for row in negatives
        if row.found is not None and row.judgement is not None
    ]
    # Safe: Matplotlib escapes every text it writes into the SVG.
    return Markup(inline(plane_figure(placed)))


def _picture(images: Tensor, caption: str) -> Picture:
    """The images in one line; large ones are shrunk by the browser."""
    scale = max(1, min(_SCALES[-1], 96 // images.shape[-1]))
    image = image_grid(images, len(images), scale=scale)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    uri = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    return Picture(caption, uri, *image.size)
