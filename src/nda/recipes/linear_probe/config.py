"""The settings of the linear probe; the defaults are those of the paper's CIFAR-10 evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from nda.errors import ConfigError
from nda.recipes.published import LINEAR_PROBE
from nda.training.config import PATH, RunConfig
from nda.validators import at_least


@dataclass(frozen=True, kw_only=True)
class LinearProbeConfig(RunConfig):
    """Linear evaluation of an encoder: classes from its frozen features by one linear layer.

    One layer a learning rate is trained, all in one pass. The best is chosen on a part of the
    training images that none of them learns from, and it alone counts on the test split.

    Args:
        recipe: name of the recipe
        encoder: folder of a moco run, or none for an encoder of random weights
        network: of the random encoder: cifar_resnet18, cifar_resnet50, resnet18 or resnet50
        width: channels of its stem, 64 as published
        steps: updates of the layers; 17,600 are 100 epochs of nine tenths of CIFAR-10
        batch_size: images an update
        resolution: side of the images in pixels; that of the encoder's training if not given
        lrs: learning rates to compare, separated by commas
        schedule: step (a tenth from 60 % of the steps on and again from 80 %) or cosine (to 0)
        validation: share of the training images that is kept to choose the learning rate
        augment: crop and flip the images anew in each step; without, features are computed once
        crop_low: with augment, the smallest share of the area that a crop has
    """

    recipe: Literal["linear-probe", "linear_probe"] = "linear-probe"  # earlier runs have the other
    encoder: str = field(metadata=PATH)
    network: str | None = None
    width: int | None = None
    steps: int = LINEAR_PROBE["cifar10"].steps
    batch_size: int = 256
    lrs: str = "0.01,0.03,0.1,0.3,1,3,10,30"
    schedule: Literal["step", "cosine"] = "step"
    validation: float = 0.1
    augment: bool = False
    crop_low: float = 0.08
    checkpoint_every: int = 2000
    log_every: int = 100
    sample_every: int = 10_000

    @property
    def rates(self) -> list[float]:
        """The learning rates, from low to high (`ConfigError` where they are none)."""
        try:
            rates = sorted({float(word) for word in self.lrs.split(",")})
        except ValueError as error:
            raise ConfigError(
                f"lrs is {self.lrs!r}; give numbers separated by commas, such as 0.1,1,10."
            ) from error
        if not all(0 < rate < float("inf") for rate in rates):
            raise ConfigError(f"lrs is {self.lrs!r}; learning rates must be above 0.")
        return rates

    @property
    def rate_falls(self) -> bool:
        return True

    def check(self) -> None:
        super().check()
        _ = self.rates
        if self.width is not None:
            at_least(self, "width", 1)
        if not 0 < self.validation <= 0.5:
            raise ConfigError(
                f"validation is {self.validation}; choosing a learning rate needs a share of the "
                "training images above 0 and at most 0.5."
            )
        if not 0 < self.holdout <= 0.5:
            raise ConfigError(
                f"holdout is {self.holdout}; where the data has no test split, accuracy is "
                "measured on a share held out, above 0 and at most 0.5."
            )
        if not 0 < self.crop_low <= 1:
            raise ConfigError(
                f"crop_low is {self.crop_low}; it is a share of the area, above 0 and at most 1."
            )
