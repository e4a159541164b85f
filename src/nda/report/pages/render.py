"""A page from its template: one HTML file that needs no other, and asks for nothing."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from nda.report import words as wording
from nda.report.tables import in_cell


def render(template: str, **variables: Any) -> str:
    """A template of this package with everything in it escaped."""
    environment = Environment(
        loader=PackageLoader("nda.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "breakable": _breakable,
        "direction": wording.direction,
        "in_cell": in_cell,
        "is_numeric": wording.is_numeric,
        "number": wording.number,
        "percent": wording.percent,
        "protocol": wording.protocol_words,
        "setting": wording.setting,
    }
    ours, digest = script("page.js")
    environment.globals |= {"script": ours, "script_digest": digest}
    return environment.get_template(template).render(**variables)


def script(name: str) -> tuple[Markup, str]:
    """A script of this package and its digest, by which a page allows it and no other."""
    text = files("nda.report").joinpath("templates", name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Markup(text), f"sha256-{digest}"  # safe: it is ours


def _breakable(text: str) -> Markup:
    """Text that may break after each slash, as a long path should."""
    return Markup("/<wbr>").join(escape(part) for part in text.split("/"))
