"""Encoders of images that a MoCo run has trained, for the recipes that build on one."""

from __future__ import annotations

from dataclasses import dataclass

from torchvision.models.resnet import ResNet

from nda.networks.resnet import PUBLISHED_WIDTH, build_encoder
from nda.recipes.encoders import NONE, Origin, open_encoder_run
from nda.runtime.digest import weights_digest


@dataclass(frozen=True)
class Pretrained:
    """An encoder, frozen in eval mode on the CPU, and where it comes from."""

    network: ResNet  # images (B, 3, R, R) in [-1, 1] to features (B, D)
    name: str  # one of nda.networks.resnet.ENCODERS
    width: int  # channels of its stem
    resolution: int | None  # side of the images it was trained on; None for random weights
    origin: Origin


def open_encoder(
    text: str, *, network: str | None = None, width: int | None = None, seed: int = 0
) -> Pretrained:
    """The encoder of the moco run in the folder `text`; or, for `none`, one of random weights.

    `network` and `width` describe the latter (default resnet18 and 64); a run knows its own.
    Raises as `open_encoder_run`.
    """
    if text == NONE:
        name, channels, side = network or "resnet18", width or PUBLISHED_WIDTH, None
        encoder = build_encoder(name, width=channels, seed=seed)
        origin = Origin(NONE, NONE, 0, weights_digest(encoder))
    else:
        run = open_encoder_run(text, "moco", "images", network=network, width=width)
        name, channels, side = (run.settings[key] for key in ("network", "width", "resolution"))
        encoder, origin = run.load(lambda: build_encoder(name, width=channels))
    encoder.eval().requires_grad_(False)
    return Pretrained(encoder, name, channels, side, origin)
