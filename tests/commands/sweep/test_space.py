"""The file of a search space: what it may hold, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from nda.commands.sweep.space import Choice, Range, fitted, read_space, words_of
from nda.errors import ConfigError
from nda.recipes.gan.config import GanConfig


def written(folder: Path, text: str) -> str:
    path = folder / "space.yaml"
    path.write_text(text)
    return str(path)


def test_lists_are_choices_and_low_and_high_a_range(tmp_path: Path) -> None:
    text = (
        "fake-weight: {low: 0.1, high: 0.9}\nlr_d: {low: 1e-5, high: 1e-3, log: true}\n"
        "d_steps: {low: 1, high: 4}\nnegative: [none, jigsaw]\nconditional: [true, false]\n"
    )
    assert read_space(written(tmp_path, text)) == {
        "fake_weight": Range(0.1, 0.9, log=False, whole=False),
        "lr_d": Range(1e-5, 1e-3, log=True, whole=False),
        "d_steps": Range(1, 4, log=False, whole=True),
        "negative": Choice(("none", "jigsaw")),
        "conditional": Choice((True, False)),
    }


def test_values_are_words_of_the_command_line() -> None:
    values = {"a": True, "b": None, "c": 1e-05, "d": "jigsaw:grid=4", "e": 3}
    assert words_of(values) == ["--a=true", "--b=null", "--c=1e-05", "--d=jigsaw:grid=4", "--e=3"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no lines of 'name: values'"),
        ("- a\n- b\n", "holds no lines of 'name: values'"),
        ("a: [1\n", "is no YAML"),
        ("a: [1, 2]\na: [3]\n", "'a' is given twice"),
        ("a: 3\n", "a is 3 in the space; give a list of values, or {low"),
        ("a: []\n", "a is [] in the space"),
        ("a: {low: 1}\n", "a is {'low': 1} in the space"),
        ("a: {low: 2, high: 1}\n", "a goes from 2 to 1 in the space; low and high are numbers"),
        ("a: {low: x, high: 1}\n", "a goes from 'x' to 1"),
        ("a: {low: 0, high: 1, log: true}\n", "a begins at 0, which has no logarithm"),
        ("a: [jigsaw, jigsaw]\n", "a has a value twice"),
        ("a-b: [1, 2]\na_b: [3, 4]\n", "a_b stands in the space twice; remove one."),
        ("evaluate-every: [1, 2]\n", "evaluate_every stands in the space, and a search leaves it"),
        ("full_size: [true, false]\n", "full_size stands in the space"),
        ("seed: [1, 2]\n", "seed stands in the space, and a search leaves it as it is"),
    ],
)
def test_what_is_no_space_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        read_space(written(tmp_path, text))
    assert said in str(refused.value)


def test_whole_ends_of_what_is_no_whole_number_hold_all_between() -> None:
    space = {name: Range(0, 1, log=False, whole=True) for name in ("fake_weight", "resolution")}
    assert fitted({**space, "negative": Choice(("none",))}, GanConfig) == {
        "fake_weight": Range(0.0, 1.0, log=False, whole=False),
        "resolution": space["resolution"],
        "negative": Choice(("none",)),
    }


@pytest.mark.parametrize("name", ["negative", "conditional", "objective"])
def test_a_range_of_what_is_no_number_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name} goes from 0.5 to 3 in the space, and is no nu"):
        fitted({name: Range(0.5, 3.0, log=False, whole=False)}, GanConfig)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--space .* does not exist; give a YAML file"):
        read_space(str(tmp_path / "none.yaml"))
