"""`nda configs` lists what comes with the package, and `nda train` takes it by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from nda.api.runs.settings import recipe_settings
from nda.cli import main
from nda.commands.verbs.train import settings_of
from nda.recipes.shipped import FOLDER, shipped


def test_it_lists_all_or_those_of_a_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["configs"]) == 0
    everything = capsys.readouterr().out
    assert all(f"  {each.name} " in everything for each in shipped())
    assert main(["configs", "linear-probe"]) == 0
    some = capsys.readouterr().out
    assert (
        "nda train linear-probe --config NAME --out RUN    (for processors)\n  cpu-cifar10" in some
    )
    assert "nda train gan" not in some


@pytest.mark.parametrize("name", ["gan/cpu-digits-none", "cpu-digits-none"])
def test_it_prints_one(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["configs", name]) == 0
    assert capsys.readouterr().out == (FOLDER / "gan" / "cpu-digits-none.yaml").read_text("utf-8")


def test_a_name_of_two_recipes_or_of_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["configs", "cpu-cifar10-jigsaw"]) == 2  # of gan and of moco
    assert "give gan/cpu-cifar10-jigsaw or moco/cpu-cifar10-jigsaw." in capsys.readouterr().err
    assert main(["configs", "gam"]) == 2
    assert "There is no configuration 'gam'; did you mean 'gan'?" in capsys.readouterr().err


def test_a_name_fills_the_settings_from_both_sides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--config", "cpu-cifar10-stitch", "--out", "run", "--steps", "3"]
    typed, _ = settings_of("gan", words)
    assert (typed.negative, typed.width, typed.steps) == ("stitch", 8, 3)
    given = recipe_settings(
        "gan", config="gan/cpu-cifar10-stitch", full_size=False, out="run", steps=3
    )
    assert given == typed
