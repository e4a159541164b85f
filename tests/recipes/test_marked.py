"""What each recipe's settings say of themselves: paths, and what may differ on resume."""

from __future__ import annotations

import pytest

from nda.recipes import RECIPES

ALWAYS = {
    "data",
    "out",
    "steps",
    "device",
    "checkpoint_every",
    "keep_checkpoints",
    "log_every",
    "logger",
    "sample_every",
    "evaluate_every",
}
FREE = {
    "gan": {
        "negative_data",
        "evaluation_samples",
        "inception_weights",
        "features",
        "count_modes",
    },
    "numerosity": {"negative_data", "counter", "counter_data", "evaluation_samples"},
    "anomaly": {"texture", "normal_more", "reference"},
    "pix2pix": {"target_data"},
    "moco": {"evaluation_samples"},
    "detection": {"encoder"},
    "linear-probe": {"encoder"},
    "dpc": {"split_file", "cache"},
    "action": {"split_file", "cache", "encoder"},
}
PATHS = {
    "gan": ["negative_data", "inception_weights"],
    "numerosity": ["negative_data", "counter_data"],
    "anomaly": ["normal_more", "reference", "texture"],
    "pix2pix": ["target_data"],
    "moco": [],
    "detection": ["encoder"],
    "linear-probe": ["encoder"],
    "dpc": ["split_file"],
    "action": ["split_file", "encoder"],
}


@pytest.mark.parametrize("name", RECIPES)
def test_what_may_differ_on_resume(name: str) -> None:
    assert {*RECIPES[name].config_class().marked("free")} == ALWAYS | FREE[name]


@pytest.mark.parametrize("name", RECIPES)
def test_which_settings_are_paths_data_before_all_others(name: str) -> None:
    config = RECIPES[name].config_class()
    assert config.marked("path") == ["data", *PATHS[name]]
    assert config.marked("name_or_path") == (["palette"] if "palette" in vars(config) else [])
