"""Whether places repeat, against numpy's variances, and what follows from it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nda.networks.pretrained.choice import ALIGNED, fitting_method, place_share
from nda.networks.pretrained.gaussian import GaussianMap
from tests.networks.pretrained.test_gaussian import ThreeMaps, some_images


def test_the_share_is_that_of_numpys_variances() -> None:
    images, trunk = some_images(9) + 2 * some_images(1, seed=3), ThreeMaps()
    features = GaussianMap(trunk, 64).at_places(trunk(images)).double().numpy()  # (64, 9, 12)
    at_a_place = features.var(axis=1, ddof=1).mean(axis=0)
    everywhere = features.reshape(-1, 12).var(axis=0)
    expected = np.mean(1 - at_a_place / everywhere)
    assert place_share(trunk, 64, images.split(4)) == pytest.approx(expected, abs=1e-6)


def test_aligned_images_have_more_of_it() -> None:
    free, same = some_images(40), some_images(1, seed=5)
    assert abs(place_share(ThreeMaps(), 64, [free])) < 0.05
    assert place_share(ThreeMaps(), 64, [same + 0.3 * free]) > 0.5
    assert place_share(ThreeMaps(), 64, [torch.zeros(3, 3, 64, 64)]) == 1


@pytest.mark.parametrize(
    ("share", "method"), [(ALIGNED, "gaussian"), (ALIGNED - 1e-9, "combine"), (-0.1, "combine")]
)
def test_aligned_images_are_the_gaussians(share: float, method: str) -> None:
    assert fitting_method(share) == method
