"""Where a recipe's encoder comes from: the run of another recipe, or random weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from torch import nn

from nda.errors import CheckpointError, ConfigError
from nda.networks.fit import refuse_misfit
from nda.runtime.digest import weights_digest
from nda.runtime.plain_types import wrong_type
from nda.training.checkpoint import checkpoints_newest_first
from nda.training.run_folder import RunFolder
from nda.training.start import newest_content

NONE = "none"
Encoder = TypeVar("Encoder", bound=nn.Module)


@dataclass
class Origin:
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
        content = newest_content(folder)
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

    def load(self, build: Callable[[], Encoder]) -> tuple[Encoder, Origin]:
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
        return encoder, Origin(name, self.settings["negative"], self.content["step"], digest)


def open_encoder_run(
    text: str, recipe: str, subject: str, *, network: str | None, width: int | None
) -> EncoderRun:
    """The run of `recipe` in the folder `text`, which encodes a `subject` such as images.

    It knows its own `network` and `width`, and `ConfigError` is raised where others are asked for;
    `CheckpointError` for a folder that holds no run, no checkpoint, or a run of another recipe.
    """
    folder = RunFolder.open(text)
    settings = folder.config()
    if settings["recipe"] != recipe:
        raise CheckpointError(
            f"{text} is a run of {settings['recipe']}, which has no encoder of {subject}; give a "
            f"run of {recipe}, or none for random weights."
        )
    content = newest_content(folder)
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
