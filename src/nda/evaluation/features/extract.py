"""The features an encoder gives of a set of images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nda.data.images.image_set import check_images, to_float
from nda.errors import ShapeError, TrainingError


@torch.no_grad()
def extract_features(
    network: nn.Module,
    images: Tensor,
    *,
    batch_size: int = 256,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Features float32 `(N, D)` on the CPU of images uint8 `(N, 3, H, W)`, in eval mode.

    `network` lies on `device` and gives `(B, D)` for float images in [-1, 1]; its mode is left as
    it was. Raises `ShapeError` for other images or features, and `TrainingError` for features
    that are not finite.
    """
    check_images(images, "Images to take features of")
    if not len(images):
        raise ShapeError("No images to take features of were given; give at least one.")
    modes = {part: part.training for part in network.modules()}
    network.eval()
    try:
        parts = [_features(network, part.to(device)) for part in images.split(batch_size)]
    finally:
        for part, training in modes.items():
            part.training = training
    features = torch.cat(parts)
    broken = int((~features.isfinite()).any(dim=1).sum())
    if broken:
        raise TrainingError(
            f"The encoder's features of {broken:,} of {len(images):,} images are not finite: its "
            "training has diverged, or its weights are damaged. Lower the learning rate, or give "
            "another run."
        )
    return features


def _features(network: nn.Module, images: Tensor) -> Tensor:
    x = to_float(images).contiguous(memory_format=torch.channels_last)
    features: Tensor = network(x)
    if features.dim() != 2 or len(features) != len(images):
        raise ShapeError(
            f"An encoder must give features of shape ({len(images)}, D) for {len(images)} images; "
            f"it gave {tuple(features.shape)}. Pool over places first."
        )
    return features.float().cpu()


@dataclass(frozen=True)
class FeatureMap:
    """Places of N images, and what share of all variance each of the two axes has."""

    points: Tensor  # float32 (N, 2)
    shares: tuple[float, float]


def feature_map(features: Tensor) -> FeatureMap:
    """The first two principal components of the directions of `features` `(N, D)`.

    Features are brought to length 1 first, since encoders compare by the cosine. The sign of an
    axis is such that its largest loading is positive. Raises `ShapeError` for fewer than three
    features or two dimensions.
    """
    if features.dim() != 2 or len(features) < 3 or features.shape[1] < 2:
        raise ShapeError(
            "A map is drawn of 3 or more features of 2 or more dimensions, (N, D); got "
            f"{tuple(features.shape)}."
        )
    directions = F.normalize(features.double().cpu(), dim=1)
    centred = directions - directions.mean(dim=0)
    variance, axes = torch.linalg.eigh(centred.T @ centred)  # ascending
    first = axes[:, [-1, -2]]  # (D, 2)
    signs = first.gather(0, first.abs().argmax(dim=0, keepdim=True)).sign()
    total = float(variance.clamp(min=0).sum())
    shares = [float(variance[-each].clamp(min=0)) / total if total > 0 else 0.0 for each in (1, 2)]
    return FeatureMap((centred @ (first * signs)).float(), (shares[0], shares[1]))
