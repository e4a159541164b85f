"""Encoders of videos that a DPC run has trained, for the recipes that build on one."""

from __future__ import annotations

import torch

from nda.networks.digest import weights_digest
from nda.networks.dpc import VideoEncoder
from nda.networks.resnet2d3d import PUBLISHED_WIDTH
from nda.recipes.origin import NONE, Origin, open_encoder_run


def open_video_encoder(
    text: str,
    *,
    network: str | None = None,
    width: int | None = None,
    dropout: float = 0.1,
    seed: int = 0,
) -> tuple[VideoEncoder, Origin]:
    """The encoder of the dpc run in the folder `text`; or, for `none`, one of random weights.

    `network` and `width` describe the latter (default resnet18 and 64); a run knows its own.
    Raises as `open_encoder_run`.
    """
    if text == NONE:
        torch.manual_seed(seed)
        channels = width or PUBLISHED_WIDTH
        random = VideoEncoder(network or "resnet18", width=channels, dropout=dropout)
        return random, Origin(NONE, NONE, 0, weights_digest(random))
    run = open_encoder_run(text, "dpc", "videos", network=network, width=width)
    encoder = VideoEncoder(run.settings["network"], width=run.settings["width"], dropout=dropout)
    return encoder, run.load_into(encoder)
