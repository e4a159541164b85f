"""Encoders that a run has trained, for the recipes that build on one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torchvision.models.resnet import ResNet

from nda.errors import CheckpointError, ConfigError
from nda.networks.digest import weights_digest
from nda.networks.resnet import PUBLISHED_WIDTH, build_encoder
from nda.training.begin import newest_content
from nda.training.run_folder import RunFolder

NONE = "none"


@dataclass(frozen=True)
class Pretrained:
    """An encoder, frozen in eval mode on the CPU, and where it comes from."""

    network: ResNet  # images (B, 3, R, R) in [-1, 1] to features (B, D)
    name: str  # one of nda.networks.resnet.ENCODERS
    width: int  # channels of its stem
    resolution: int | None  # side of the images it was trained on; None for random weights
    step: int  # of its training
    run: str  # name of its run's folder, or "none"
    negative: str  # what it was trained against, or "none"
    digest: str  # short hash of its weights


def open_encoder(
    text: str, *, network: str | None = None, width: int | None = None, seed: int = 0
) -> Pretrained:
    """The encoder of the moco run in the folder `text`; or, for `none`, one of random weights.

    `network` and `width` describe the latter (default resnet18 and 64); a run knows its own, and
    is refused where others are asked for. Raises `ConfigError` then, and `CheckpointError` for a
    folder that holds no run, no checkpoint, or a run of another recipe.
    """
    if text == NONE:
        name, channels = network or "resnet18", width or PUBLISHED_WIDTH
        random = build_encoder(name, width=channels, seed=seed)
        return _frozen(random, name, channels, None, 0, NONE, NONE)
    folder = RunFolder.open(text)
    settings = folder.config()
    if settings["recipe"] != "moco":
        raise CheckpointError(
            f"{text} is a run of {settings['recipe']}, which has no encoder of images; give a run "
            "of moco, or none for random weights."
        )
    for name, wanted in (("network", network), ("width", width)):
        if wanted is not None and wanted != settings[name]:
            raise ConfigError(
                f"{name} is {wanted}, but the encoder in {text} was trained with {name} "
                f"{settings[name]}; leave --{name} out."
            )
    content = newest_content(folder)
    encoder = build_encoder(settings["network"], width=settings["width"])
    _load(encoder, content["state"]["encoder"], text)
    return _frozen(
        encoder,
        settings["network"],
        settings["width"],
        settings["resolution"],
        content["step"],
        Path(text).resolve().name,
        settings["negative"],
    )


def _frozen(
    network: ResNet, name: str, width: int, side: int | None, step: int, run: str, against: str
) -> Pretrained:
    network.eval().requires_grad_(False)
    digest = weights_digest(network)
    return Pretrained(network, name, width, side, step, run, against, digest)


def _load(encoder: ResNet, weights: dict[str, Any], where: str) -> None:
    try:
        encoder.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(
            f"The encoder in {where} does not fit its settings "
            f"({' '.join(str(error).split())[:120]}). Restore its config.yaml."
        ) from error
