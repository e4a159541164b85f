"""A run folder as dpc leaves it, without its training: for whatever measures such a run.

It lies beside conftest.py, so that tests of every folder find it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml

from nda.networks.dpc import DensePredictor
from nda.recipes.sources import clip_source
from nda.training.checkpoint import save_checkpoint
from nda.training.run_folder import RunFolder
from tests.support.tiny_video import tiny_dpc


def write_dpc_run(folder: Path, data: Path, **changes: Any) -> Path:
    """Config and checkpoint of a network of random weights, at step 7; `data` must be there."""
    config = tiny_dpc(data, folder, **changes)
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config.as_dict(), sort_keys=False))
    torch.manual_seed(1)
    network = DensePredictor(config.network, width=config.width, steps=config.predict)
    content = {
        "config": config.as_dict(),
        "data": clip_source(config).splits(config.holdout).train.fingerprint,
        "state": {
            "encoder": network.encoder.state_dict(),
            "predictor": network.predictor.state_dict(),
        },
    }
    save_checkpoint(RunFolder(folder).checkpoints, 7, content, keep=1)
    return folder
