"""The pages of the site: tutorials become notebooks, and the gallery shows every negative."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"
TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))


def hook(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / "hooks" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_is_a_notebook_without_what_only_shows_pictures(page: Path) -> None:
    pytest.importorskip("jupytext")
    text = page.read_text("utf-8")
    cells = hook("tutorials").notebook(text)["cells"]
    code = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    assert len(code) == text.count(" source=")
    assert not any("from shown import" in source for source in code)
    for source in code:
        if not source.startswith("%%bash"):
            compile(source, page.name, "exec")


def test_commands_of_a_tutorial_become_cells_of_the_shell() -> None:
    pytest.importorskip("jupytext")
    page = '# A\n\n```bash exec="on" source="above" workdir="scratch"\nnda --version\n```\n'
    cells = hook("tutorials").notebook(page)["cells"]
    assert [cell["source"] for cell in cells] == ["# A", "%%bash\nnda --version"]


def test_the_gallery_shows_every_negative_and_its_parameters() -> None:
    pytest.importorskip("sklearn")
    shown = hook("shown")
    text = shown.gallery()
    for name in shown.NEGATIVE_NAMES:
        assert f"### `{name}`" in text
    assert "`grid=2`, `seam=hard`" in text
    assert text.count("data:image/png;base64,") == 1 + text.count("### ")


def test_a_negative_without_a_place_in_the_gallery_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("sklearn")
    shown = hook("shown")
    monkeypatch.setattr(shown, "NEGATIVE_NAMES", (*shown.NEGATIVE_NAMES, "fresh"))
    with pytest.raises(ValueError, match="does not show fresh"):
        shown.gallery()


def test_seeds_are_read_from_the_file_of_figures() -> None:
    pytest.importorskip("sklearn")
    rows = hook("shown").dots_table().splitlines()
    assert len(rows) == 12
    assert rows[2] == "| 0 | 32% | 44% |"
