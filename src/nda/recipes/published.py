"""How long the published runs are: epochs of a data set, in updates of the networks.

The one place where these numbers come from. Configurations and defaults hold what it gives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# Images of the training split, less a part where a recipe keeps one to choose or validate by.
CIFAR, CIFAR_BUT_A_TENTH = 50_000, 45_000
CELEBA = 162_770
STL10 = 100_000  # the unlabelled ones
IMAGENET100, IMAGENET100_BUT_A_TENTH = 126_689, 114_020
CITYSCAPES = 2_975
UCF101, UCF101_BUT_A_TENTH = 9_537, 8_583  # videos of the first fold
HMDB51_BUT_A_TENTH = 3_213


@dataclass(frozen=True)
class Length:
    """So many epochs of `images` (or videos), `batch` of which make one update."""

    images: int
    epochs: int
    batch: int
    rest: bool = False  # whether what is left at the end of an epoch makes a batch as well

    @property
    def updates_an_epoch(self) -> int:
        return (math.ceil if self.rest else math.floor)(self.images / self.batch)

    @property
    def steps(self) -> int:
        return self.epochs * self.updates_an_epoch


# By data set, a table a recipe. An update of a GAN's generator takes 4 batches of 64, of its
# discriminator.
GAN = {
    "cifar10": Length(CIFAR, 500, 256),
    "cifar100": Length(CIFAR, 500, 256),
    "celeba64": Length(CELEBA, 500, 256),
    "stl10": Length(STL10, 300, 256),
}
MOCO = {
    "cifar10": Length(CIFAR, 1000, 256),
    "cifar100": Length(CIFAR, 1000, 256),
    "imagenet100": Length(IMAGENET100, 200, 128),
}
LINEAR_PROBE = {
    "cifar10": Length(CIFAR_BUT_A_TENTH, 100, 256, rest=True),
    "cifar100": Length(CIFAR_BUT_A_TENTH, 100, 256, rest=True),
    "imagenet100": Length(IMAGENET100_BUT_A_TENTH, 100, 256, rest=True),
}
PIX2PIX = {
    "cityscapes": Length(CITYSCAPES, 200, 1),
}
DPC = {
    "ucf101": Length(UCF101, 200, 64),
}
ACTION = {
    "ucf101": Length(UCF101_BUT_A_TENTH, 200, 64),
    "hmdb51": Length(HMDB51_BUT_A_TENTH, 200, 64),
}

# Images of the test split: as many are generated as there are real ones to compare them with.
TEST_IMAGES = {"cifar10": 10_000, "cifar100": 10_000, "celeba64": 19_962, "stl10": 8_000}
