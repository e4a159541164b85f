"""The settings of the dpc recipe; the defaults are those published for UCF101, with jigsaw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nda.errors import ConfigError
from nda.recipes.narrow import Narrow, each
from nda.recipes.published import DPC
from nda.recipes.video.config import ClipConfig
from nda.validators import above_zero, at_least, from_zero_below_one


@dataclass(frozen=True, kw_only=True)
class DpcConfig(ClipConfig):
    """Dense Predictive Coding on videos, against negative clips as well (paper, section 5).

    Labels are not used. The encoder is made for 'nda train action --encoder RUN'.

    Args:
        recipe: name of the recipe
        steps: updates of the network; 200 epochs of UCF101's first fold are 29,800
        network: 2D3D-ResNet of 18 or 34 layers
        width: channels of its stem; 64 as published
        predict: P, how many of a clip's last blocks are predicted from the others
        dropout: of the memory's state after each block
        temperature: what scores are divided by; 1 as published
        negative: none, or a negative such as jigsaw, jigsaw:grid=4 or jigsaw+stitch
        negatives_from: own (each clip against its own negative) or all (against those of all)
        lr: learning rate (Adam)
        weight_decay: weight decay
        sample_every: of no effect here: pictures of clips and negatives are drawn at the start
    """

    recipe: Literal["dpc"] = "dpc"
    steps: int = DPC["ucf101"].steps
    batch_size: int = 64
    network: Literal["resnet18", "resnet34"] = "resnet18"
    width: int = 64
    predict: int = 3
    dropout: float = 0.1
    temperature: float = 1.0
    negative: str = "jigsaw"
    negatives_from: Literal["own", "all"] = "own"
    lr: float = 1e-3
    weight_decay: float = 1e-5

    def check(self) -> None:
        super().check()
        at_least(self, "width", 1)
        at_least(self, "predict", 1)
        at_least(self, "weight_decay", 0)
        above_zero(self, "temperature", "lr")
        from_zero_below_one(self, "dropout")
        if self.predict >= self.blocks:
            raise ConfigError(
                f"predict is {self.predict}, but a clip has {self.blocks} blocks; give fewer, so "
                "that there are blocks to predict from."
            )
        if self.negative == "data":
            raise ConfigError(
                "--negative data is not for dpc, whose negatives are made of the clips; give one "
                "such as jigsaw."
            )


NARROW = Narrow(
    (
        {"width": 16},
        {"resolution": 64},
        {"steps": 750, "batch_size": 8},
        *each(log_every=10, checkpoint_every=100),
    ),
    ("width", "resolution", "steps", "batch_size"),
    "about eight minutes on one core",
    "months",
)  # fmt: skip
