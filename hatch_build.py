"""What the package says of itself on an index: the README with absolute links, and project URLs.

The README's links and pictures are relative, so that they hold in every clone. An index shows the
page alone. The address of the repository stands once, in pyproject.toml; without one, links to
files become their words and pictures are left out, so that nothing on the index is broken.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

PAPER = "https://arxiv.org/abs/2102.05113"
# An optional ! makes a link a picture; what begins with a scheme or a # is no file of ours.
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)\s]+)\)")


class Addressed(MetadataHookInterface):
    """Fills in `readme` and `urls` of the project."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Called by hatchling with what stands under [project]."""
        repository = self.config["repository"].rstrip("/")
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        tag = f"v{metadata['version']}"
        page = with_addresses(text, repository, tag)
        metadata["readme"] = {"content-type": "text/markdown", "text": page}
        metadata["urls"] = urls(repository, tag)


def with_addresses(text: str, repository: str, tag: str) -> str:
    """The README with links to the files of this release; without a repository, with none."""

    def addressed(link: re.Match[str]) -> str:
        picture, words, path = link.groups()
        if not repository:
            return "" if picture else words
        return f"{picture}[{words}]({repository}/{'raw' if picture else 'blob'}/{tag}/{path})"

    return re.sub(r"\n{3,}", "\n\n", LINK.sub(addressed, text))


def urls(repository: str, tag: str) -> dict[str, str]:
    """The project's URLs; those of the repository where it is known."""
    if not repository:
        return {"Paper": PAPER}
    return {
        "Homepage": repository,
        "Documentation": f"{repository}/blob/{tag}/docs/index.md",
        "Changelog": f"{repository}/blob/{tag}/CHANGELOG.md",
        "Issues": f"{repository}/issues",
        "Paper": PAPER,
    }
