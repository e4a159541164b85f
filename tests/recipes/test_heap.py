"""A step of every recipe under glibc's check of the heap, which aborts where memory is spoilt.

Some convolutions of torch write outside their memory on some processors (docs/onednn-crash.md),
which shows only now and then without the check. Resolutions and widths are the defaults, or the
narrowest that the recipe takes; of images there are as few as can be.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from nda.extras import LITE0
from nda.networks.pretrained.fitted import FITTED
from nda.recipes import RECIPES
from nda.recipes.detection.config import DetectionConfig
from nda.recipes.detection.train import prepared
from nda.runtime.seeding import generator_for
from nda.training.start import start
from tests.support.each_recipe import data_for

Settings = dict[str, Any]
CHECK = "libc_malloc_debug.so.0"
STEPS = """
import json, sys
import torch
from nda.recipes import RECIPES
from nda.training.start import start
from nda.runtime.seeding import generator_for
torch.set_num_threads(1)
entry = RECIPES[sys.argv[1]]
for settings in json.loads(sys.argv[2]):
    print(f"now: {settings}", flush=True)
    recipe = entry.recipe()
    state = start(recipe, entry.config_class()(**settings)).state
    logs = recipe.step(state, state.batch(0), generator_for(0, step=0, purpose="train"))
    assert logs or "method" in settings, logs  # what is fitted at once has no losses
    assert all(value.isfinite().all() for value in logs.values()), logs
"""
# As few samples as the recipe takes, and no more work than one update of each network.
FEWEST: dict[str, Settings] = {
    "gan": {"batch_size": 2, "d_steps": 1},
    "numerosity": {"batch_size": 2, "d_steps": 1},
    "anomaly": {"batch_size": 2},
    "pix2pix": {"batch_size": 1},
    "moco": {"batch_size": 4, "bn_splits": 2, "queue_size": 4},
    "detection": {"batch_size": 1, "rois": 16, "proposals": 50},
    "linear-probe": {"batch_size": 4},
    "dpc": {"batch_size": 2},
    "action": {"batch_size": 2},
}
LITE0_IS_HERE = find_spec(LITE0) is not None
# Beside the defaults. Without a resolution of its own a recipe takes that of the images, here 32.
SIZES: dict[str, list[Settings]] = {
    "gan": [
        {"width": 1},
        {"width": 8, "resolution": 64},
        {
            "width": 8,
            "negative": "jigsaw:seam=feather",
            "structure_head": 1.0,
            "structure_generator": 0.5,
        },
        *(
            {"width": 8, "objective": objective, "zero_centred_penalty": 1.0}
            for objective in ("prior_corrected", "three_class", "relativistic")
        ),
    ],
    "numerosity": [{"width": 1}],
    "anomaly": [
        {"width": 1},
        {"width": 8},
        {"backbone": "torchvision:resnet18"},
        *({"method": method} for method in FITTED if LITE0_IS_HERE),
    ],
    "pix2pix": [{"width": 1}],
    "moco": [
        {"width": 1},
        {"width": 1, "network": "resnet18", "resolution": 224},
        {"width": 2, "network": "resnet50", "resolution": 224},
    ],
    "detection": [{"width": 1}],
    "linear-probe": [{"width": 1}],
    "dpc": [{"width": 1}, {"width": 4}],
    "action": [{"width": 1}, {"width": 4}],
}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_step_leaves_the_heap_whole(recipe: str, tmp_path: Path) -> None:
    try:
        ctypes.CDLL(CHECK)
    except OSError:
        pytest.skip(f"{CHECK} of glibc is not here, which finds what is written out of place")
    settings = data_for(recipe, tmp_path) | {"steps": 1} | FEWEST[recipe]
    runs = [
        settings | sizes | {"out": str(tmp_path / f"run-{number}")}
        for number, sizes in enumerate([{}, *SIZES[recipe]])
    ]
    found = subprocess.run(
        [sys.executable, "-c", STEPS, recipe, json.dumps(runs)],
        env=os.environ | {"GLIBC_TUNABLES": "glibc.malloc.check=3", "LD_PRELOAD": CHECK},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert found.returncode == 0, f"{found.returncode} {found.stdout[-500:]} {found.stderr[-2000:]}"
    assert found.stdout.count("now: ") == len(runs)


def test_detection_enlarges_small_images_to_its_default_sides(tmp_path: Path) -> None:
    """As a step of it under the check takes for granted."""
    settings = data_for("detection", tmp_path) | FEWEST["detection"] | {"width": 1}
    config = DetectionConfig(**settings)
    state = start(RECIPES["detection"].recipe(), config).state
    images, _ = prepared(state, state.batch(0), generator_for(0, step=0, purpose="train"))
    assert min(images[0].shape[1:]) in config.sides(small=False)
