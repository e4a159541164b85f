"""The settings of the action recipe; the defaults are those published for UCF101."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from nda.errors import ConfigError
from nda.recipes.narrow import Narrow, each
from nda.recipes.published import ACTION
from nda.recipes.video.config import ClipConfig
from nda.training.config import PATH
from nda.validators import above_zero, at_least, from_zero_below_one


@dataclass(frozen=True, kw_only=True)
class ActionConfig(ClipConfig):
    """A classifier of actions in videos, on an encoder of a dpc run or from random weights.

    Tested are all videos of the test split, each by windows that overlap. A part of the training
    split is kept from training to validate on.

    Args:
        recipe: name of the recipe
        encoder: folder of a dpc run, or none for random weights
        frozen: keep the encoder as it is, and train the classifier on top of it alone
        network: 2D3D-ResNet, resnet18 (default) or resnet34; a run knows its own
        width: channels of its stem, 64 by default; a run knows its own
        steps: updates of the network; 200 epochs of nine tenths of UCF101's first fold are 26,800
        lr: learning rate of the classifier (Adam)
        encoder_lr: learning rate of the encoder; by default a tenth of lr for one of a run, and
            lr for random weights
        first_drop: share of the steps after which learning rates are a tenth; 1 for never
        second_drop: share of the steps after which they are a hundredth
        weight_decay: weight decay
        encoder_dropout: of the memory's state after each block
        dropout: before the linear layer
        overlap: share of their frames that neighbouring windows of a test video have in common
        holdout: share of the training videos that is kept to validate on; 0 for none
        sample_every: steps between pictures of predictions
    """

    recipe: Literal["action"] = "action"
    encoder: str = field(default="none", metadata=PATH)
    frozen: bool = False
    network: Literal["resnet18", "resnet34"] | None = None
    width: int | None = None
    steps: int = ACTION["ucf101"].steps
    batch_size: int = 64
    lr: float = 1e-3
    encoder_lr: float | None = None
    first_drop: float = 60 / 200
    second_drop: float = 80 / 200
    weight_decay: float = 1e-3
    encoder_dropout: float = 0.1
    dropout: float = 0.5
    overlap: float = 0.5
    crop_low: float = 0.5
    jitter_probability: float = 0.3
    grey: float = 0.0
    jitter_alike: bool = True

    @property
    def rate_of_encoder(self) -> float:
        """The encoder's learning rate at the start."""
        if self.encoder_lr is not None:
            return self.encoder_lr
        return self.lr if self.encoder == "none" else 0.1 * self.lr

    @property
    def rate_falls(self) -> bool:
        return self.first_drop < 1

    def check(self) -> None:
        super().check()
        if self.width is not None:
            at_least(self, "width", 1)
        at_least(self, "weight_decay", 0)
        above_zero(self, "lr")
        if self.encoder_lr is not None:
            above_zero(self, "encoder_lr")
        from_zero_below_one(self, "dropout", "encoder_dropout", "overlap")
        if not 0 <= self.first_drop <= self.second_drop <= 1:
            raise ConfigError(
                f"first_drop is {self.first_drop} and second_drop {self.second_drop}; they are "
                "shares of the steps between 0 and 1, the first not above the second."
            )
        if self.holdout > 0.5:
            raise ConfigError(
                f"holdout is {self.holdout}; at most 0.5 of the training videos can be kept to "
                "validate on."
            )
        if self.frozen and self.encoder_lr is not None:
            raise ConfigError(
                f"encoder_lr is {self.encoder_lr}, but a frozen encoder does not learn; leave out "
                "--encoder_lr or --frozen."
            )


NARROW = Narrow(
    (
        {"encoder": "none", "network": "resnet18", "width": 16},  # a run knows its own
        {"resolution": 64},
        {"steps": 300, "batch_size": 8, "first_drop": 0.6, "second_drop": 0.8},
        *each(log_every=10, sample_every=300, checkpoint_every=100),
    ),
    ("resolution", "steps", "batch_size"),
    "about four minutes on one core where the encoder is as narrow",
    "months",
)  # fmt: skip
