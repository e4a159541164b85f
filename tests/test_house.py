"""The shape of the house: who may know whom, how large a room may be, and where names may stand."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from nda.recipes import RECIPES

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((SOURCE / "nda").rglob("*.py"))
}

# A room may import from those in earlier rows, and from its own.
FLOORS = (
    {"errors", "extras", "validators", "bit_depths"},
    {"runtime"},
    {"negatives", "objectives", "networks"},
    {"data"},
    {"evaluation"},
    {"training"},
    {"report"},
    {"recipes"},
    {"export"},
    {"api"},
    {"serve"},
    {"commands"},
    {"cli", "completion", "__main__"},
)
HEIGHT = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}


def imported(path: Path) -> Iterator[str]:
    """The modules of ours that a file imports anywhere, for types too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "nda":
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else str(node.module)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)


IMPORTS = {
    module: {other for other in imported(path) if other != module}
    for module, path in MODULES.items()
}


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def test_no_file_imports_from_a_higher_room() -> None:
    wrong = [
        f"{module} -> {other}"
        for module, others in IMPORTS.items()
        for other in others
        if room(module) and room(other) and HEIGHT[room(other)] > HEIGHT[room(module)]
    ]
    assert wrong == []


def test_no_files_import_each_other_in_a_circle_even_for_types() -> None:
    assert [sorted(circle) for circle in circles(IMPORTS) if len(circle) > 1] == []


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Strongly connected components: sets of files each of which reaches each other one."""
    back: dict[str, set[str]] = defaultdict(set)
    for module, others in graph.items():
        for other in others:
            back[other].add(module)
    found: list[set[str]] = []
    for module in graph:
        if not any(module in circle for circle in found):
            found.append(_reached(module, graph) & _reached(module, back))
    return found


def _reached(start: str, edges: dict[str, set[str]]) -> set[str]:
    seen, todo = {start}, [start]
    while todo:
        new = edges.get(todo.pop(), set()) - seen
        seen |= new
        todo += new
    return seen


def test_a_circle_is_found() -> None:
    assert {"a", "b"} in circles({"a": {"b"}, "b": {"a", "c"}, "c": set()})


def test_no_folder_holds_more_than_sixteen_files() -> None:
    files = Counter(path.parent for path in MODULES.values() if path.name != "__init__.py")
    assert {str(folder): count for folder, count in files.items() if count > 16} == {}


def test_no_file_has_more_than_300_lines() -> None:
    lines = {str(path): path.read_text(encoding="utf-8").count("\n") for path in MODULES.values()}
    assert {path: count for path, count in lines.items() if count > 300} == {}


EQUAL = 8  # lines that two places may share


def repeated(texts: dict[str, str]) -> list[list[str]]:
    """Places that share more lines than that; imports, comments and lone marks do not count."""
    places: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, text in texts.items():
        lines = [line.strip() for line in text.splitlines()]
        kept = [
            (number, line)
            for number, line in enumerate(lines, 1)
            if len(line) > 2 and not line.startswith(("#", "from ", "import "))
        ]
        for first in range(len(kept) - EQUAL):
            run = kept[first : first + EQUAL + 1]
            places[tuple(line for _, line in run)].append(f"{name}:{run[0][0]}")
    return [where for where in places.values() if len(where) > 1]


def test_no_two_places_share_more_than_eight_lines() -> None:
    texts = {str(path): path.read_text(encoding="utf-8") for path in MODULES.values()}
    assert repeated(texts) == []


def test_a_repetition_is_found() -> None:
    lines = [f"line_{number}()" for number in range(9)]
    texts = {"a": "\n".join(lines), "b": "import c\n    " + "\n    # why\n\n    ".join(lines)}
    assert repeated(texts) == [["a:1", "b:2"]]
    assert repeated({"a": texts["a"], "b": "\n".join(lines[1:])}) == []


def test_recipes_are_named_in_their_table_and_their_own_settings_alone() -> None:
    names = {*RECIPES, *(name.replace("-", "_") for name in RECIPES)}
    table = MODULES["nda.recipes"]
    strings = [
        f"{path}:{node.lineno} {node.value}"
        for path in MODULES.values()
        if path != table and not (path.name == "config.py" and "recipes" in path.parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in names
    ]
    assert strings == []


LIGHT = sorted(
    module
    for module in MODULES
    if module.startswith(("nda.commands.verbs", "nda.recipes"))
    and (module.endswith(".config") or "verbs" in module)
)


@pytest.mark.parametrize("heavy", ["torch", "numpy", "matplotlib"])
def test_words_are_parsed_without_anything_heavy(heavy: str) -> None:
    names = ["nda.cli", "nda.recipes", "nda.commands.parser", "nda.api.settings", *LIGHT]
    script = f"import sys, {', '.join(names)}; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
