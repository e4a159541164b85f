"""Encoders of videos that a DPC run has trained, for the recipes that build on one."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from nda.networks.dpc import VideoEncoder
from nda.networks.resnet2d3d import PUBLISHED_WIDTH
from nda.recipes.encoders import NONE, Origin, open_encoder_run
from nda.runtime.digest import weights_digest


@dataclass
class EncoderOrigin(Origin):
    """Kept in the checkpoints of a run that builds on it, with what it takes to build the same."""

    network: str = "resnet18"
    width: int = PUBLISHED_WIDTH


def open_video_encoder(
    text: str,
    *,
    network: str | None = None,
    width: int | None = None,
    dropout: float = 0.1,
    seed: int = 0,
) -> tuple[VideoEncoder, EncoderOrigin]:
    """The encoder of the dpc run in the folder `text`; or, for `none`, one of random weights.

    `network` and `width` describe the latter (default resnet18 and 64); a run knows its own.
    Raises as `open_encoder_run`.
    """
    if text == NONE:
        torch.manual_seed(seed)
        name, channels = network or "resnet18", width or PUBLISHED_WIDTH
        random = VideoEncoder(name, width=channels, dropout=dropout)
        return random, EncoderOrigin(NONE, NONE, 0, weights_digest(random), name, channels)
    run = open_encoder_run(text, "dpc", "videos", network=network, width=width)
    name, channels = run.settings["network"], run.settings["width"]
    encoder, origin = run.load(lambda: VideoEncoder(name, width=channels, dropout=dropout))
    return encoder, EncoderOrigin(**origin.state_dict(), network=name, width=channels)
