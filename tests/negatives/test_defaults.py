"""The documented settings of negatives that are named alone; of the paper's, those of the paper."""

from __future__ import annotations

from tests.support.defaults import defaults_of

_CUT = {"seam": "hard", "width": 3, "offset": "fixed", "edge": "straight"}
_BOX = {"low": 1 / 3, "high": 1 / 2}


def test_defaults_are_the_documented_ones() -> None:
    assert defaults_of("nda.negatives") == {
        "Jigsaw": {"grid": 2, **_CUT},
        "Stitch": _CUT,
        "Patch": _BOX,
        "Cutout": _BOX,
        "CutMix": {**_BOX, "seam": "hard", "width": 3, "edge": "straight"},
        "Mixup": {"alpha": 25.0},
        "Blemish": {"low": 0.03, "high": 0.4, "seam": "hard", "width": 3},
        "Cut": {**_CUT, "seams": ("hard", "feather", "poisson")},
        "RandomCrop": {"padding": 0.125},
        "GaussianNoise": {"std": 0.1},
        "RandomApply": {"p": 0.5},
        "WithMask": {"probability": 1.0, "value_range": (0.0, 1.0)},
        "PerImage": {"probability": 1.0, "value_range": (0.0, 1.0)},
    }


def test_faults_are_of_full_strength_unless_told() -> None:
    full = {"strength": 1.0}
    assert defaults_of("nda.negatives.faults") == {
        "Fault": full,
        "Crack": full,
        "Missing": full,
        "Paste": {"labels": "binary", **full},
        "Scar": full,
        "Stain": full,
        "Texture": full,
    }
