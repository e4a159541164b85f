"""The features an encoder gives of a set of images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nda.data.images.image_set import to_float
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
    if images.dtype != torch.uint8 or images.dim() != 4 or images.shape[1] != 3 or not len(images):
        raise ShapeError(
            f"Features are taken of images as uint8 of shape (N, 3, H, W); got {images.dtype} of "
            f"shape {tuple(images.shape)}. Convert with nda.data.to_uint8."
        )
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
