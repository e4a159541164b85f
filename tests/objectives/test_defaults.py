"""The documented weights and temperatures of those who name none."""

from __future__ import annotations

from tests.support.defaults import defaults_of

_DENSE = {"negatives_from": "own", "temperature": 1.0, "first": 0}


def test_defaults_are_the_documented_ones() -> None:
    assert defaults_of("nda.objectives") == {
        "hinge_d": {"fake_weight": 0.25},
        "logistic_d": {"fake_weight": 0.25},
        "least_squares_d": {"fake_weight": 0.25},
        "wasserstein_d": {"fake_weight": 0.25},
        "prior_corrected_g": {"fake_weight": 0.25},
        "sample_mixture": {"fake_weight": 0.25},
        "nda_info_nce": {"negative_weight": 1.0},
        "dense_predictive": _DENSE,
        "dense_scores": _DENSE,
        "target_kinds": {"first": 0},
        "relativistic_d": {"negative_weight": 1.0},
        "three_class_d": {"negative_weight": 1.0},
    }
