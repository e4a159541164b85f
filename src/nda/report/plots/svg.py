"""The style of the figures, and SVG text of which several fit into one page."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.figure import Figure

WIDTH = 4.6  # inches; at 10 pt the text is still some 11 pixels high on a phone of 360 pixels

# Okabe and Ito's palette, in an order in which neighbours differ for every colour vision.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")

# What figures are drawn with, and the name that a page's style sheet has for it in light and dark.
THEME = {
    "#ffffff": "paper", "#222222": "ink", "#555555": "line", "#666666": "quiet", "#888888": "faint",
    "#999999": "faint", "#e4e4e4": "grid",
    **{colour.lower(): f"series-{number}" for number, colour in enumerate(PALETTE, 1)},
}  # fmt: skip

_STYLE: Any = {  # newer releases of Matplotlib type the names, older ones do not
    "axes.edgecolor": "#555555",
    "axes.labelcolor": "#222222",
    "axes.labelsize": 10,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Helvetica", "Arial"],
    "font.size": 10,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "lines.linewidth": 1.4,
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and copied
    "svg.hashsalt": "nda",  # the same figure gives the same bytes
    "text.parse_math": False,  # labels are names of runs, which may hold a dollar sign
    "xtick.color": "#555555",
    "xtick.labelcolor": "#222222",
    "xtick.labelsize": 9,
    "xtick.major.width": 0.6,
    "ytick.color": "#555555",
    "ytick.labelcolor": "#222222",
    "ytick.labelsize": 9,
    "ytick.major.width": 0.6,
}

_TAG = re.compile(r"<[^>]*>")
_STYLED = re.compile(r'style="[^"]*"')
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_REFERENCE = re.compile(r'(?:url\(#|href="#)([^")]+)')


@contextmanager
def paper_style() -> Iterator[None]:
    """Matplotlib's settings for one figure, from its making to its SVG."""
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # The reader's browser has the glyphs of other scripts even where DejaVu Sans has not.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def to_svg(figure: Figure) -> str:
    """The figure as an SVG document without metadata, whose ids clash with no other figure's."""
    buffer = io.StringIO()
    unknown = {"Creator": None, "Date": None, "Format": None, "Type": None}
    figure.savefig(buffer, format="svg", metadata=unknown)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]  # no XML declaration, no document type
    used = set(_REFERENCE.findall(text))

    def without_idle_ids(tag: re.Match[str]) -> str:
        return re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", tag[0])

    # Matplotlib numbers parts through the process: what is not referred to must not tell apart.
    text = _TAG.sub(without_idle_ids, text).strip()
    prefix = "f" + hashlib.sha256(text.encode()).hexdigest()[:10]

    def with_own_ids(tag: re.Match[str]) -> str:
        own = re.sub(r' id="', rf"\g<0>{prefix}-", tag[0])
        return re.sub(r'(url\(#|href="#)', rf"\g<1>{prefix}-", own)

    return _TAG.sub(with_own_ids, text)


def inline(svg: str) -> str:
    """SVG text for the inside of an HTML page, where namespaces are not declared.

    Its colours are those of the page's style sheet, which knows light and dark.
    """
    head, end, body = svg.partition(">")
    head = re.sub(r'\s+xmlns(:\w+)?="[^"]*"', "", head)

    def styled(style: re.Match[str]) -> str:
        return _COLOUR.sub(lambda colour: themed(colour[0]), style[0])

    return head + end + _STYLED.sub(styled, body)


def themed(colour: str) -> str:
    """A colour of figures as a style sheet's, which knows light and dark."""
    name = THEME.get(colour.lower())
    return f"var(--chart-{name}, {colour})" if name else colour
