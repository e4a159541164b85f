"""The wheel stands alone: built, installed far from the repository, used as by a new user."""

from __future__ import annotations

import email
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.test_core import NEEDS_TRAIN, USE, write_detector

ROOT = Path(__file__).parents[1]
TWO_LINES = 'import nda\nnda.preview("photos/", out="negatives.png")\n'
UV = shutil.which("uv")
REMEDY = "install nda with its extra: pip install 'nda-torch[train]'."

pytestmark = [pytest.mark.slow, pytest.mark.skipif(UV is None, reason="uv is not here")]


def run(*words: str | Path, at: Path, code: int = 0) -> str:
    """What a program prints, run in a folder with nothing of this process's Python.

    One that ends in another `code` than 0 prints on stderr.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        words, cwd=at, env=kept, capture_output=True, text=True, check=False, timeout=1200
    )
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run("uv", "build", "--wheel", "--quiet", "--out-dir", folder, ROOT, at=folder)
    (built,) = folder.glob("*.whl")
    return built


def install(folder: Path, wanted: str, *beside: str) -> None:
    """Make an environment in `folder` that holds what is wanted and what it needs, no more."""
    run("uv", "venv", "--quiet", "--python", sys.executable, "venv", at=folder)
    # torch as it is here: another one would be gigabytes that only this test needs.
    here = [f"{name}=={version(name).split('+')[0]}" for name in ("torch", *beside)]
    target = ("--python", "venv/bin/python")
    run("uv", "pip", "install", "--quiet", *target, wanted, *here, at=folder)


@pytest.fixture(scope="module")
def core(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an environment that holds the core, no extra."""
    folder = tmp_path_factory.mktemp("core")
    install(folder, str(wheel))
    return folder


@pytest.fixture(scope="module")
def away(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photographs, and with an environment that holds the wheel and can train."""
    folder = tmp_path_factory.mktemp("away")
    install(folder, f"{wheel}[train]", "torchvision")
    (folder / "photos").mkdir()
    rng = np.random.default_rng(0)
    for number in range(40):
        small = Image.fromarray(rng.integers(0, 256, (4, 4, 3)).astype(np.uint8))
        small.resize((32, 32)).save(folder / "photos" / f"{number}.png")
    return folder


def test_it_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = [name for name in names if name.endswith("METADATA")]
        said = email.message_from_bytes(archive.read(metadata))
    assert {name.split("/")[0] for name in names} == {"nda", metadata.split("/")[0]}
    configs = {path.relative_to(ROOT / "src") for path in (ROOT / "src").rglob("*.yaml")}
    assert {Path(name) for name in names if name.endswith(".yaml")} == configs
    assert "nda/py.typed" in names
    assert said["Description-Content-Type"] == "text/markdown"
    assert "](docs/" not in said.get_payload()
    assert said["Project-URL"].startswith("Paper, https://")


def test_the_core_is_enough_for_negatives_objectives_and_a_detector(core: Path) -> None:
    write_detector(core)
    told = run(core / "venv/bin/python", "-W", "error", USE, core, at=core)
    sentences = dict(line.split(" ", 1) for line in told.splitlines())
    assert set(sentences) == NEEDS_TRAIN
    assert {each.split("; ")[1] for each in sentences.values()} == {REMEDY}


def test_the_command_says_what_to_install_where_only_the_core_is(core: Path) -> None:
    nda = core / "venv/bin/nda"
    assert run(nda, "--version", at=core) == f"nda {version('nda-torch')}\n"
    said = run(nda, "quickstart", at=core, code=2)
    assert said == f"nda: nda quickstart needs jsonargparse, which is not installed; {REMEDY}\n"


def test_a_picture_of_negatives_takes_two_lines(away: Path) -> None:
    run(away / "venv/bin/python", "-c", TWO_LINES, at=away)
    with Image.open(away / "negatives.png") as picture:
        assert min(picture.size) > 200


def test_a_run_is_trained_by_the_name_of_a_configuration(away: Path) -> None:
    nda = away / "venv/bin/nda"
    assert run(nda, "--version", at=away) == f"nda {version('nda-torch')}\n"
    assert "cpu-cifar10-jigsaw" in run(nda, "configs", "gan", at=away)
    small = "--steps 2 --batch_size 4 --d_steps 1 --evaluation_samples 16 --sample_every 2"
    words = ("train", "gan", "--config", "cpu-cifar10-jigsaw", "--data", "photos", "--out", "run")
    run(nda, *words, *small.split(), at=away)
    assert (away / "run" / "report.html").is_file()
    assert "negative: jigsaw\n" in (away / "run" / "config.yaml").read_text()
