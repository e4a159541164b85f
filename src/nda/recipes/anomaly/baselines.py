"""The cheapest detectors there are, to set the chosen one beside: anything has to beat them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from nda.data import ImageSet, to_float
from nda.errors import ConfigError
from nda.evaluation.fidelity.nearest import pixel_distance
from nda.evaluation.outliers.detector import image_scores, score_maps
from nda.networks.pretrained.fitted import build_fitted
from nda.networks.pretrained.registration import Registration
from nda.recipes.anomaly.method import FITTED_AT_ONCE, channels_last

MOST = 2000  # normal images that are compared with, evenly taken
PIXELS = "nearest pixels"
POOLED = "nearest features"
SUBTRACTED = "template pixels"


def baselines(test: Tensor, normal: ImageSet, *, chosen: str) -> tuple[dict[str, Tensor], str]:
    """Scores (N,) of images uint8 (N, 3, R, R) by two methods, and why one of them is missing.

    Distance to the nearest normal images: in raw pixels, and in pooled features of EfficientNet-
    Lite0 (extra 'pretrained'), unless that is what was `chosen`.
    """
    some = normal.spread_out(MOST).images
    found = {PIXELS: pixel_distance(test, some)}
    if chosen == "neighbours":
        return found, ""
    try:
        network = build_fitted("neighbours", "lite0", some.shape[-1], len(some), published=True)
    except ConfigError:
        return found, f"{POOLED}: not measured, as the extra 'pretrained' is not installed."
    network.fit(channels_last(to_float(part)) for part in some.split(FITTED_AT_ONCE))
    return {**found, POOLED: image_scores(score_maps(network, test), network.pooling)}, ""


def subtracted(test: Tensor, registration: Registration) -> Tensor:
    """Scores (N,) of images uint8 (N, 3, R, R): how far from their template's pixels, at most.

    In the mean over 5 x 5 places, of the channel that differs most. Templates are moved and lit as
    the images are, so it is all that can be had of them without a network.
    """
    scores = []
    for part in test.split(FITTED_AT_ONCE):
        images = to_float(part).to(registration.templates.device)
        apart = (images - registration(images)).abs().amax(dim=1, keepdim=True)
        scores.append(image_scores(F.avg_pool2d(apart, 5, stride=1, padding=2)[:, 0]).cpu())
    return torch.cat(scores)
