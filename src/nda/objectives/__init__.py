"""Objectives: pure functions of tensors that let negatives into a loss."""

from nda.objectives.adversarial import (
    hinge_d,
    hinge_g,
    least_squares_d,
    least_squares_g,
    logistic_d,
    logistic_g,
    sample_mixture,
    wasserstein_d,
    wasserstein_g,
)
from nda.objectives.penalty import gradient_penalty

__all__ = [
    "gradient_penalty",
    "hinge_d",
    "hinge_g",
    "least_squares_d",
    "least_squares_g",
    "logistic_d",
    "logistic_g",
    "sample_mixture",
    "wasserstein_d",
    "wasserstein_g",
]
