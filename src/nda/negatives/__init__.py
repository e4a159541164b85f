"""Negatives: transforms that turn real samples into samples the data would never contain."""

from nda.negatives.base import Negative, Params
from nda.negatives.blemish import Blemish
from nda.negatives.controls import GaussianNoise, HorizontalFlip, RandomApply, RandomCrop
from nda.negatives.faults.crack import Crack
from nda.negatives.faults.missing import Missing
from nda.negatives.faults.paste import Paste
from nda.negatives.faults.scar import Scar
from nda.negatives.faults.stain import Stain
from nda.negatives.faults.texture import Texture
from nda.negatives.jigsaw import Jigsaw
from nda.negatives.mixup import Mixup
from nda.negatives.named import NEGATIVE_NAMES, negative_from_name
from nda.negatives.one_of import OneOf
from nda.negatives.patch import CutMix, Cutout
from nda.negatives.stitch import Stitch

__all__ = [
    "NEGATIVE_NAMES",
    "Blemish",
    "Crack",
    "CutMix",
    "Cutout",
    "GaussianNoise",
    "HorizontalFlip",
    "Jigsaw",
    "Missing",
    "Mixup",
    "Negative",
    "OneOf",
    "Params",
    "Paste",
    "RandomApply",
    "RandomCrop",
    "Scar",
    "Stain",
    "Stitch",
    "Texture",
    "negative_from_name",
]
