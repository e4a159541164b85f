"""Images compared in the features of EfficientNet-Lite0, trained on ImageNet.

Features that no run's data has shaped, so figures mean the same on every set of images. They are
not Inception's: no figure here is FID or KID, and each says in its name whose features it is of.

Images are brought to 96 pixels as Parmar et al. (2022) found it to matter: bicubic, antialiased
where they shrink, never rounded between. What is finer than that in larger images is not seen.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nda.data.images.image_set import check_images
from nda.errors import DataError, ShapeError
from nda.evaluation.fidelity.frechet import frechet_distance
from nda.evaluation.fidelity.kernel import BLOCKS, kernel_distance
from nda.evaluation.fidelity.manifolds import COVERED, NEIGHBOURS, compare_manifolds
from nda.evaluation.record import Metric, Protocol
from nda.networks.pretrained.lite0 import TOP, pretrained_trunk, without_norms
from nda.runtime.digest import weights_digest
from nda.runtime.progress import tracked

SIDE = 96  # pixels that images are brought to; 224, as in training, would take ten times as long
_BATCH = 16  # what a core's caches hold is quicker than larger ones
FEWEST = 2 * BLOCKS  # images a side


class Lite0Features:
    """The network, from the package of its weights (`ConfigError` where that is not installed)."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        trunk = pretrained_trunk(top=True)
        self.fingerprint = weights_digest(trunk)
        self.device = torch.device(device)
        self._network = without_norms(trunk).to(self.device).to(memory_format=torch.channels_last)

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Features float32 (N, 1280) on the CPU of images uint8 (N, 3, H, W)."""
        check_images(images, "Images for EfficientNet-Lite0")
        batches = images.split(_BATCH) if len(images) else ()
        parts = [
            self._network(at_side(part.to(self.device)))[-1].mean(dim=(2, 3)).float().cpu()
            for part in tracked(batches, "features of EfficientNet-Lite0")
        ]
        return torch.cat([torch.empty(0, TOP), *parts])


def at_side(images: Tensor, side: int = SIDE) -> Tensor:
    """uint8 images (B, 3, H, W) as float32 (B, 3, side, side) in [-1, 1], channels last.

    That range is the one that the weights were trained with (not ImageNet's mean and deviation).
    """
    x = images.float().contiguous(memory_format=torch.channels_last)
    if x.shape[-2:] != (side, side):
        x = F.interpolate(x, (side, side), mode="bicubic", antialias=True).clamp_(0, 255)
    return x.div_(127.5).sub_(1)


def lite0_metrics(
    real: Tensor,
    generated: Tensor,
    *,
    protocol: Protocol,
    device: torch.device | str = "cpu",
) -> list[Metric]:
    """Fréchet and kernel distance, precision, recall, density and coverage, in these features.

    Both are uint8 (N, 3, H, W) of one size (`ShapeError`), at least 20 each (`DataError`). As many
    of both are compared, the first ones, since the Fréchet distance depends on their number.
    `protocol` is what the caller knows, to which features, weights and numbers are added.
    """
    if real.shape[1:] != generated.shape[1:]:
        raise ShapeError(
            f"Real images are {tuple(real.shape[1:])} and generated ones "
            f"{tuple(generated.shape[1:])}; they are compared at one size."
        )
    count = min(len(real), len(generated))
    if count < FEWEST:
        raise DataError(
            f"Features are compared of at least {FEWEST} images a side, and of some thousands to "
            f"mean much; got {count}."
        )
    features = Lite0Features(device)
    protocol = {
        **protocol,
        "features": f"EfficientNet-Lite0, ImageNet, weights {features.fingerprint}",
        "side": SIDE,
        "real_images": count,
        "generated_images": count,
    }
    return compared(features(real[:count]), features(generated[:count]), protocol)


def compared(real: Tensor, generated: Tensor, protocol: Protocol) -> list[Metric]:
    """The figures of `lite0_metrics`, of features (N, 1280) and (M, 1280)."""
    kernel = kernel_distance(real, generated)
    blocks: Protocol = {**protocol, "kernel_blocks": kernel.blocks, "block_size": kernel.size}
    manifolds = compare_manifolds(real, generated)
    frechet = frechet_distance(real, generated)
    return [
        _metric("frechet", "Fréchet distance", frechet, "lower", protocol),
        _metric(
            "kernel",
            "kernel distance (unbiased)",
            kernel.value,
            "lower",
            blocks,
            interval=list(kernel.interval),
        ),
        _metric("kernel_error", "kernel distance, standard error", kernel.error, "", blocks),
        *(
            _metric(name, name, getattr(manifolds, name), "higher", {**protocol, "neighbours": k})
            for name, k in (
                ("precision", NEIGHBOURS),
                ("recall", NEIGHBOURS),
                ("density", COVERED),
                ("coverage", COVERED),
            )
        ),
    ]


def _metric(
    figure: str, title: str, value: float, better: str, protocol: Protocol, **more: Any
) -> Metric:
    kind = {"figure": figure, "features": "lite0"}
    return Metric(
        f"lite0_{figure}", f"EfficientNet-Lite0 {title}", value, better, protocol, kind=kind, **more
    )
