"""Objectives: pure functions of tensors that let negatives into a loss."""

from nda.objectives.adversarial import (
    hinge_d,
    hinge_g,
    least_squares_d,
    least_squares_g,
    logistic_d,
    logistic_g,
    prior_corrected_g,
    sample_mixture,
    wasserstein_d,
    wasserstein_g,
)
from nda.objectives.contrastive import nda_info_nce
from nda.objectives.dense_predictive import dense_predictive
from nda.objectives.matched import consistency, consistency_of_vectors, shown_as_nulls
from nda.objectives.penalty import gradient_penalty, zero_centred_penalty
from nda.objectives.relativistic import relativistic_d, relativistic_g
from nda.objectives.structure import structure_d, structure_g
from nda.objectives.three_class import three_class_d, three_class_g

__all__ = [
    "consistency",
    "consistency_of_vectors",
    "dense_predictive",
    "gradient_penalty",
    "hinge_d",
    "hinge_g",
    "least_squares_d",
    "least_squares_g",
    "logistic_d",
    "logistic_g",
    "nda_info_nce",
    "prior_corrected_g",
    "relativistic_d",
    "relativistic_g",
    "sample_mixture",
    "shown_as_nulls",
    "structure_d",
    "structure_g",
    "three_class_d",
    "three_class_g",
    "wasserstein_d",
    "wasserstein_g",
    "zero_centred_penalty",
]
