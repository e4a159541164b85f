"""The example runs as it stands, on a network of timm."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "timm_classifier_nda.py"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of timm are not ours to mend
def test_negatives_make_the_classifier_less_certain_of_them_and_cost_no_accuracy() -> None:
    pytest.importorskip("timm")
    main = runpy.run_path(str(EXAMPLE))["main"]
    plain, with_negatives = (main(steps=60, weight=weight) for weight in (0.0, 1.0))
    assert with_negatives[1] < plain[1] - 0.1
    assert with_negatives[0] > 0.8
