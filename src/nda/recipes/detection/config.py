"""The settings of the detection recipe; those of training are by default MoCo's for Pascal VOC."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from nda.errors import ConfigError
from nda.recipes.narrow import Narrow, each
from nda.training.config import PATH, RunConfig
from nda.validators import at_least

SMALL = "cifar_"  # encoders whose map has a quarter of the image's side, not a sixteenth
# What images of a photograph's size are resized to, and what suits encoders of small images.
_SIDES = ((480, 512, 544, 576, 608, 640, 672, 704, 736, 768, 800), (96, 104, 112, 120, 128))
_LONGEST = (1333, 213)
_ANCHORS = ((32, 64, 128, 256, 512), (8, 16, 32, 64, 128))


@dataclass(frozen=True, kw_only=True)
class DetectionConfig(RunConfig):
    """How well an encoder serves a detector of objects: Faster R-CNN C4 on it (paper, section 5).

    Data is in Pascal VOC's layout; all layers are trained.

    Args:
        recipe: name of the recipe
        data: folder or .zip with JPEGImages, Annotations and ImageSets/Main
        encoder: folder of a moco run to take the weights of, or none for random ones
        network: of random weights: resnet18, resnet50, cifar_resnet18 or cifar_resnet50
        width: channels of its stem; 64 if not given
        train_split: list in ImageSets/Main to train on; several are joined by commas
        test_split: list to measure on
        classes: classes to find, separated by commas; all of them where none is given
        resolution: longer side in pixels to which larger images are shrunk when they are read
        steps: updates of the detector
        batch_size: images an update
        train_sides: shorter sides in training, one drawn an image; 480,512,...,800 if not given, or
            96,104,...,128 for cifar_ networks
        test_side: shorter side in tests; the largest of those in training if not given
        longest_side: longer side at most; 1333 if not given, or 213
        anchors: sizes of the anchors in pixels; 32,64,128,256,512 if not given, or a quarter
        roi_size: side of the cut-outs that are classified
        rois: cut-outs an image that are trained on
        proposals: boxes an image that the first stage hands on in training; in tests half as many
        flip: mirror half of the training images
        lr: learning rate (SGD, momentum 0.9)
        warmup: steps over which it rises from a thousandth
        first_drop: share of the steps after which it is a tenth
        second_drop: share of the steps after which it is a hundredth
        weight_decay: weight decay, of weights but not of norms and biases
        sample_every: steps between pictures of what is found
    """

    recipe: Literal["detection"] = "detection"
    encoder: str = field(default="none", metadata=PATH)
    network: str | None = None
    width: int | None = None
    train_split: str = "train"
    test_split: str = "val"
    steps: int = 24_000
    batch_size: int = 16
    train_sides: str | None = None
    test_side: int | None = None
    longest_side: int | None = None
    anchors: str | None = None
    roi_size: int = 14
    rois: int = 512
    proposals: int = 2000
    flip: bool = True
    lr: float = 0.02
    warmup: int = 100
    first_drop: float = 0.75
    second_drop: float = 11 / 12
    weight_decay: float = 1e-4
    checkpoint_every: int = 1000
    sample_every: int = 4000

    @property
    def rate_falls(self) -> bool:
        return True

    def check(self) -> None:
        super().check()
        for name, smallest in (("roi_size", 2), ("rois", 1), ("proposals", 2), ("warmup", 0),
                               ("weight_decay", 0)):  # fmt: skip
            at_least(self, name, smallest)
        for name in ("width", "resolution", "test_side", "longest_side"):
            if getattr(self, name) is not None:
                at_least(self, name, 1 if name == "width" else 32)
        if not 0 < self.lr < float("inf"):
            raise ConfigError(f"lr is {self.lr}; it must be above 0.")
        if not 0 <= self.first_drop <= self.second_drop <= 1:
            raise ConfigError(
                f"first_drop is {self.first_drop} and second_drop {self.second_drop}; they are "
                "shares of the steps between 0 and 1, the first not above the second."
            )
        if self.holdout != RunConfig.holdout:
            raise ConfigError(
                f"holdout is {self.holdout}, but detection takes its splits from lists by name; "
                "leave it out and give --train_split and --test_split."
            )
        if self.precision != "32-true":
            raise ConfigError(
                f"precision is {self.precision}; detection takes 32-true, since boxes lose whole "
                "pixels in half precision. Leave it out."
            )
        if self.compile:
            raise ConfigError(
                "compile is not for detection, whose images and boxes have other sizes at every "
                "step; leave it out."
            )
        for small in (False, True):
            self.sides(small)
            self.anchor_sizes(small)

    def sides(self, small: bool) -> tuple[int, ...]:
        """Shorter sides in training; `small` for an encoder of small images."""
        return _numbers("train_sides", self.train_sides, _SIDES[small], 32)

    def side_of_tests(self, small: bool) -> int:
        return self.test_side or max(self.sides(small))

    def longest(self, small: bool) -> int:
        return self.longest_side or _LONGEST[small]

    def anchor_sizes(self, small: bool) -> tuple[int, ...]:
        return _numbers("anchors", self.anchors, _ANCHORS[small], 1)


def _numbers(
    name: str, text: str | None, default: tuple[int, ...], smallest: int
) -> tuple[int, ...]:
    """The whole numbers of a setting that joins them by commas."""
    if text is None:
        return default
    try:
        numbers = tuple(int(word) for word in str(text).split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < smallest:
        raise ConfigError(
            f"{name} is {text!r}; give whole numbers from {smallest}, separated by commas, such "
            f"as {','.join(map(str, default))}."
        )
    return numbers


NARROW = Narrow(
    (
        {"encoder": "none", "network": "cifar_resnet18", "width": 16},  # a run knows its own
        {
            "resolution": 200, "train_sides": "64,72,80,88,96", "test_side": 96,
            "longest_side": 160, "anchors": "12,24,48,80",
        },
        {"roi_size": 7, "rois": 32, "proposals": 200},
        {"batch_size": 8, "lr": 0.05},
        {"steps": 400, "warmup": 50},
        *each(checkpoint_every=100, sample_every=100),
    ),
    ("resolution", "steps", "batch_size"),
    "about seven minutes on one core where the encoder is as narrow",
    "months",
)  # fmt: skip
