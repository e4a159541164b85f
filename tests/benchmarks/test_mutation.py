"""The mutation runner at its smallest: what it changes, and that it tells what tests notice."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SOURCE = '''"""Words."""
def larger(a: int, b: int = 3) -> int:
    """Words."""
    if not a > b:
        raise ValueError("no" + "words")
    return max(a, b + 1)
'''


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return runpy.run_path(str(BENCHMARKS / "mutation.py"))


def test_each_operator_makes_its_mutant_and_words_are_left_alone(script: dict[str, Any]) -> None:
    assert [each.words for each in script["mutants"](SOURCE)] == [
        "2: 3 -> 4",
        "4: not a > b -> a > b",
        "4: a > b -> a >= b",
        "6: return max(a, b + 1) -> return None",
        "6: max(a, b + 1) -> max(b + 1, a)",
        "6: b + 1 -> b - 1",
        "6: 1 -> 2",
    ]


def test_a_mutant_has_one_change(script: dict[str, Any]) -> None:
    for each in script["mutants"](SOURCE):
        before, after = (ast.unparse(tree).splitlines() for tree in (ast.parse(SOURCE), each.tree))
        assert sum(a != b for a, b in zip(before, after, strict=True)) == 1


def test_faults_are_noticed_by_a_failing_test(script: dict[str, Any], tmp_path: Path) -> None:
    module, test = tmp_path / "mended_module.py", tmp_path / "test_it.py"
    module.write_text("def two() -> int:\n    return 2\n")
    test.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "from mended_module import two\n"
        "def test_two() -> None:\n    assert two() in (2, 4)\n"
    )
    noticed = [
        script["is_noticed"](module, ast.parse(f"def two():\n    return {number}"), [str(test)], 60)
        for number in (2, 4, 3)
    ]
    assert noticed == [False, False, True]
