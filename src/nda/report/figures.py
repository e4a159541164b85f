"""Figures as JSON, for whoever reckons on with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from nda.runtime.files import write_text_atomically


def write_figures(path: Path, content: Mapping[str, object]) -> None:
    """Write them, in a folder that is made where there is none; refuses what is not finite."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomically(path, json.dumps(content, indent=1, allow_nan=False) + "\n")
