"""The mutation runner at its smallest: what it changes, and that it tells what tests notice."""

from __future__ import annotations

import ast
import json
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
    return max(pow(a, 2), b + 1)
Side = Literal["left", "right"]
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
        "6: return max(pow(a, 2), b + 1) -> return None",
        "6: pow(a, 2) -> pow(2, a)",
        "6: 2 -> 3",
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


def test_what_tests_import_of_others_is_there_for_all_mutants(
    script: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, test = tmp_path / "mended.py", tmp_path / "test_it.py"
    module.write_text("")
    (tmp_path / "of_others.py").write_text("")
    test.write_text("def test_it() -> None:\n    import of_others\n    assert False\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    imported: list[str] = []
    monkeypatch.setitem(script["import_for"].__globals__, "_import", imported.extend)
    assert not script["import_for"](module, [str(test)], 60)
    assert "of_others" in imported
    other = tmp_path / "test_other.py"
    other.write_text("def test_it() -> None: pass\n")
    assert script["import_for"](module, [str(other)], 60)


def test_a_sample_is_drawn_without_repetition_and_is_the_same_for_a_seed(
    script: dict[str, Any],
) -> None:
    found = list(range(100))
    first, again, other = (script["chosen"](found, 1, 10, seed) for seed in ("1", "1", "2"))
    assert first == again == sorted(set(first)) != other
    assert len(first) == 10
    assert set(first) < set(script["chosen"](found, 1, 15, "1"))
    assert script["chosen"](found, 1, 200, "1") == found
    assert script["chosen"](found, 30, None, "1") == [0, 30, 60, 90]


def test_survival_weighs_each_module_by_its_mutants(script: dict[str, Any]) -> None:
    estimate = script["survival"]([(300, 10, 1), (100, 10, 5)])
    assert estimate["share"] == pytest.approx(0.75 * 0.1 + 0.25 * 0.5)
    # Wilson's interval of 10 in 100.
    known = script["survival"]([(1000, 100, 10)])
    assert known == {"share": 0.1, "interval_95": [0.0552, 0.1744]}
    assert script["survival"]([(50, 10, 0)])["interval_95"][0] == 0


def test_every_module_of_the_tables_is_there_and_so_are_its_tests(script: dict[str, Any]) -> None:
    for module, tests in script["TESTS"].items():
        assert script["path_of"](module).is_file(), module
        assert tests, module
        for name in tests:
            assert (BENCHMARKS.parent / "tests" / name).is_file(), name
    assert {*script["ONLY"], *script["EQUIVALENT"]} <= {*script["TESTS"]}


def test_all_negatives_objectives_and_scores_are_in_the_table(script: dict[str, Any]) -> None:
    source = BENCHMARKS.parent / "src" / "nda"
    rooms = ("negatives", "negatives/faults", "objectives")
    for folder in (*rooms, "evaluation/outliers", "evaluation/shortcuts"):
        names = {f"{folder}/{path.stem}" for path in (source / folder).glob("*.py")}
        assert names - {f"{folder}/__init__"} <= {*script["TESTS"]}


def test_what_is_called_equivalent_is_a_mutant_of_its_module(script: dict[str, Any]) -> None:
    for module, named in script["EQUIVALENT"].items():
        found = script["mutants"](script["path_of"](module).read_text(encoding="utf-8"))
        assert {*named} <= {each.change for each in found}, module


def test_killed_mutants_are_not_tried_again(
    script: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def noticed(path: Path, tree: ast.Module, tests: list[str], limit: int) -> bool:
        asked.append(ast.unparse(tree))
        return len(asked) < 3  # the module itself, and the first mutant

    survivors_of = script["survivors_of"]
    monkeypatch.setitem(survivors_of.__globals__, "is_noticed", noticed)
    monkeypatch.setitem(
        survivors_of.__globals__, "import_for", lambda path, *_: noticed(path, ast.parse(""), [], 1)
    )
    tried = script["mutants"](SOURCE)[:3]
    assert survivors_of("training/ema", tried, 1) == tried[1:]
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed] == ["killed", "SURVIVED", "SURVIVED"]
    asked.clear()
    assert survivors_of("training/ema", tried, 1, printed) == tried[2:]
    assert len(asked) == 3
    assert survivors_of("training/ema", tried[:1], 1, printed) == []
    assert len(asked) == 3  # not even the module itself


def test_figures_are_the_same_whether_or_not_an_earlier_run_is_given(
    script: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    main = script["main"]
    monkeypatch.setitem(main.__globals__, "preload", lambda: None)
    monkeypatch.setitem(main.__globals__, "import_for", lambda *_: True)
    monkeypatch.setitem(main.__globals__, "is_noticed", lambda *_: True)
    words = ["--modules", "training/ema", "--sample", "4", "--out"]
    main([*words, str(tmp_path / "one.json")])
    (tmp_path / "log").write_text(capsys.readouterr().out)
    main([*words, str(tmp_path / "two.json"), "--known", str(tmp_path / "log")])
    one, two = (json.loads((tmp_path / f"{n}.json").read_text()) for n in ("one", "two"))
    assert one == two
    assert one["modules"]["training/ema"]["killed"] == 4
