"""The networks that are fitted to normal images at once, and the backbones of all detectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nda.extras import needed
from nda.networks.pretrained.combined import CombinedMap
from nda.networks.pretrained.fitted_map import FittedMap
from nda.networks.pretrained.gaussian import GaussianMap
from nda.networks.pretrained.left_out import (
    LeftOutCombined,
    LeftOutGaussian,
    LeftOutNeighbours,
)
from nda.networks.pretrained.left_out_memory import LeftOutMemory
from nda.networks.pretrained.lite0 import NAME, Lite0Trunk, pretrained_trunk
from nda.networks.pretrained.memory import MemoryMap
from nda.networks.pretrained.neighbours import MOST_KEPT, NeighbourMap
from nda.networks.pretrained.reference import ReferenceTrunk

FITTED = ("gaussian", "memory", "neighbours", "combine")


def build_trunk(
    backbone: str, *, seed: int = 0, published: bool = False, top: bool = False
) -> nn.Module:
    """A backbone by its name, lite0 or torchvision:NAME[:weights.pth].

    `published` fills lite0 with its weights of ImageNet; without it they are to be loaded after.
    `top` gives it its last map as well.
    """
    if backbone == NAME:
        return pretrained_trunk(top=top) if published else Lite0Trunk(top=top)
    with needed(f"The backbone {backbone} needs torchvision", "train"):
        # which takes seconds to import
        from nda.networks.pyramid import TorchvisionTrunk
        from nda.networks.torchvision_encoder import parse_model

    name, weights = parse_model(backbone)
    return TorchvisionTrunk(name, weights, seed=seed)


def build_fitted(
    method: str,
    backbone: str,
    side: int,
    kept: int,
    *,
    published: bool = False,
    owners: Tensor | None = None,
    templates: int = 0,
) -> FittedMap:
    """The network of a method that is fitted at once, for images of `side` pixels.

    `kept` is how many normal images it is fitted to; neighbours keep at most 10,000 of them. Where
    their groups are to be left out in turn, `owners` int64 `(kept,)` says of which each image is.
    With `templates` it is fitted to differences from so many (`ReferenceTrunk`), yet to be given.
    """
    if method not in FITTED:
        raise ValueError(f"no network is fitted by the method {method!r}")
    trunk = build_trunk(backbone, published=published, top=method in ("neighbours", "combine"))
    if templates:
        trunk = ReferenceTrunk(trunk, side, templates)
    network: FittedMap
    if method == "gaussian":
        network = (
            GaussianMap(trunk, side) if owners is None else LeftOutGaussian(trunk, side, owners)
        )
    elif method == "memory":
        network = (
            MemoryMap(trunk, side, kept) if owners is None else LeftOutMemory(trunk, side, owners)
        )
    elif method == "neighbours":
        network = (
            NeighbourMap(trunk, min(kept, MOST_KEPT))
            if owners is None
            else LeftOutNeighbours(trunk, owners)
        )
    else:
        network = (
            CombinedMap(trunk, side, kept)
            if owners is None
            else LeftOutCombined(trunk, side, owners)
        )
    return network.to(memory_format=torch.channels_last)
