"""The settings of the pix2pix recipe; the defaults are those of Isola et al. with jigsaw."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nda.errors import ConfigError
from nda.recipes.narrow import Narrow, each
from nda.recipes.published import PIX2PIX
from nda.training.config import NAME_OR_PATH, PATH, RunConfig
from nda.validators import at_least, from_zero_below_one, from_zero_to_one


@dataclass(frozen=True, kw_only=True)
class Pix2PixConfig(RunConfig):
    """A translation of images whose discriminator also learns what targets are not (section 5).

    A step is one update of the discriminator and one of the generator.

    Args:
        recipe: name of the recipe
        data: folder or .zip of pairs, or torchvision:Cityscapes
        inputs: folder in `data` that holds the photographs
        targets: folder in `data` that holds the labels, of equal names
        target_data: second folder or .zip, with the labels of the photographs in `data`
        side_by_side: the left half of every image is the photograph, the right half its label
        palette: camvid, cityscapes, a file, or none where the targets are pictures, not labels
        palette_tolerance: distance in RGB up to which a label's colour counts as the palette's
        direction: what is translated into what
        steps: updates of each network; 200 epochs of Cityscapes are 595,000
        resolution: side of the images in pixels, 256, 128 or 64; pictures are stretched to it
        jitter: random enlargement, cut-out and mirroring of the pairs
        width: channels of the networks; 64 is full size
        norm: batch or instance norm; with one image a batch they are the same
        patch: side in pixels of what one output of the discriminator sees: 70, 34 or 16
        objective: family of the adversarial loss
        l1_weight: weight of the mean absolute error in the generator's loss
        negative: none, or a negative of the targets such as jigsaw, jigsaw:grid=4, jigsaw+stitch
        negative_pair: what it changes: the target, or both it and the input of another pair
        fake_weight: λ, the share of generated images in the mixture of eq. 3
        lr: learning rate of both networks (Adam)
        lr_decay_from: share of the steps from which on it falls evenly to 0; 1 for never
        beta1: first moment's decay of Adam
        beta2: second moment's decay of Adam
        gradient_penalty: weight of the gradient penalty; 10 makes wasserstein a WGAN-GP
    """

    recipe: Literal["pix2pix"] = "pix2pix"
    inputs: str = "images"
    targets: str = "labels"
    target_data: str | None = field(default=None, metadata=PATH)
    side_by_side: bool = False
    palette: str | None = field(default=None, metadata=NAME_OR_PATH)
    palette_tolerance: int = 0
    direction: Literal["photo_to_labels", "labels_to_photo"] = "photo_to_labels"
    steps: int = PIX2PIX["cityscapes"].steps
    batch_size: int = 1
    resolution: int | None = 256
    jitter: bool = True
    width: int = 64
    norm: Literal["batch", "instance"] = "batch"
    patch: Literal[70, 34, 16] = 70
    objective: Literal["hinge", "logistic", "least_squares", "wasserstein"] = "logistic"
    l1_weight: float = 100.0
    negative: str = "jigsaw"
    negative_pair: Literal["target", "both"] = "target"
    fake_weight: float = 0.25
    lr: float = 2e-4
    lr_decay_from: float = 1.0
    beta1: float = 0.5
    beta2: float = 0.999
    gradient_penalty: float = 0.0
    checkpoint_every: int = 5000
    sample_every: int = 5000

    @property
    def rate_falls(self) -> bool:
        return self.lr_decay_from < 1

    def check(self) -> None:
        super().check()
        for name, smallest in (("width", 1), ("l1_weight", 0), ("palette_tolerance", 0),
                               ("gradient_penalty", 0)):  # fmt: skip
            at_least(self, name, smallest)
        from_zero_to_one(self, "fake_weight", "lr_decay_from")
        from_zero_below_one(self, "beta1", "beta2")
        if not 0 < self.lr < float("inf"):
            raise ConfigError(f"lr is {self.lr}; it must be above 0.")
        if self.resolution not in (64, 128, 256):
            raise ConfigError(
                f"resolution is {self.resolution}; the networks of pix2pix take 256, 128 or 64."
            )
        self._check_data()
        if self.gradient_penalty and self.devices > 1:
            raise ConfigError(
                "gradient_penalty differentiates twice, which does not work across processes; "
                f"use --devices 1, not {self.devices}."
            )

    def _check_data(self) -> None:
        if self.palette is None:
            raise ConfigError(
                "--palette is missing, which says what the labels' colours or numbers mean; give "
                "camvid, cityscapes, a file with a line 'index name red green blue' a class, or "
                "none where the targets are pictures."
            )
        if self.target_data is not None and self.side_by_side:
            raise ConfigError(
                "--target_data and --side_by_side exclude each other: labels are either in a "
                "source of their own or in the right halves of the images."
            )
        if self.inputs == self.targets:
            raise ConfigError(
                f"inputs and targets are both {self.inputs!r}; name two folders, or give "
                "--target_data or --side_by_side."
            )
        if self.classes is not None:
            raise ConfigError(
                f"classes is {self.classes!r}, but pairs have no class folders; leave it out."
            )
        if self.negative == "data":
            raise ConfigError(
                "--negative data is not known here; give a negative of the targets such as jigsaw, "
                "or none."
            )
        if self.palette_is_file and not Path(str(self.palette)).expanduser().is_file():
            raise ConfigError(
                f"palette is {self.palette!r}, and there is no such file; give camvid, cityscapes, "
                "none, or a file with a line 'index name red green blue' a class."
            )

    @property
    def palette_is_file(self) -> bool:
        return self.palette not in (None, "none", "camvid", "cityscapes")


NARROW = Narrow(
    (
        {"width": 16, "resolution": 64},
        {"batch_size": 4, "norm": "instance"},  # as batch norm is at the published batch of one
        *each(steps=4000, log_every=50, sample_every=1000, checkpoint_every=500),
    ),
    ("width", "resolution", "steps", "batch_size"),
    "about a quarter of an hour on two cores",
    "months",
)  # fmt: skip
