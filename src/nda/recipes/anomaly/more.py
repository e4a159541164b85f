"""Normal images that were flagged wrongly: they join those that are fitted to, and no others.

They were not drawn as new images are, but because a detector found them odd. Among the images
calibrated on they would shift every p-value, and no rate would hold; fitted to they shift the
scores of those calibrated on as they shift those of new images.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from nda.data import ImageSet
from nda.recipes.anomaly.config import AnomalyConfig
from nda.recipes.sources import image_source
from nda.validators import counted


def with_more(config: AnomalyConfig) -> tuple[ImageSet, int]:
    """The normal images, those of `normal_more` behind them, and how many are not of these."""
    normal = replace(image_source(config), fit=config.fit).load()
    if config.normal_more is None:
        return normal, len(normal)
    source = replace(image_source(config), path=config.normal_more, classes=None, fit=config.fit)
    more = source.load()
    labels = normal.labels[:1].expand(len(more))  # whatever their folders are called, all normal
    together = ImageSet.of(
        torch.cat([normal.images, more.images]),
        torch.cat([normal.labels, labels]),
        normal.classes,
        normal.skipped,
        (*normal.notes, *(f"--normal_more: {sentence}" for sentence in more.told)),
    )
    names = (*normal.names, *more.names) if normal.names and more.names else ()
    return replace(together, taken=normal.taken, names=names), len(normal)


def fitted_to(groups: Tensor, held: Tensor) -> tuple[Tensor, list[str]]:
    """Which images are fitted to, bool (N + M,); and what is to be said of the M further ones.

    `groups` int64 (N + M,) are of all images, `held` bool (N,) says which of the first are held out
    to calibrate on. Copies of these, and further pictures of their parts, would tell what they are.
    """
    own = len(held)
    known = torch.isin(groups[own:], groups[:own][held])
    fitted = torch.cat([~held, ~known])
    if own == len(groups):
        return fitted, []
    out = int(known.sum())
    kept = len(known) - out
    join = "joins" if kept == 1 else "join"
    told = [
        f"{counted(kept, 'image')} of --normal_more {join} those trained on; none of that folder "
        "is calibrated on."
    ]
    if out:
        are = "is a copy or another picture" if out == 1 else "are copies or other pictures"
        told.append(f"{out:,} more of --normal_more {are} of what is held out, and left aside.")
    return fitted, told
