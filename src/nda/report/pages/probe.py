"""The page of a probe: one HTML file that needs no other."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from markupsafe import Markup
from PIL import Image

from nda.evaluation.record import Histogram, Metric, Protocol
from nda.report.figures import write_figures
from nda.report.pages.plots import Drawing
from nda.report.pages.render import render
from nda.report.pictures.embed import Picture
from nda.report.plots.curves import histogram_figure
from nda.report.plots.svg import inline
from nda.report.probe_table import ProbeTable
from nda.report.shortcut_table import Audited
from nda.report.verdicts import headline, metric_verdict
from nda.report.words import protocol_words
from nda.runtime.files import write_text_atomically


@dataclass(frozen=True)
class Probed:
    """A model and what its probe found."""

    title: str
    summary: str
    notes: list[str]  # what the reader has to know before the figures
    protocol: Protocol
    table: ProbeTable
    metrics: Sequence[Metric]
    histograms: Sequence[Histogram]
    examples: Image.Image  # images and their negatives
    caption: str = "Images and the negatives made of them"
    audits: Sequence[Audited] = ()  # of scores of images: structure, or seams?


def write_probe_page(out: Path, probed: Probed, command: str) -> Path:
    """Write the page to `out` and give its path; `command` is what to type for the same."""
    page = render(
        "probe.html",
        title=probed.title,
        verdict=_verdict(probed),
        summary=probed.summary,
        notes=probed.notes,
        audits=probed.audits,
        table=probed.table,
        examples=_picture(probed.examples, probed.caption),
        histograms=[_drawing(histogram) for histogram in probed.histograms],
        protocol=protocol_words(probed.protocol),
        command=command,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomically(out, page)
    return out


def write_probe_figures(path: Path, probed: Probed, command: str) -> Path:
    """Keep what was measured as JSON, with what to type to measure it again."""
    content = {
        "command": command,
        "summary": probed.summary,
        "notes": probed.notes,
        "protocol": probed.protocol,
        "not_measured": {row.name: row.refused for row in probed.table.rows if row.refused},
        "audits": [audited.as_dict() for audited in probed.audits],
        "metrics": [asdict(metric) for metric in probed.metrics],
        "histograms": [asdict(histogram) for histogram in probed.histograms],
    }
    write_figures(path, content)
    return path


def _verdict(probed: Probed) -> str:
    if probed.audits:
        return " ".join(audited.sentence for audited in probed.audits)
    metric = headline(probed.metrics) or next(iter(probed.metrics), None)
    return metric_verdict(metric) if metric else "No negative suits these images: nothing is known."


def _drawing(histogram: Histogram) -> Drawing:
    # Safe: Matplotlib escapes every text it writes into the SVG.
    return Drawing(histogram.title, "", Markup(inline(histogram_figure([("", histogram)]))))


def _picture(image: Image.Image, caption: str) -> Picture:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    uri = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    return Picture(caption, uri, *image.size)
