"""What the package says of itself on an index holds there: no link to a file that is not shown."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
AT = "https://host.example/owner/nda"
README = (ROOT / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    """hatch_build.py, which otherwise a build alone imports."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def relative(text: str) -> list[str]:
    return re.findall(r"\]\((?!https://|#)([^)]*)\)", text)


def test_links_and_pictures_get_the_address_of_the_release(hook: ModuleType) -> None:
    said = "![a](docs/a.png) and [b](docs/b.md#c), [d](https://e.example/f) [g](#g)"
    assert hook.with_addresses(said, AT, "v1.2") == (
        f"![a]({AT}/raw/v1.2/docs/a.png) and [b]({AT}/blob/v1.2/docs/b.md#c), "
        "[d](https://e.example/f) [g](#g)"
    )


def test_without_an_address_words_stay_and_pictures_go(hook: ModuleType) -> None:
    said = "![a](docs/a.png)\n\nsee [b](docs/b.md), [d](https://e.example/f)"
    assert hook.with_addresses(said, "", "v1.2").strip() == "see b, [d](https://e.example/f)"


@pytest.mark.parametrize("repository", ["", AT])
def test_no_link_of_the_readme_stays_relative(hook: ModuleType, repository: str) -> None:
    assert len(relative(README)) > 20
    page = hook.with_addresses(README, repository, "v0.1.0")
    assert relative(page) == []
    assert len(re.findall(r"\]\(https://", page)) >= (len(relative(README)) if repository else 1)


def test_every_file_that_the_readme_links_to_is_there() -> None:
    assert [path for path in relative(README) if not (ROOT / path.split("#")[0]).exists()] == []


@pytest.mark.parametrize(("repository", "known"), [("", {"Paper"}), (AT + "/", None)])
def test_the_project_has_urls(hook: ModuleType, repository: str, known: set[str] | None) -> None:
    metadata: dict[str, Any] = {"version": "0.1.0"}
    hook.Addressed(str(ROOT), {"repository": repository}).update(metadata)
    assert metadata["readme"]["content-type"] == "text/markdown"
    assert set(metadata["urls"]) == (
        known or {"Homepage", "Documentation", "Changelog", "Issues", "Paper"}
    )
    for address in metadata["urls"].values():
        assert address.startswith("https://")
        assert "//" not in address.removeprefix("https://")
