"""What the Tab key offers is what the commands take."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from nda.cli import COMMANDS, main
from nda.completion import commands, help_of, options_in
from nda.recipes import RECIPES

ASK = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _nda; echo "${COMPREPLY[@]}"'


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shell") / "nda.bash"
    with pytest.MonkeyPatch.context() as patch:
        said: list[str] = []
        patch.setattr("builtins.print", said.append)
        assert main(["completion", "bash"]) == 0
    path.write_text("\n".join(said) + "\n")
    return path


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not here")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("tr", "train"),
        ("train li", "linear-probe"),
        ("train gan --obj", "--objective"),
        ("train gan --objective hin", "hinge"),
        ("train moco --config cpu-cifar10-cutm", "cpu-cifar10-cutmix"),
        ("train anomaly --config mag", "magnetic-tiles-blemish magnetic-tiles-gaussian_noise"),
        ("sweep linea", "linear-probe"),
        ("sweep gan --spa", "--space"),
        ("sweep gan --objective hin", "hinge"),  # what holds for every trial
        ("configs gan/cpu-d", "gan/cpu-digits-jigsaw gan/cpu-digits-none"),
        ("data cl", "clevr"),
        ("completion f", "fish"),
        ("score run images --heat", "--heatmaps"),
        ("score run images --out s", ""),  # a file, by the shell's own means
        ("score run", ""),
        ("resume run --overwrite t", ""),  # not of this command
        ("score run images --overwrite t", "true"),
        ("score run images --overwrite --thr", "--threshold"),  # it may stand alone
    ],
)
def test_bash_offers(typed: str, offered: str, script: Path) -> None:
    words = ["bash", "-c", ASK, "bash", str(script), "nda", *typed.split()]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == (offered, "")


def test_every_command_and_recipe_has_options() -> None:
    assert {name.split()[0] for name in commands()} == set(COMMANDS) - {"completion"}
    for verb in ("train", "sweep"):
        assert {f"{verb} {recipe}" for recipe in RECIPES} < set(commands())
    options = options_in(help_of("score"))
    assert options["overwrite"] == ("true", "false")
    assert options["html"] == ()
    assert "help" in options


def test_zsh_and_fish_get_theirs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "zsh"]) == 0
    assert capsys.readouterr().out.startswith("autoload -U bashcompinit")
    assert main(["completion", "fish"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("complete -c nda ") for line in lines)
    seen = "__fish_seen_subcommand_from train; and __fish_seen_subcommand_from gan"
    assert f"complete -c nda -n '{seen}' -l mixture -x -a 'weighted sampled'" in lines


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "fsh"]) == 2
    assert "no completion for 'fsh'; did you mean 'fish'?" in capsys.readouterr().err
