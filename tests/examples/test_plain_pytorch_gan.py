"""The example runs as it stands."""

from __future__ import annotations

import math
import runpy
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "plain_pytorch_gan.py"


def test_it_trains_and_reports_finite_outputs() -> None:
    on_real, on_negatives = runpy.run_path(str(EXAMPLE))["main"](steps=3, batch_size=8)
    assert math.isfinite(on_real)
    assert math.isfinite(on_negatives)
    assert on_real != on_negatives
