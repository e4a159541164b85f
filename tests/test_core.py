"""The core install, torch, numpy, Pillow and two light packages, is enough for what it promises.

Here the packages of the extra `train` are hidden from a fresh interpreter; test_wheel.py does the
same in an environment that has never had them.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

import nda
from nda.extras import TRAINING, require_training
from tests.support.tiny_anomaly import SIDE, surface

ROOT = Path(__file__).parents[1]
USE = ROOT / "tests" / "support" / "core_use.py"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
# Whoever imports one of these gets an ImportError, also where it is caught.
HIDDEN = f"import sys; sys.modules.update(dict.fromkeys({TRAINING!r})); "
NEEDS_TRAIN = {
    "AnomalyDetector.fit", "PerImage", "WithMask", "check", "compare", "evaluate", "load_encoder",
    "probe", "resume", "score", "train",
}  # fmt: skip


def without_training(code: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", HIDDEN + code, *words], capture_output=True, text=True, check=False
    )


def write_detector(folder: Path) -> None:
    """What tests/support/core_use.py needs."""
    grey = np.stack([surface("train/good", index)[0] for index in range(40)])
    normal = grey[:, None].repeat(3, axis=1)
    np.save(folder / "normal.npy", normal)
    detector = nda.AnomalyDetector(
        resolution=SIDE, width=8, batch_size=8, holdout=0.5, false_alarm_rate=0.1, steps=1,
        method="negatives", device="cpu",
    )  # fmt: skip
    detector.fit(torch.from_numpy(normal)).save(folder / "detector.safetensors")


def told(output: str) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in output.splitlines())


def test_negatives_objectives_and_detectors_need_the_core_alone(tmp_path: Path) -> None:
    write_detector(tmp_path)
    code = (
        f"sys.argv[:] = sys.argv; import runpy; runpy.run_path({str(USE)!r}, run_name='__main__')"
    )
    done = without_training(code, tmp_path)
    assert done.returncode == 0, done.stderr
    sentences = told(done.stdout)
    assert set(sentences) == NEEDS_TRAIN
    for sentence in sentences.values():
        assert sentence.endswith("; install nda with its extra: pip install 'nda-torch[train]'.")
    assert sentences["train"].startswith("nda.train needs jinja2, which is not installed; ")


@pytest.mark.parametrize("words", [["train", "gan"], ["preview", "--help"], ["configs"]])
def test_a_command_ends_in_one_sentence_that_names_the_remedy(words: list[str]) -> None:
    done = without_training("from nda.cli import main; sys.exit(main(sys.argv[1:]))", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"nda: nda {words[0]} needs jinja2, which is not installed; install nda with its extra: "
        "pip install 'nda-torch[train]'.\n"
    )


@pytest.mark.parametrize("words", [["--help"], ["--version"], []])
def test_what_commands_there_are_is_told_without_it(words: list[str]) -> None:
    done = without_training("from nda.cli import main; sys.exit(main(sys.argv[1:]))", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert "nda" in done.stdout


def test_documented_modules_are_there_or_say_what_to_install() -> None:
    reference = (ROOT / "docs" / "reference.md").read_text("utf-8")
    modules = re.findall(r"^::: (\S+)", reference, re.MULTILINE)
    assert len(modules) > 40
    assert len(refused_imports(modules)) < len(modules) / 4


def test_so_is_every_module_of_the_functions_and_of_the_commands() -> None:
    rooms = [ROOT / "src" / "nda" / name for name in ("api", "commands")]
    files = [path.relative_to(ROOT / "src") for room in rooms for path in room.rglob("*.py")]
    modules = [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in files]
    refused = refused_imports(modules)
    assert {"nda.api.check", "nda.api.probe.runs", "nda.api.runs.train", "nda.commands"} <= refused
    assert {name for name in modules if name.startswith("nda.commands.")} <= refused
    assert not {"nda.api.detector", "nda.api.gan", "nda.api.preview"} & refused


def refused_imports(modules: list[str]) -> set[str]:
    """The modules that say what to install; one that cannot be imported otherwise fails."""
    code = (
        "import importlib, nda\n"
        "for name in sys.argv[1:]:\n"
        "    try: importlib.import_module(name)\n"
        "    except nda.UserError as error: print(name, error)\n"
    )
    done = without_training(code, *modules)
    assert done.returncode == 0, done.stderr
    sentences = told(done.stdout)
    for sentence in sentences.values():
        assert sentence.endswith("; install nda with its extra: pip install 'nda-torch[train]'.")
    return set(sentences)


def test_the_extra_is_what_is_looked_for() -> None:
    names = [re.split(r"[\[<>=]", each)[0].replace("-", "_") for each in EXTRAS["train"]]
    assert sorted(names) == sorted(TRAINING)
    core = {re.split(r"[<>=]", each)[0] for each in PROJECT["dependencies"]}
    assert core == {"torch", "numpy", "pillow", "pyyaml", "safetensors"}


def test_extras_that_build_on_training_install_it() -> None:
    alone = {name for name, packages in EXTRAS.items() if "nda-torch[train]" not in packages}
    assert alone == {"train", "export", "hub", "openvino", "pages"}


def test_nothing_is_refused_where_all_is_there() -> None:
    require_training("nda train")


def test_help_shows_what_can_be_used() -> None:
    shown = "pydoc.render_doc(nda, renderer=pydoc.plaintext)"
    done = without_training(f"import pydoc, nda; print({shown}); print(dir(nda))")
    assert done.returncode == 0, done.stderr
    assert "class Jigsaw" in done.stdout
    names = done.stdout.splitlines()[-1]
    assert "'AnomalyDetector'" in names
    assert [name for name in sorted(NEEDS_TRAIN) if f"'{name}'" in names] == []
