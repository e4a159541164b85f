"""Encoders of videos that a DPC run has trained, for the recipes that build on one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from nda.errors import CheckpointError, ConfigError
from nda.networks.digest import weights_digest
from nda.networks.dpc import VideoEncoder
from nda.networks.resnet2d3d import PUBLISHED_WIDTH
from nda.recipes.pretrained import NONE
from nda.training.begin import newest_content
from nda.training.run_folder import RunFolder


@dataclass
class Origin:
    """Where an encoder comes from. Kept in the checkpoints of the run that builds on it.

    The encoder's own run may train on, or be gone, when that run is measured again.
    """

    run: str  # name of its run's folder, or "none"
    negative: str  # what it was trained against, or "none"
    step: int  # of its training
    digest: str  # short hash of its weights

    def state_dict(self) -> dict[str, Any]:
        return asdict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    @property
    def words(self) -> str:
        """For a reader of the figures, whose protocols are to be alike for all encoders."""
        if self.run == NONE:
            return "random weights"
        against = "no negatives" if self.negative == NONE else self.negative
        return f"{self.run} at step {self.step:,}, trained against {against}, digest {self.digest}"


def open_video_encoder(
    text: str,
    *,
    network: str | None = None,
    width: int | None = None,
    dropout: float = 0.1,
    seed: int = 0,
) -> tuple[VideoEncoder, Origin]:
    """The encoder of the dpc run in the folder `text`; or, for `none`, one of random weights.

    `network` and `width` describe the latter (default resnet18 and 64); a run knows its own, and
    is refused where others are asked for. Raises `ConfigError` then, and `CheckpointError` for a
    folder that holds no run, no checkpoint, or a run of another recipe.
    """
    if text == NONE:
        torch.manual_seed(seed)
        random = VideoEncoder(
            network or "resnet18", width=width or PUBLISHED_WIDTH, dropout=dropout
        )
        return random, Origin(NONE, NONE, 0, weights_digest(random))
    folder = RunFolder.open(text)
    settings = folder.config()
    if settings["recipe"] != "dpc":
        raise CheckpointError(
            f"{text} is a run of {settings['recipe']}, which has no encoder of videos; give a run "
            "of dpc, or none for random weights."
        )
    for name, wanted in (("network", network), ("width", width)):
        if wanted is not None and wanted != settings[name]:
            raise ConfigError(
                f"{name} is {wanted}, but the encoder in {text} was trained with {name} "
                f"{settings[name]}; leave --{name} out."
            )
    content = newest_content(folder)
    encoder = VideoEncoder(settings["network"], width=settings["width"], dropout=dropout)
    try:
        encoder.load_state_dict(content["state"]["encoder"])
    except RuntimeError as error:
        raise CheckpointError(
            f"The encoder in {text} does not fit its settings "
            f"({' '.join(str(error).split())[:120]}). Restore its config.yaml."
        ) from error
    name = Path(text).resolve().name
    origin = Origin(name, settings["negative"], content["step"], weights_digest(encoder))
    return encoder, origin
