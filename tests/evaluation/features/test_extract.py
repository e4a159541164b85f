"""Features of a set of images: in eval mode, in batches, finite."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from nda.data import to_float
from nda.errors import ShapeError, TrainingError
from nda.evaluation.features.extract import extract_features


def images(count: int = 10) -> Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.randint(256, (count, 3, 8, 8), generator=rng).to(torch.uint8)


def network(bias: float = 0.0) -> nn.Sequential:
    first = nn.Conv2d(3, 5, 3)
    nn.init.constant_(first.weight, 0.01)
    nn.init.constant_(first.bias, bias)  # type: ignore[arg-type]
    return nn.Sequential(first, nn.BatchNorm2d(5), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def test_batches_change_nothing_and_eval_mode_holds() -> None:
    plain = network()
    plain[1].eval()  # a mode of its own, which must be found again
    found = extract_features(plain, images(), batch_size=3)
    assert [part.training for part in plain] == [True, False, True, True]
    assert plain[1].num_batches_tracked == 0
    with torch.no_grad():
        expected = plain.eval()(to_float(images()))
    torch.testing.assert_close(found, expected)
    assert found.dtype == torch.float32
    assert not found.requires_grad


def test_features_that_are_not_finite_are_named() -> None:
    broken = network(bias=float("nan"))
    with pytest.raises(TrainingError, match="features of 10 of 10 images are not finite"):
        extract_features(broken, images())


def test_other_images_and_features_are_refused() -> None:
    with pytest.raises(ShapeError, match="give at least one"):
        extract_features(network(), images()[:0])
    for wrong in (images().float(), images()[:, :1]):
        with pytest.raises(ShapeError, match=r"features of must be uint8 .*; got"):
            extract_features(network(), wrong)
    with pytest.raises(ShapeError, match=r"shape \(10, D\) .* it gave \(10, 5, 6, 6\)"):
        extract_features(network()[:1], images())
