"""What `nda train` chooses on a machine without a card, and that it says so before all else."""

from __future__ import annotations

from pathlib import Path

import pytest

from nda.commands.verbs import train as train_command
from nda.commands.verbs.train import settings_of
from nda.recipes import RECIPES
from nda.validators import counted

NARROW = {name: entry.narrow for name, entry in RECIPES.items() if entry.narrow is not None}

NEEDED = ["--data", "images", "--out", "run"]
OWN = {"pix2pix": ["--palette", "camvid"], "linear-probe": ["--encoder", "none"]}


@pytest.fixture(autouse=True)
def no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_command, "card_is_likely", lambda device: device.startswith("cuda"))
    monkeypatch.setattr("nda.recipes.anomaly.config.find_spec", lambda _: None)


@pytest.mark.parametrize("name", RECIPES)
def test_without_a_card_every_slow_recipe_is_narrow_and_says_so(name: str) -> None:
    config, said = settings_of(name, [*NEEDED, *OWN.get(name, [])])
    if name not in NARROW:
        assert config == type(config)(data="images", out="run", **own_fields(name))
        assert said == f"training {name}, {config.steps:,} steps, into run."
        return
    assert config.steps < 10_000
    assert said.startswith(f"No GPU is here, so {name} takes settings for processors (")
    assert NARROW[name].takes in said
    assert "--full_size takes the published size" in said


def own_fields(name: str) -> dict[str, str]:
    return {"encoder": "none"} if name == "linear-probe" else {}


@pytest.mark.parametrize("device", [["--device", "cuda"], ["--device=cuda:1"]])
def test_with_a_card_the_published_size_is_taken(device: list[str]) -> None:
    config, said = settings_of("gan", [*NEEDED, *device])
    assert (config.steps, config.width) == (97_500, 64)
    assert (config.negative, config.structure_head) == ("jigsaw:seam=feather", 1.0)
    assert said == (
        "training gan, 97,500 steps, into run, with negative jigsaw:seam=feather, structure_head "
        "1.0."
    )


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize(
    "typed", ["--negative=jigsaw", "--fake_weight=0.25", "--objective=hinge", "--config=paper.yaml"]
)
def test_the_papers_mixture_is_one_word_away(
    typed: str, device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "paper.yaml").write_text("recipe: gan\n")
    config, _ = settings_of("gan", [*NEEDED, typed, "--device", device])
    assert (config.negative, config.structure_head) == ("jigsaw", 0)
    assert (config.mixture, config.fake_weight) == ("weighted", 0.25)


def test_what_is_typed_stays() -> None:
    config, said = settings_of("gan", [*NEEDED, "--steps", "97500", "--d-steps=4"])
    assert (config.steps, config.d_steps, config.width, config.ema_start) == (97_500, 4, 8, 1000)
    assert "(width 8, batch_size 32, negative jigsaw:seam=feather, structure_head 1.0)" in said


def test_full_size_can_be_insisted_on() -> None:
    for flag in ("--full_size", "--full-size"):
        config, said = settings_of("gan", [flag, *NEEDED])
        assert (config.steps, config.width, config.batch_size) == (97_500, 64, 64)
        assert said == (
            "training gan, 97,500 steps, into run, with negative jigsaw:seam=feather, "
            "structure_head 1.0; without a GPU, full size takes weeks."
        )


def test_a_file_of_settings_is_taken_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("width: 16\nsteps: 500\n")
    config, said = settings_of("gan", [*NEEDED, "--config", str(file)])
    assert (config.width, config.steps, config.d_steps, config.batch_size) == (16, 500, 4, 64)
    assert said == "training gan, 500 steps, into run."


def test_print_config_prints_the_choice(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        settings_of("gan", [*NEEDED, "--print_config"])
    assert "\nwidth: 8\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "method", "backbone", "steps"),
    [
        ([], "auto", "lite0", 1),
        (["--false_alarm_rate", "0.05"], "auto", "lite0", 1),
        (["--negative=cutmix"], "negatives", "plain", 1500),
        (["--method", "neighbours"], "neighbours", "lite0", 1),
    ],
)
def test_anomalies_are_found_in_pretrained_features_where_these_are_at_hand(
    words: list[str],
    method: str,
    backbone: str,
    steps: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("nda.recipes.anomaly.config.find_spec", lambda _: object())
    config, said = settings_of("anomaly", [*NEEDED, *words])
    assert (config.method, config.backbone, config.steps) == (method, backbone, steps)
    assert said == f"training anomaly, {counted(steps, 'step')}, into run."
    if not words:
        monkeypatch.setattr("nda.recipes.anomaly.config.find_spec", lambda _: None)
        assert settings_of("anomaly", NEEDED)[0].method == "negatives"
        filed = tmp_path / "file.yaml"
        filed.write_text("steps: 3\n")  # what a file leaves out is the recipe's default
        monkeypatch.setattr("nda.recipes.anomaly.config.find_spec", lambda _: object())
        assert settings_of("anomaly", [*NEEDED, "--config", str(filed)])[0].method == "negatives"
