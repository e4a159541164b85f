"""From words to typed options, and from mistakes to one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from nda.commands.options import parse
from nda.commands.pages import CompareOptions
from nda.commands.preview import PreviewOptions
from nda.errors import ConfigError
from nda.recipes.gan_config import GanConfig

NEEDED = ["--data", "images", "--out", "run"]


def gan(*words: str) -> GanConfig:
    return parse(list(words), GanConfig, command="train gan", config_file=True)


def preview(*words: str) -> PreviewOptions:
    return parse(list(words), PreviewOptions, command="preview", positional="images")


def test_defaults_are_those_of_the_dataclass() -> None:
    assert gan(*NEEDED) == GanConfig(data="images", out="run")


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


def test_words_go_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("recipe: gan\ndata: there\nwidth: 16\nlr_d: 1.0e-3\nconditional: true\n")
    config = gan("--config", str(path), "--out", "run", "--width", "8")
    assert (config.data, config.width, config.lr_d) == ("there", 8, 1e-3)
    assert config.conditional is True


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
            "network is 'bigan', but one of biggan, dcgan was expected.",
        ),
        (
            [*NEEDED, "--resolution", "big"],
            "resolution is 'big', but a whole number was expected.",
        ),
        ([*NEEDED, "--steps"], "argument --steps: expected one argument."),
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
        (b"network: bigan\n", "network is 'bigan', but one of biggan, dcgan was expected."),
        (b"steps: [1,\n", "The file of --config is not YAML of 'name: value' lines (while"),
        (b"- 1\n", "The file of --config is not YAML of 'name: value' lines (- 1)."),
        (b"classes: 4\n", "classes is '4', but text was expected."),
        (b"", "The file of --config is not YAML of 'name: value' lines (it is empty)."),
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
