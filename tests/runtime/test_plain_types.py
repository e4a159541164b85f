"""Plain values of the wrong type are named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from nda.runtime.plain_types import wrong_type


@dataclass
class Some:
    steps: int
    lr: float
    name: str
    on: bool
    kind: Literal["a", "b"]
    side: int | None
    rest: list[str]
    counts: dict[str, list[int]]


GOOD: dict[str, Any] = {
    "steps": 1, "lr": 2, "name": "x", "on": False, "kind": "a", "side": None, "rest": ["y"],
    "counts": {"a": [1]},
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, ""),
        ({"side": 4, "lr": 0.5, "kind": "b"}, ""),
        ({"steps": "many"}, "steps is 'many', but a whole number was expected"),
        ({"steps": True}, "steps is 'True', but a whole number was expected"),
        ({"steps": 1.5}, "steps is '1.5', but a whole number was expected"),
        ({"lr": "fast"}, "lr is 'fast', but a number was expected"),
        ({"lr": False}, "lr is 'False', but a number was expected"),
        ({"name": ["x"]}, "name is \"['x']\", but text was expected"),
        ({"name": None}, "name is 'None', but text was expected"),
        ({"on": "yes"}, "on is 'yes', but true or false was expected"),
        ({"kind": "c"}, "kind is 'c', but one of a, b was expected"),
        ({"kind": {}}, "kind is '{}', but one of a, b was expected"),
        ({"side": "x"}, "side is 'x', but a whole number or null was expected"),
        ({"counts": {}}, ""),
        ({"counts": {1: [1]}}, "counts is '{1: [1]}', but names with values was expected"),
        (
            {"counts": {"a": [None]}},
            "counts is \"{'a': [None]}\", but names with values was expected",
        ),
        ({"counts": [1]}, "counts is '[1]', but names with values was expected"),
        ({"steps": 2**63}, f"steps is '{2**63}', but a whole number was expected"),
        ({"lr": float("nan")}, "lr is 'nan', but a number was expected"),
        ({"lr": -float("inf")}, "lr is '-inf', but a number was expected"),
        ({"lr": 10**400}, f"lr is '1{'0' * 59}', but a number was expected"),
        ({"rest": "y"}, "rest is 'y', but a list was expected"),
        ({"rest": [1]}, "rest is '[1]', but a list was expected"),
        ({"name": "x" * 90, "on": "x" * 90}, f"on is '{'x' * 60}', but true or false was expected"),
    ],
    ids=str,
)
def test_values_of_another_type_are_named(change: dict[str, Any], message: str) -> None:
    found = wrong_type(GOOD | change, Some)
    assert found.endswith(message)
    assert bool(found) == bool(message)


def test_what_is_not_there_is_of_no_type() -> None:
    assert wrong_type({"steps": 1, "foreign": "x"}, Some) == ""
