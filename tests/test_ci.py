"""The checks name files that are there: a test that moved would be missed only when they run."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_checks_call_the_test_command_of_the_readme() -> None:
    (told,) = re.findall(r"^(.*pytest.*?) +#", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert told in (ROOT / ".ci" / "run").read_text().splitlines()


def test_what_runs_with_the_lowest_versions_is_there() -> None:
    (line,) = [
        line
        for line in (ROOT / ".ci" / "run").read_text().splitlines()
        if line.startswith(".ci/lowest")
    ]
    places = []
    for word in line.split()[1:]:
        head, _, names = word.partition("{")
        inside, _, tail = names.partition("}")
        places += [head + name + tail for name in inside.split(",")]
    assert len(places) > 2
    assert [place for place in places if not (ROOT / place).exists()] == []
    assert all(re.match(r"tests/", place) for place in places)
