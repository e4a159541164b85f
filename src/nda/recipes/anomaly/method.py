"""How normal images are known, where that is left to nda: by whether their places repeat."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from nda.data import to_float
from nda.networks.pretrained.choice import ALIGNED, MOST_LOOKED_AT, fitting_method, place_share
from nda.networks.pretrained.combined import FEWEST
from nda.networks.pretrained.fitted import build_trunk
from nda.recipes.anomaly.config import AnomalyConfig

FITTED_AT_ONCE = 32  # images through the backbone


@dataclass(frozen=True)
class Method:
    """How normal images are known, and why so where that was left to nda."""

    name: str
    told: list[str] = field(default_factory=list)


def method_for(config: AnomalyConfig, images: Tensor) -> Method:
    """The method that was asked for; with auto, the one that these training images suit."""
    if config.method != "auto":
        return Method(config.method)
    if len(images) < FEWEST:
        return Method("gaussian", ["--method auto takes gaussian, as more takes more images."])
    if config.reference is not None:
        return Method(
            "gaussian", ["--method auto takes gaussian: images and their templates are aligned."]
        )
    assert config.backbone is not None
    assert config.resolution is not None
    trunk = build_trunk(config.backbone, published=True).to(memory_format=torch.channels_last)
    spread = torch.linspace(0, len(images) - 1, min(MOST_LOOKED_AT, len(images))).long()
    parts = (channels_last(to_float(part)) for part in images[spread].split(FITTED_AT_ONCE))
    share = place_share(trunk.eval(), config.resolution, parts)
    name = fitting_method(share)
    why = "aligned" if name == "gaussian" else "not aligned"
    return Method(
        name,
        [
            f"--method auto takes {name}: the images are {why}, as {max(share, 0):.0%} of the "
            f"variance of their features is a matter of place ({ALIGNED:.0%} for aligned ones)."
        ],
    )


def channels_last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)
