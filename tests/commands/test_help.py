"""What `--help` says: groups, whole words, and a line to type that is right."""

from __future__ import annotations

import contextlib
import io
import shlex

import pytest

from nda.cli import COMMANDS, main
from nda.commands.examples import EXAMPLES
from nda.commands.help import wrapped
from nda.commands.verbs.data import KINDS
from nda.recipes import RECIPES

PARSED = [
    *(name for name in COMMANDS if name not in ("train", "data")),
    *(f"train {name}" for name in RECIPES),
    *(f"data {name}" for name in KINDS),
]


def help_of(command: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("COLUMNS", "80")
    with contextlib.redirect_stdout(io.StringIO()) as out, pytest.raises(SystemExit) as stop:
        main([*shlex.split(command), "--help"])
    assert stop.value.code == 0
    return out.getvalue().splitlines()


@pytest.mark.parametrize("command", PARSED)
def test_help_has_groups_and_an_example(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = help_of(command, monkeypatch)
    assert lines[0].startswith(f"usage: nda {command} ")
    assert lines[-2:] == ["example:", f"  {EXAMPLES[command]}"]
    assert EXAMPLES[command].startswith(f"nda {command} ")
    assert len(EXAMPLES[command]) <= 98
    # A list of choices is one word, which no width can break.
    assert all(len(line) <= 80 or "{" in line for line in lines[:-1])
    assert "default: null" not in " ".join(lines)


def test_no_example_is_of_something_else() -> None:
    assert set(EXAMPLES) == set(PARSED)


def test_groups_stand_in_the_help_of_a_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = help_of("train gan", monkeypatch)
    order = ["options:", "what is read:", "what is written:", "what it runs on:", "settings:"]
    assert [line for line in lines if line in order] == order
    assert not any("--recipe" in line for line in lines)
    between = lines[lines.index("what it runs on:") : lines.index("settings:")]
    assert any(line.startswith("  --device ") for line in between)
    assert "Without a GPU, and without --config, the defaults are width 8," in " ".join(lines)


def test_words_stay_whole_and_long_ones_break_after_commas() -> None:
    lines = wrapped("a default of 32-true, (default: jigsaw,stitch,horizontal_flip,cutout)", 22)
    assert lines == [
        "a default of 32-true,",
        "(default:",
        "jigsaw,stitch,",
        "horizontal_flip,",
        "cutout)",
    ]
    assert "".join(lines).replace(" ", "") == (
        "adefaultof32-true,(default:jigsaw,stitch,horizontal_flip,cutout)"
    )
