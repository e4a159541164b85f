"""The two cheapest detectors there are, to set the chosen one beside: anything has to beat them."""

from __future__ import annotations

from torch import Tensor

from nda.data import ImageSet, to_float
from nda.errors import ConfigError
from nda.evaluation.fidelity.nearest import pixel_distance
from nda.evaluation.outliers.detector import image_scores, score_maps
from nda.networks.pretrained.fitted import build_fitted
from nda.recipes.anomaly.method import FITTED_AT_ONCE, channels_last

MOST = 2000  # normal images that are compared with, evenly taken
PIXELS = "nearest pixels"
POOLED = "nearest features"


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
