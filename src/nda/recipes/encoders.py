"""Where a recipe's encoder comes from: the run of another recipe, or random weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import torch
from torch import nn
from torchvision.models.resnet import ResNet

from nda.errors import CheckpointError, ConfigError
from nda.networks import resnet2d3d
from nda.networks.dpc import VideoEncoder
from nda.networks.fit import refuse_misfit
from nda.networks.resnet import PUBLISHED_WIDTH, build_encoder
from nda.recipes import names_of, recipe_of
from nda.runtime.digest import weights_digest
from nda.runtime.plain_types import wrong_type
from nda.training.checkpoint import checkpoints_newest_first, load_latest
from nda.training.run_folder import RunFolder

NONE = "none"

Encoder = TypeVar("Encoder", bound=nn.Module)


@dataclass
class EncoderSource:
    """Where an encoder comes from. Kept in the checkpoints of the run that builds on it.

    The encoder's own run may train on, or be gone, when that run is measured again.
    """

    run: str  # name of its run's folder, or "none" for random weights
    negative: str  # what it was trained against, or "none"
    step: int  # of its training
    digest: str  # short hash of its weights

    def state_dict(self) -> dict[str, Any]:
        return asdict(self)

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    @classmethod
    def kept_in(cls, folder: RunFolder) -> Self | None:
        """What the run in `folder` has kept; None before its first checkpoint."""
        if not checkpoints_newest_first(folder.checkpoints):
            return None
        content = load_latest(folder)
        kept = content["state"].get("origin")
        try:
            origin = cls(**kept)
        except TypeError as error:
            wrong = " ".join(str(error).split())[:120]
        else:
            wrong = wrong_type(kept, cls)
        if wrong:
            raise CheckpointError(
                f"The checkpoint of step {content['step']} in {folder.path} does not say as nda "
                f"wrote it where its encoder comes from ({wrong}). Remove it; the run then resumes "
                "from the one before, if there is one."
            )
        return origin

    @property
    def words(self) -> str:
        """For a reader of the figures, whose protocols are to be alike for all encoders."""
        if self.run == NONE:
            return "random weights"
        against = "no negatives" if self.negative == NONE else self.negative
        return f"{self.run} at step {self.step:,}, trained against {against}, digest {self.digest}"


@dataclass(frozen=True)
class EncoderRun:
    """A run whose encoder is to be used: its settings and its newest checkpoint."""

    text: str  # the folder, as the user named it
    settings: dict[str, Any]
    content: dict[str, Any]

    def load(self, build: Callable[[], Encoder]) -> tuple[Encoder, EncoderSource]:
        """What `build` gives with the run's weights; `CheckpointError` where they do not fit."""
        try:
            weights = self.content["state"]["encoder"]
            refuse_misfit(build, weights)
            encoder = build()
            encoder.load_state_dict(weights)
        except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
            raise CheckpointError(
                f"The encoder in {self.text} does not fit its settings "
                f"({' '.join(str(error).split())[:120]}). Restore its config.yaml."
            ) from error
        name, digest = Path(self.text).resolve().name, weights_digest(encoder)
        return encoder, EncoderSource(name, self.settings["negative"], self.content["step"], digest)


def open_encoder_run(
    text: str, subject: str, *, network: str | None, width: int | None
) -> EncoderRun:
    """The run in the folder `text`, whose encoder takes a `subject`: images or videos.

    It knows its own `network` and `width`, and `ConfigError` is raised where others are asked for;
    `CheckpointError` for a folder that holds no run, no checkpoint, or a run of another recipe.
    """
    folder = RunFolder.open(text)
    settings = folder.config()
    if recipe_of(settings["recipe"]).encodes != subject:
        raise CheckpointError(
            f"{text} is a run of {settings['recipe']}, which has no encoder of {subject}; give a "
            f"run of {names_of(lambda entry: entry.encodes == subject)}, or none for random "
            "weights."
        )
    content = load_latest(folder)
    for name, kind in (("network", str), ("width", int), ("negative", str)):
        if type(settings.get(name)) is not kind:
            raise CheckpointError(
                f"{folder.config_path} is not as nda wrote it: its {name} is missing, or no "
                f"{'text' if kind is str else 'whole number'}. Restore it."
            )
    for name, wanted in (("network", network), ("width", width)):
        if wanted is not None and wanted != settings[name]:
            raise ConfigError(
                f"{name} is {wanted}, but the encoder in {text} was trained with {name} "
                f"{settings[name]}; leave --{name} out."
            )
    return EncoderRun(text, settings, content)


@dataclass(frozen=True)
class Pretrained:
    """An encoder, frozen in eval mode on the CPU, and where it comes from."""

    network: ResNet  # images (B, 3, R, R) in [-1, 1] to features (B, D)
    name: str  # one of nda.networks.resnet.ENCODERS
    width: int  # channels of its stem
    resolution: int | None  # side of the images it was trained on; None for random weights
    origin: EncoderSource


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
        origin = EncoderSource(NONE, NONE, 0, weights_digest(encoder))
    else:
        run = open_encoder_run(text, "images", network=network, width=width)
        name, channels, side = (run.settings[key] for key in ("network", "width", "resolution"))
        encoder, origin = run.load(lambda: build_encoder(name, width=channels))
    encoder.eval().requires_grad_(False)
    return Pretrained(encoder, name, channels, side, origin)


@dataclass
class EncoderOrigin(EncoderSource):
    """Kept in the checkpoints of a run that builds on it, with what it takes to build the same."""

    network: str = "resnet18"
    width: int = resnet2d3d.PUBLISHED_WIDTH


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
        name, channels = network or "resnet18", width or resnet2d3d.PUBLISHED_WIDTH
        random = VideoEncoder(name, width=channels, dropout=dropout)
        return random, EncoderOrigin(NONE, NONE, 0, weights_digest(random), name, channels)
    run = open_encoder_run(text, "videos", network=network, width=width)
    name, channels = run.settings["network"], run.settings["width"]
    encoder, origin = run.load(lambda: VideoEncoder(name, width=channels, dropout=dropout))
    return encoder, EncoderOrigin(**origin.state_dict(), network=name, width=channels)
