"""A DPC run that is done with training: its network, and the videos that it held out."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nda.data.clips.clip_set import Clips
from nda.errors import CheckpointError, DataError
from nda.networks.dpc import DensePredictor
from nda.networks.fit import refuse_misfit
from nda.recipes.dpc.config import DpcConfig
from nda.recipes.sources import clip_source
from nda.runtime.digest import weights_digest
from nda.runtime.files import StrPath, write_text_atomically
from nda.runtime.sealed import load_json, sealed_json
from nda.training.checkpoint import load_latest
from nda.training.run_folder import RunFolder
from nda.training.start import config_of


@dataclass(frozen=True)
class Predictor:
    """The network of a run's newest checkpoint, in eval mode on the CPU, and its settings."""

    network: DensePredictor
    config: DpcConfig
    folder: RunFolder
    step: int  # of training
    data: str  # fingerprint of the videos that it was trained on

    @property
    def name(self) -> str:
        return self.folder.path.resolve().name


def open_predictor(text: StrPath) -> Predictor:
    """The run of dpc in the folder `text`, without its data.

    Raises `CheckpointError` for a folder that holds no run, a run of another recipe, no checkpoint
    or one that does not fit its settings, and `ConfigError` for settings that are not of dpc.
    """
    folder = RunFolder.open(text)
    recipe = folder.config()["recipe"]
    if recipe != DpcConfig.recipe:
        raise CheckpointError(
            f"{text} is a run of {recipe}, which predicts no videos; give a run of dpc."
        )
    config = config_of(folder, DpcConfig)
    content = load_latest(folder)

    def build() -> DensePredictor:
        return DensePredictor(
            config.network, width=config.width, steps=config.predict, dropout=config.dropout
        )

    try:
        refuse_misfit(lambda: build().encoder, content["state"]["encoder"])
        refuse_misfit(lambda: build().predictor, content["state"]["predictor"])
        network = build()
        network.encoder.load_state_dict(content["state"]["encoder"])
        network.predictor.load_state_dict(content["state"]["predictor"])
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"The network in {text} does not fit its settings "
            f"({' '.join(str(error).split())[:120]}). Restore its config.yaml."
        ) from error
    network.eval().requires_grad_(False)
    return Predictor(network, config, folder, content["step"], content["data"])


def heldout_videos(predictor: Predictor) -> Clips:
    """The videos that the run was not trained on.

    Raises `CheckpointError` where its data is gone, or is not what it was trained on, or nothing
    was held out.
    """
    config, where = predictor.config, predictor.folder.path
    try:
        splits = clip_source(config).splits(config.holdout)
    except DataError as error:
        raise CheckpointError(
            f"Videos are judged by those that {where} held out, and its data cannot be used. "
            f"{error} If it has moved, write its new place into {predictor.folder.config_path}."
        ) from error
    if splits.train.fingerprint != predictor.data:
        raise CheckpointError(
            f"The data at {config.data} is not what {where} was trained on (its contents differ), "
            "so it cannot be told which videos were held out. Put the old data back."
        )
    if splits.heldout is splits.train or not len(splits.heldout):
        raise CheckpointError(
            f"{where} held no videos out (--holdout 0), so there are none to judge others by; "
            "train a run that does."
        )
    return splits.heldout


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
