"""From words to typed options, and from mistakes to one sentence."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from nda.api.page_settings import CompareOptions
from nda.api.settings import PreviewOptions, ScoreOptions
from nda.commands.parser import parse
from nda.errors import ConfigError
from nda.recipes.gan.config import GanConfig

NEEDED = ["--data", "images", "--out", "run"]


def gan(*words: str) -> GanConfig:
    return parse(list(words), GanConfig, command="train gan", config_file=True)


def preview(*words: str) -> PreviewOptions:
    return parse(list(words), PreviewOptions, command="preview", positional="images")


def test_defaults_are_those_of_the_dataclass() -> None:
    assert gan(*NEEDED) == GanConfig(data="images", out="run")


@pytest.mark.parametrize("value", ["-1", "-0.5", "-1e-05", "-1.5e+3"])
def test_a_negative_number_is_a_value_and_no_option(value: str) -> None:
    words = ["run", "images", "--threshold", value]
    options = parse(words, ScoreOptions, command="score", positional=("run", "images"))
    assert options.threshold == float(value)


def test_dashes_and_underscores_are_alike() -> None:
    for words in (["--fake-weight", "0.5"], ["--fake_weight=0.5"], ["--fake-weight=0.5"]):
        assert gan(*NEEDED, *words).fake_weight == 0.5
    assert gan("--data", "my-images", "--out=a-b").data == "my-images"


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["--skip_broken"], True),
        (["--skip-broken", "--width", "8"], True),
        (["--skip_broken", "true"], True),
        (["--skip_broken", "false"], False),
        (["--skip_broken=false"], False),
    ],
)
def test_a_flag_may_stand_alone(words: list[str], value: bool) -> None:
    assert gan(*NEEDED, *words).skip_broken is value


def test_a_flag_does_not_swallow_what_follows() -> None:
    options = preview("--skip_broken", "images")
    assert (options.images, options.skip_broken) == ("images", True)


def test_a_positional_may_be_several() -> None:
    words = ["a", "b", "c", "--out", "page.html"]
    options = parse(words, CompareOptions, command="compare", positional="runs", several=True)
    assert options == CompareOptions(runs=["a", "b", "c"], out="page.html")


@dataclass(frozen=True)
class TwoOptions:
    """Two fields that are given without their names.

    Args:
        first: what comes first
        second: what comes next
        third: an option
    """

    first: str
    second: str
    third: int = 3


def two(*words: str) -> TwoOptions:
    return parse(list(words), TwoOptions, command="two", positional=("first", "second"))


def test_positionals_may_have_several_names() -> None:
    assert two("a", "b") == TwoOptions("a", "b")
    assert two("a", "--third", "4", "b") == TwoOptions("a", "b", third=4)
    assert two("--third=4", "a:b", "c") == TwoOptions("a:b", "c", third=4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Missing: FIRST, SECOND. '--help' explains what it is."),
        (["a"], "Missing: SECOND. '--help' explains what it is."),
        (["a", "b", "c"], "'c' stands alone; a setting is given as --NAME VALUE."),
        (["a", "b", "--thrid", "4"], "There is no setting 'thrid'; did you mean 'third'?"),
    ],
)
def test_mistakes_with_several_positionals(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        two(*words)
    assert str(caught.value).startswith(message)


def test_help_explains_each_positional(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        two("--help")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" (")[0].split(None, 1) for line in lines if "what comes" in line] == [
        ["FIRST", "what comes first"],
        ["SECOND", "what comes next"],
    ]


def test_words_go_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("recipe: gan\ndata: there\nwidth: 16\nlr_d: 1.0e-3\nconditional: true\n")
    config = gan("--config", str(path), "--out", "run", "--width", "8")
    assert (config.data, config.width, config.lr_d) == ("there", 8, 1e-3)
    assert config.conditional is True


@pytest.mark.parametrize("place", [0, 2, 4, 6])
def test_what_is_typed_goes_over_the_file_wherever_it_stands(tmp_path: Path, place: int) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("data: there\nwidth: 16\nconditional: true\nclasses: cat\n")
    words = ["--data", "here", "--width", "8", "--conditional=false", "--out=run"]
    for file in (["--config", str(path)], [f"--config={path}"]):
        config = gan(*words[:place], *file, *words[place:])
        assert (config.data, config.width, config.conditional) == ("here", 8, False)
        assert config.classes == "cat"


def test_of_two_files_the_later_one_counts_and_of_two_words(tmp_path: Path) -> None:
    for name, width in (("one", 16), ("two", 32)):
        (tmp_path / name).write_text(f"width: {width}\nd_steps: {width}\n")
    files = [f"--config={tmp_path / name}" for name in ("one", "two")]
    assert gan(files[0], *NEEDED, files[1]).width == 32
    config = gan(*NEEDED, "--width", "4", files[0], "--width", "5", files[1])
    assert (config.width, config.d_steps) == (5, 32)


def test_print_config_gives_a_file_that_is_read_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        gan(*NEEDED, "--negative", "mixup", "--print_config")
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert yaml.safe_load(text)["negative"] == "mixup"
    (tmp_path / "printed.yaml").write_text(text)
    expected = GanConfig(data="images", out="run", negative="mixup")
    assert gan("--config", str(tmp_path / "printed.yaml")) == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Missing: --data, --out. '--help' explains what it is."),
        (["--data", "images"], "Missing: --out. '--help' explains what it is."),
        (
            [*NEEDED, "--fake_wieght", "0.5"],
            "There is no setting 'fake_wieght'; did you mean 'fake_weight'? "
            "'--help' lists them all.",
        ),
        (
            [*NEEDED, "--zzz=1"],
            "There is no setting 'zzz'. '--help' lists them all.",
        ),
        ([*NEEDED, "stray"], "'stray' stands alone; a setting is given as --NAME VALUE."),
        ([*NEEDED, "--steps", "many"], "steps is 'many', but a whole number was expected."),
        ([*NEEDED, "--steps", "1.5"], "steps is '1.5', but a whole number was expected."),
        ([*NEEDED, "--lr_d", "fast"], "lr_d is 'fast', but a number was expected."),
        (
            [*NEEDED, "--conditional=maybe"],
            "conditional is 'maybe', but true or false was expected.",
        ),
        (
            [*NEEDED, "--network", "bigan"],
            "network is 'bigan', but one of biggan, dcgan, dcgan_dense, wgan_gp was expected.",
        ),
        (
            [*NEEDED, "--resolution", "big"],
            "resolution is 'big', but a whole number was expected.",
        ),
        ([*NEEDED, "--steps"], "argument --steps: expected one argument."),
        (["--data", "", "--out", "b"], "data is empty; give a path."),
        (["--data", "a", "--out="], "out is empty; give a path."),
    ],
)
def test_mistakes_in_words(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        gan(*words)
    assert str(caught.value) == message


def test_a_missing_positional_is_named_as_help_names_it() -> None:
    with pytest.raises(ConfigError, match=r"^Missing: IMAGES\."):
        preview()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"fake_wieght: 0.5\n", "no setting 'fake_wieght'; did you mean 'fake_weight'?"),
        (b"steps: many\n", "steps is 'many', but a whole number was expected."),
        (
            b"network: bigan\n",
            "network is 'bigan', but one of biggan, dcgan, dcgan_dense, wgan_gp was expected.",
        ),
        (b"steps: [1,\n", "The file of --config is not YAML of 'name: value' lines (while"),
        (b"- 1\n", "The file of --config is not YAML of 'name: value' lines (- 1)."),
        (b"classes: 4\n", "classes is '4', but text was expected."),
        (b"", "The file of --config is not YAML of 'name: value' lines (it is empty)."),
        (b"steps: 1\nsteps: 2\n", "lines ('steps' is given twice in "),
        (b"a: &a [1]\nb: *a\n", "lines (*a stands for another part; write it out, in "),
        (
            b"# long\n" * 10_000,
            "lines (it has more than 65,536 bytes, as no file of",
        ),
        (b"\xff\xfe\x00", "The file of --config is not YAML of 'name: value' lines ('utf-8'"),
    ],
)
def test_mistakes_in_the_file(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "settings.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        gan("--config", str(path), *NEEDED)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"configuration file .*none\.yaml.* does not exist"):
        gan("--config", str(tmp_path / "none.yaml"), *NEEDED)


def test_a_folder_of_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"configuration file .* is no file; give another"):
        gan("--config", str(tmp_path), *NEEDED)


@dataclass(frozen=True)
class SetOptions:
    """A run and sets.

    Args:
        run: what comes first
        sets: NAME=VALUE words
        source: may stand without a value
        quick: a flag
    """

    run: str
    sets: list[str] = field(default_factory=list)
    source: str | None = None
    quick: bool = False


def sets(*words: str) -> SetOptions:
    return parse(list(words), SetOptions, command="sets", positional="run", alone={"source": "own"})


def test_an_option_may_be_given_several_times_or_take_several_words() -> None:
    expected = SetOptions("RUN", ["a=x/y.zip", "b=c=d"])
    assert sets("RUN", "--sets", "a=x/y.zip", "--sets", "b=c=d") == expected
    assert sets("RUN", "--sets", "a=x/y.zip", "b=c=d") == expected
    assert sets("--sets", "a=x/y.zip", "b=c=d", "RUN") == expected
    assert sets("--sets=a=x/y.zip", "RUN", "--sets=b=c=d") == expected
    assert sets("RUN") == SetOptions("RUN", [])


def test_awkward_words_of_a_list_stay_as_they_are() -> None:
    words = ['ü="x", [1]', "yes=no", "3=4"]
    assert sets("RUN", "--sets", *words).sets == words
    assert sets("RUN", "--sets", "no_equals_sign").sets == ["no_equals_sign"]


def test_a_list_needs_a_value() -> None:
    for words in (("RUN", "--sets"), ("--sets", "--quick", "RUN")):
        with pytest.raises(
            ConfigError, match="--sets was given without a value; write --sets NAME="
        ):
            sets(*words)


def test_an_empty_positional_is_no_path() -> None:
    with pytest.raises(ConfigError, match="run is empty; give a path"):
        sets("")


def test_a_stray_word_after_a_list_is_named() -> None:
    with pytest.raises(ConfigError, match="'stray' stands alone"):
        sets("RUN", "--sets", "a=b", "stray")


def test_an_option_may_stand_without_a_value() -> None:
    assert sets("RUN", "--source") == SetOptions("RUN", source="own")
    assert sets("RUN", "--source", "--quick") == SetOptions("RUN", source="own", quick=True)
    assert sets("RUN", "--source", "there", "--sets", "a=b") == SetOptions(
        "RUN", ["a=b"], source="there"
    )
    assert sets("RUN", "--source=there") == SetOptions("RUN", source="there")


@pytest.mark.parametrize("name", ["steps", "d_steps", "lr_d"])
def test_a_setting_without_a_value_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.yaml").write_text(f"width: 8\n{name}: null\n")
    with pytest.raises(ConfigError, match=rf"^{name} has no value; give it one"):
        gan(*NEEDED, "--config", str(tmp_path / "file.yaml"))
