"""How well the pixels of faults are told from all others, over all thresholds.

Heat is counted in levels of its range, map by map, so that memory does not grow with the pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nda.data.images.defects import Defects
from nda.evaluation.outliers.faults import TABLE, kinds_of
from nda.evaluation.record import Metric, Protocol

_LEVELS = 4096  # of heat
LIMIT = 0.3  # false positives up to which the overlap of regions is integrated, as published
FIGURES = {  # column of each figure
    "pixel_auroc": "pixel AUROC, detector",
    "pixel_average_precision": "pixel average precision, detector",
    "aupro": "AUPRO, detector",
}


@dataclass(frozen=True)
class PixelCounts:
    """How many pixels have each level of heat, float64 (L,), from cold to hot.

    `regions` counts the pixels of each connected region of faults as a share of it, over all
    `count` regions.
    """

    normal: Tensor
    faulty: Tensor
    regions: Tensor
    count: int

    @property
    def pixel_auroc(self) -> float:
        below = self.normal.cumsum(0) - self.normal
        pairs = self.faulty.sum() * self.normal.sum()
        return float((self.faulty * (below + self.normal / 2)).sum() / pairs)

    @property
    def pixel_average_precision(self) -> float:
        """Precision at each level, weighed by the share of faulty pixels that it adds."""
        found, flagged = self.faulty.flip(0), (self.faulty + self.normal).flip(0)
        precision = found.cumsum(0) / flagged.cumsum(0).clamp(min=1)
        return float((found / self.faulty.sum() * precision).sum())

    @property
    def aupro(self) -> float:
        """Mean overlap with the regions, over false-positive rates to 0.3 (Bergmann et al., 2020).

        In [0, 1]: the area is divided by 0.3. Every region weighs the same, however large.
        """
        false = np.r_[0, (self.normal.flip(0).cumsum(0) / self.normal.sum()).numpy()]
        overlap = np.r_[0, (self.regions.flip(0).cumsum(0) / self.count).numpy()]
        inside = false < LIMIT
        x = np.r_[false[inside], LIMIT]
        y = np.r_[overlap[inside], np.interp(LIMIT, false, overlap)]
        return float(np.trapezoid(y, x) / LIMIT)


def count_pixels(maps: Tensor, masks: Tensor) -> PixelCounts:
    """The heat of maps `(N, h, w)`, enlarged bilinearly to masks bool `(N, H, W)`, by level."""
    from scipy import ndimage

    low, high = float(maps.min()), float(maps.max())
    counts = torch.zeros(2, _LEVELS, dtype=torch.float64)
    regions, count = torch.zeros(_LEVELS, dtype=torch.float64), 0
    for heat, mask in zip(maps, masks, strict=True):
        size = list(mask.shape)
        large = F.interpolate(heat[None, None].float(), size, mode="bilinear", align_corners=False)
        level = ((large[0, 0] - low) / max(high - low, 1e-12) * (_LEVELS - 1)).round().long()
        counts[0] += torch.bincount(level[~mask], minlength=_LEVELS)
        if not bool(mask.any()):
            continue
        numbers, found = ndimage.label(mask.numpy(), structure=np.ones((3, 3)))
        for number in range(1, found + 1):
            inside = torch.bincount(level[torch.from_numpy(numbers == number)], minlength=_LEVELS)
            counts[1] += inside
            regions += inside / inside.sum()
        count += found
    return PixelCounts(counts[0], counts[1], regions, count)


def pixel_metrics(maps: Tensor, test: Defects, protocol: Protocol) -> list[Metric]:
    """Figures of all pixels of the test split, and of those of each kind with the normal images.

    `maps` (N, h, w) is heat, enlarged bilinearly to the masks. Where the fault of an image is
    not marked, nothing is known of its pixels: it is left out, and so is a kind of such images.
    """
    if test.masks is None:
        return []
    metrics = []
    marked = test.masks.flatten(1).any(dim=1)
    for kind, rows in kinds_of(test).items():
        if not bool((rows & marked).any()):
            continue
        chosen = rows & marked | test.normal
        counts = count_pixels(maps[chosen], test.masks[chosen])
        about: Protocol = {"pixels": "of marked images of the kind and of normal ones", **protocol}
        metrics += [
            Metric(
                name=f"test_{kind}_{figure}".replace(" ", "_"),
                title=f"{column.partition(',')[0]} on {kind}".replace("pixel", "Pixel"),
                value=getattr(counts, figure),
                better="higher",
                protocol=about,
                table=TABLE,
                row=f"{kind} ({int(rows.sum())})",
                column=column,
            )
            for figure, column in FIGURES.items()
        ]
    return metrics
