"""Negative data augmentation for PyTorch (Sinha et al., ICLR 2021): teach a model what data is not.

    import nda
    negatives = nda.Jigsaw()(images)  # (B, C, H, W): local texture kept, global structure broken

The public names are listed here. Importing nda does not import torch until one of them is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nda import data as data
    from nda import negatives as negatives
    from nda import objectives as objectives
    from nda.api.check import check as check
    from nda.api.compare import compare as compare
    from nda.api.detector import AnomalyDetector as AnomalyDetector
    from nda.api.gan import GanDiscriminator as GanDiscriminator
    from nda.api.gan import GanGenerator as GanGenerator
    from nda.api.preview import preview as preview
    from nda.api.probe.runs import probe as probe
    from nda.api.runs.train import evaluate as evaluate
    from nda.api.runs.train import resume as resume
    from nda.api.runs.train import train as train
    from nda.api.score.run import score as score
    from nda.errors import UserError as UserError
    from nda.evaluation.outliers.detector import load_detector as load_detector
    from nda.export.encoder import load_encoder as load_encoder
    from nda.negatives import Blemish as Blemish
    from nda.negatives import Crack as Crack
    from nda.negatives import CutMix as CutMix
    from nda.negatives import Cutout as Cutout
    from nda.negatives import GaussianNoise as GaussianNoise
    from nda.negatives import HorizontalFlip as HorizontalFlip
    from nda.negatives import Jigsaw as Jigsaw
    from nda.negatives import Missing as Missing
    from nda.negatives import Mixup as Mixup
    from nda.negatives import Negative as Negative
    from nda.negatives import OneOf as OneOf
    from nda.negatives import Paste as Paste
    from nda.negatives import RandomApply as RandomApply
    from nda.negatives import RandomCrop as RandomCrop
    from nda.negatives import Scar as Scar
    from nda.negatives import Stain as Stain
    from nda.negatives import Stitch as Stitch
    from nda.negatives import Texture as Texture
    from nda.negatives import negative_from_name as negative_from_name
    from nda.negatives.transforms import PerImage as PerImage
    from nda.negatives.transforms import WithMask as WithMask
    from nda.objectives import dense_predictive as dense_predictive
    from nda.objectives import gradient_penalty as gradient_penalty
    from nda.objectives import hinge_d as hinge_d
    from nda.objectives import hinge_g as hinge_g
    from nda.objectives import least_squares_d as least_squares_d
    from nda.objectives import least_squares_g as least_squares_g
    from nda.objectives import logistic_d as logistic_d
    from nda.objectives import logistic_g as logistic_g
    from nda.objectives import nda_info_nce as nda_info_nce
    from nda.objectives import prior_corrected_g as prior_corrected_g
    from nda.objectives import relativistic_d as relativistic_d
    from nda.objectives import relativistic_g as relativistic_g
    from nda.objectives import sample_mixture as sample_mixture
    from nda.objectives import structure_d as structure_d
    from nda.objectives import structure_g as structure_g
    from nda.objectives import three_class_d as three_class_d
    from nda.objectives import three_class_g as three_class_g
    from nda.objectives import wasserstein_d as wasserstein_d
    from nda.objectives import wasserstein_g as wasserstein_g
    from nda.objectives import zero_centred_penalty as zero_centred_penalty

    __version__: str

_HOMES = {
    "nda.api.check": ("check",),
    "nda.api.compare": ("compare",),
    "nda.api.detector": ("AnomalyDetector",),
    "nda.api.gan": ("GanDiscriminator", "GanGenerator"),
    "nda.api.preview": ("preview",),
    "nda.api.probe.runs": ("probe",),
    "nda.api.runs.train": ("evaluate", "resume", "train"),
    "nda.api.score.run": ("score",),
    "nda.errors": ("UserError",),
    "nda.evaluation.outliers.detector": ("load_detector",),
    "nda.export.encoder": ("load_encoder",),
    "nda.negatives": (
        "Blemish", "Crack", "CutMix", "Cutout", "GaussianNoise", "HorizontalFlip", "Jigsaw",
        "Missing", "Mixup", "Negative", "OneOf", "Paste", "RandomApply", "RandomCrop", "Scar",
        "Stain", "Stitch", "Texture", "negative_from_name",
    ),
    "nda.negatives.transforms": ("PerImage", "WithMask"),
    "nda.objectives": (
        "dense_predictive", "gradient_penalty", "hinge_d", "hinge_g", "least_squares_d",
        "least_squares_g", "logistic_d", "logistic_g", "nda_info_nce", "prior_corrected_g",
        "relativistic_d", "relativistic_g", "sample_mixture", "structure_d", "structure_g",
        "three_class_d", "three_class_g", "wasserstein_d", "wasserstein_g",
        "zero_centred_penalty",
    ),
}  # fmt: skip
# What the core install cannot do; the others need torch, numpy, pillow and their like alone.
_TRAINED = (
    "nda.api.check", "nda.api.compare", "nda.api.probe.runs", "nda.api.runs.train",
    "nda.api.score.run",
)  # fmt: skip
_OF_TORCHVISION = ("nda.export.encoder", "nda.negatives.transforms")  # these need that alone
_ROOMS = ("data", "negatives", "objectives")  # modules that are there without being imported first
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"nda.{name}")
    if name == "__version__":
        from importlib.metadata import version

        return version("nda-torch")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'nda' has no attribute {name!r}")
    if _HOME_OF[name] in _TRAINED:
        from nda.extras import require_training

        require_training(f"nda.{name}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    """What can be used as nda is installed: help and Tab look at each of them."""
    from nda.extras import lacks_training

    lacking = (*_TRAINED, *_OF_TORCHVISION) if lacks_training() else ()
    usable = [name for name in __all__ if _HOME_OF[name] not in lacking]
    return sorted([*usable, *_ROOMS, "__version__"])
