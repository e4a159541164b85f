"""Negatives: transforms that turn real samples into samples the data would never contain."""

from nda.negatives.base import Negative, Params
from nda.negatives.blemish import Blemish
from nda.negatives.controls import GaussianNoise, HorizontalFlip, RandomApply, RandomCrop
from nda.negatives.jigsaw import Jigsaw
from nda.negatives.mixup import Mixup
from nda.negatives.named import NEGATIVE_NAMES, negative_from_name
from nda.negatives.one_of import OneOf
from nda.negatives.patch import CutMix, Cutout
from nda.negatives.stitch import Stitch

__all__ = [
    "NEGATIVE_NAMES",
    "Blemish",
    "CutMix",
    "Cutout",
    "GaussianNoise",
    "HorizontalFlip",
    "Jigsaw",
    "Mixup",
    "Negative",
    "OneOf",
    "Params",
    "RandomApply",
    "RandomCrop",
    "Stitch",
    "negative_from_name",
]
