"""Threads that sleep while they wait: what is set, when, and when not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nda.runtime.idle_threads import sleep_when_idle
from tests.support.processes import PATIENCE

POLICY = "OMP_WAIT_POLICY"

# What stands in the environment when torch is loaded first, as libgomp reads it then and no later.
SEEN = """
import os, sys
from importlib.abc import MetaPathFinder

class Watch(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print(os.environ.get("OMP_WAIT_POLICY"))
            sys.exit(0)

sys.meta_path.insert(0, Watch())
from nda.cli import main
main(sys.argv[1:])
"""


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (POLICY, "GOMP_SPINCOUNT", "KMP_BLOCKTIME"):
        monkeypatch.setenv(name, "")  # so that what is set here is taken back
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("unset")
def test_they_sleep_unless_torch_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", sys)
    sleep_when_idle()
    assert POLICY not in os.environ  # it would only reach others
    monkeypatch.delitem(sys.modules, "torch")
    sleep_when_idle()
    assert os.environ[POLICY] == "PASSIVE"


@pytest.mark.usefixtures("unset")
@pytest.mark.parametrize("name", [POLICY, "GOMP_SPINCOUNT", "KMP_BLOCKTIME"])
def test_a_choice_of_ones_own_stands(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "5")
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    sleep_when_idle()
    assert os.environ.get(POLICY) == ("5" if name == POLICY else None)


@pytest.mark.usefixtures("unset")
@pytest.mark.parametrize("words", [["score", "here", "here"], ["serve", "here"]])
def test_it_is_set_before_torch_is_loaded(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here/config.yaml").write_text("recipe: anomaly\n")
    (tmp_path / "here/detector.safetensors").touch()
    done = subprocess.run(
        [sys.executable, "-c", SEEN, *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.stdout == "PASSIVE\n", done.stderr
