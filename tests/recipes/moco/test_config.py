"""What the moco recipe refuses, each with its sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nda.errors import ConfigError
from nda.recipes.moco.config import MocoConfig
from tests.support.tiny_moco import tiny_moco


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"queue_size": 20}, r"queue_size is 20; .* the 8 keys of a step, such as 16"),
        ({"queue_size": 4}, r"such as 8"),
        ({"queue_size": 16, "devices": 4}, r"the 32 keys of a step, such as 32"),
        ({"bn_splits": 3}, r"bn_splits is 3; batch_size 8 must be a larger multiple"),
        ({"bn_splits": 8}, r"bn_splits is 8"),
        ({"temperature": 0.0}, r"temperature is 0\.0; it must be above 0"),
        ({"lr": float("nan")}, r"lr is nan"),
        ({"crop_low": 0.0}, r"crop_low is 0\.0; it must be above 0 and at most 1"),
        ({"grey": 1.5}, r"grey is 1\.5; it must lie between 0 and 1"),
        ({"negative": "data"}, r"--negative data is not for moco"),
        ({"negative_fraction": 0.5}, r"with --negatives_from own each query needs"),
        ({"negatives_from": "batch", "negative_fraction": 0.125}, r"makes 1 negatives a step"),
        (
            {"negatives_from": "queue", "negative_queue_size": 12},
            r"negative_queue_size is 12; .* the 8 negatives of a step, such as 16",
        ),
        ({"resolution": None}, r"resolution is None; give an even number"),
        ({"resolution": 33}, r"resolution is 33; give an even number"),
        ({"width": 0}, r"width is 0; it must be at least 1"),
        ({"evaluation_samples": 1}, r"evaluation_samples is 1; give 0 for all, or at least 4"),
        ({"negative_weight": float("inf")}, r"negative_weight is inf; it must be finite"),
        ({"batch_size": 1}, r"batch_size is 1; it must be at least 2"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        tiny_moco(Path("unused"), **changes).check()


def test_the_defaults_are_consistent() -> None:
    MocoConfig(data="unused", out="unused").check()


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 8),
        ({"negative": "none"}, 0),
        ({"negatives_per_sample": 3}, 24),
        ({"negatives_from": "batch", "negative_fraction": 0.25}, 2),
    ],
)
def test_negatives_a_step_are_counted(changes: dict[str, Any], count: int) -> None:
    assert tiny_moco(Path("unused"), **changes).negatives_a_step == count
