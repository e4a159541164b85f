"""Tutorials run while the site is built, each in a folder of its own, and become notebooks.

A fenced block with `exec` is run by markdown-exec; `workdir="scratch"` stands for the folder of its
page. Blocks that only show a picture are left out of the notebook, where the reader has the file.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import jupytext  # type: ignore[import-untyped]

_SCRATCH: dict[str, tempfile.TemporaryDirectory[str]] = {}
_HIDDEN = re.compile(r"^```\w+ exec=(?:(?!source=).)*?\n.*?^```\n", re.M | re.S)
_FENCE = re.compile(r"^```(\w+) exec=.*$", re.M)


def on_config(config: Any) -> Any:
    """Let the blocks of a page import `shown`."""
    sys.path.append(str(Path(__file__).parent))
    return config


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Give the blocks of a page their folder."""
    if 'workdir="scratch"' not in markdown:
        return markdown
    scratch = _SCRATCH[page.file.src_uri] = tempfile.TemporaryDirectory(prefix="nda-")
    return markdown.replace('workdir="scratch"', f'workdir="{scratch.name}"')


def on_post_page(output: str, *, page: Any, config: Any, **_: Any) -> str:
    """Write the notebook beside a tutorial's page, which links to it."""
    source = page.file.src_uri
    if scratch := _SCRATCH.pop(source, None):
        scratch.cleanup()
    if source.startswith("tutorials/"):
        text = Path(page.file.abs_src_path).read_text("utf-8")
        written = Path(config.site_dir) / Path(source).with_suffix(".ipynb")
        written.parent.mkdir(parents=True, exist_ok=True)
        jupytext.write(notebook(text), written)
    return output


def notebook(text: str) -> Any:
    """A tutorial's text and code as cells; its commands become cells of the shell."""
    plain = _FENCE.sub(r"```\1", _HIDDEN.sub("", text))
    plain = re.sub(r"^```bash\n(.*?)^```", r"```python\n%%bash\n\1```", plain, flags=re.M | re.S)
    return jupytext.reads(plain, fmt="md")
