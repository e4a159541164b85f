"""The configurations of the package are found by name, from the command line and from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from nda.errors import ConfigError
from nda.recipes import RECIPES
from nda.recipes.shipped import FOLDER, Shipped, settings_file, shipped, with_files

JIGSAW = FOLDER / "gan" / "cpu-cifar10-jigsaw.yaml"


def test_every_file_is_listed_once_and_says_what_it_is() -> None:
    found = shipped()
    assert {each.path for each in found} == set(FOLDER.rglob("*.yaml"))
    assert {each.recipe for each in found} == set(RECIPES)
    for each in found:
        assert each.summary.endswith((".", "?")), each.path
        assert 20 < len(each.summary) < 140, each.path


def test_the_time_is_said_where_processors_take_it() -> None:
    narrow = [each for each in shipped("gan", "moco", "numerosity") if each.for_processors]
    timed = [each.name for each in narrow if " minutes" in each.summary]
    assert {each.name for each in narrow} - set(timed) == {"cpu-digits-jigsaw", "cpu-digits-none"}
    assert all("minutes" not in each.summary for each in shipped() if not each.for_processors)


def test_those_for_processors_come_first_and_recipes_in_their_order() -> None:
    sizes = [each.for_processors for each in shipped("gan")]
    assert sizes == sorted(sizes, reverse=True)
    assert shipped("moco", "gan")[0].recipe == "gan"


def test_a_sentence_over_two_lines_is_taken_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    path.write_text("# A run of\n# two lines. And more.\n# nda train gan\nrecipe: gan\n")
    assert Shipped("gan", path).summary == "A run of two lines."
    path.write_text("# A run\n# nda data dots --out x\nrecipe: gan\n")
    assert Shipped("gan", path).summary == "A run"
    assert not Shipped("gan", path).for_processors


@pytest.mark.parametrize(
    "name",
    [
        "cpu-cifar10-jigsaw",
        "gan/cpu-cifar10-jigsaw",
        "cpu-cifar10-jigsaw.yaml",
        "configs/gan/cpu-cifar10-jigsaw.yaml",  # as results of earlier versions say it
        "./configs/gan/cpu-cifar10-jigsaw.yaml",
        str(JIGSAW),
    ],
)
def test_a_name_means_its_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings_file(name, "gan") == JIGSAW


def test_a_file_that_is_there_goes_before_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cpu-cifar10-jigsaw").write_text("recipe: gan\n")
    assert settings_file("cpu-cifar10-jigsaw", "gan") == Path("cpu-cifar10-jigsaw")
    Path("cpu-cifar10-none").mkdir()  # a run's folder, perhaps
    assert settings_file("cpu-cifar10-none", "gan").is_file()
    Path("other").mkdir()
    with pytest.raises(ConfigError, match="other is a folder, and no run; give a file of sett"):
        settings_file("other", "gan")


def test_the_folder_of_a_run_means_its_settings(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("recipe: gan\n")
    assert settings_file(tmp_path, "gan") == tmp_path / "config.yaml"


def test_what_is_neither_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"'cpu-cifar10-jigsw'; did you mean 'cpu-cifar10-jigsa"):
        settings_file("cpu-cifar10-jigsw", "gan")
    with pytest.raises(ConfigError, match=r"mine\.yaml does not exist; give another --config."):
        settings_file("mine.yaml", "gan")
    with pytest.raises(ConfigError, match="elsewhere/other does not exist"):
        settings_file("elsewhere/other", "gan")
    with pytest.raises(ConfigError, match="of moco, not of gan: nda train moco --config cpu-cifar"):
        settings_file("moco/cpu-cifar10-jigsaw", "gan")


def test_words_are_taken_with_their_file() -> None:
    words = ["--config", "cpu-cifar10-jigsaw", "--out=x", "--config=cpu-cifar10-none", "--config"]
    plain = FOLDER / "gan" / "cpu-cifar10-none.yaml"
    expected = ["--config", str(JIGSAW), "--out=x", f"--config={plain}", "--config"]
    assert list(with_files(words, "gan")) == expected
