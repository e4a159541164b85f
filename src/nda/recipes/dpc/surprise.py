"""The surprise of the videos that a dpc run held out, kept in its folder once it is measured.

Whoever scores videos later needs neither the run's data nor the time to score them again.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import torch
from torch import Tensor

from nda.recipes.dpc.load import Predictor
from nda.runtime.digest import weights_digest
from nda.runtime.files import write_text_atomically
from nda.runtime.sealed import load_json, sealed_json

_FILE = "surprise.json"


def kept_surprise(predictor: Predictor) -> Tensor | None:
    """What was kept of these very weights, float64 `(n,)`; None where nothing was or it changed."""
    try:
        # A file of an earlier version has no digest and serves all the same.
        found = load_json(_path(predictor), ("step", "weights", "scores"), unsealed=True)
        scores = torch.tensor(found["scores"], dtype=torch.float64)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return scores if found.get("weights") == weights_digest(predictor.network) else None


def keep_surprise(predictor: Predictor, scores: Tensor) -> None:
    """Keep the scores of the held-out videos, unless the run's folder cannot be written."""
    content = {
        "step": predictor.step,
        "weights": weights_digest(predictor.network),
        "scores": scores.tolist(),
    }
    with contextlib.suppress(OSError):
        write_text_atomically(_path(predictor), sealed_json(content, indent=1))


def _path(predictor: Predictor) -> Path:
    return predictor.folder.path / _FILE
