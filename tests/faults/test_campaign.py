"""A campaign finds a bug that is planted for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CAMPAIGN = Path(__file__).parents[2] / "benchmarks" / "faults.py"
NOTHING = {"kills": 0, "operations": 0, "disks": 0, "files": 0}


def campaign(out: Path, *words: str, **counts: int) -> tuple[int, dict[str, Any]]:
    """Exit code and findings of a campaign of these counts."""
    options = [f"--{name}={count}" for name, count in (NOTHING | counts).items()]
    ended = subprocess.run(
        [sys.executable, str(CAMPAIGN), "--out", str(out), *options, *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert out.exists(), ended.stderr
    return ended.returncode, json.loads(out.read_text(encoding="utf-8"))["parts"]


@pytest.mark.slow
def test_a_checkpoint_that_loses_bits_is_found(tmp_path: Path) -> None:
    code, found = campaign(
        tmp_path / "faults.json", "--plant=lost-bits", "--recipes=linear-probe", operations=6
    )
    assert code == 1
    assert any("step-00000006.pt differs" in fault for fault in found["operations"]["faults"])


@pytest.mark.slow
def test_a_resume_that_forgets_the_optimizer_is_found_by_kills(tmp_path: Path) -> None:
    code, found = campaign(
        tmp_path / "faults.json", "--plant=forgetful", "--recipes=linear-probe", kills=8
    )
    assert code == 1
    assert any("differs" in fault for fault in found["kills"]["faults"])
