"""The example runs as it stands, on lightly's own parts."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "lightly_moco_nda.py"


@pytest.mark.filterwarnings("ignore")  # those of lightly and what it imports are not ours to mend
def test_negatives_move_an_image_and_its_jigsaw_apart() -> None:
    pytest.importorskip("lightly")
    main = runpy.run_path(str(EXAMPLE))["main"]
    before, untrained = main(steps=0, batch_size=8, images=100)
    assert untrained == before
    trained = {weight: main(steps=4, batch_size=8, images=100, weight=weight) for weight in (0, 64)}
    assert {first for first, _ in trained.values()} == {before}
    assert trained[64][1] < trained[0][1]
