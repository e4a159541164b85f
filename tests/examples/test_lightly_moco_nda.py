"""The example runs as it stands, on lightly's own parts."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "lightly_moco_nda.py"


@pytest.mark.filterwarnings("ignore")  # those of lightly and what it imports are not ours to mend
def test_it_trains_and_tells_cosines() -> None:
    pytest.importorskip("lightly")
    before, after = runpy.run_path(str(EXAMPLE))["main"](steps=3, batch_size=8, images=100)
    assert -1 <= after <= 1
    assert 0 < before <= 1
    assert after != before
