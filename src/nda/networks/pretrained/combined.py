"""Gaussian of each place and nearest neighbours together: the more surprised of them decides.

Their distances are in units of their own. Each is taken as a z-score, the deviation of its
logarithm from that of normal images which the method was not fitted to. Ranks among those images
would tie for all that is further away than any of them; a normal tail goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nda.errors import DataError
from nda.networks.pretrained.fitted_map import FeaturesGiven, FittedMap
from nda.networks.pretrained.gaussian import GaussianMap, Moments, sum_of
from nda.networks.pretrained.neighbours import MOST_KEPT, NeighbourMap, shares
from nda.validators import counted

FOLDS = 3  # of the normal images: each is compared with what the others say
FEWEST = 2 * FOLDS
_COMPARED = 256  # images at most, evenly taken: a mean and a deviation need no more
_LEAST = 1e-6  # distance: of an image that is among the normal ones


class CombinedMap(FittedMap):
    """Images `(B, 3, S, S)` in [-1, 1] to maps `(B, G, G)` of z-scores, the larger of two methods'.

    The highest value of a map is the larger of both methods' z-scores of the image. Where
    neighbours are the more surprised, the map has the shape of theirs.
    """

    pooling = "max"
    middle: Tensor
    spread: Tensor

    def __init__(self, trunk: nn.Module, side: int, kept: int) -> None:
        super().__init__()
        self.trunk = trunk
        channels: tuple[int, ...] = trunk.channels  # type: ignore[assignment]  # of a Trunk
        self.gaussian = GaussianMap(FeaturesGiven(channels), side)
        self.neighbours = NeighbourMap(FeaturesGiven(channels), min(kept, MOST_KEPT))
        self.kept = kept
        self.register_buffer("middle", torch.zeros(2))
        self.register_buffer("spread", torch.ones(2))
        self.eval().requires_grad_(False)

    def measure(self, features: Sequence[Tensor]) -> Tensor:
        return self.larger(self.gaussian.measure(features), self.neighbours.measure(features))

    def larger(self, places: Tensor, coarse: Tensor) -> Tensor:
        """The larger z-scores of the Gaussian's maps and of the neighbours'."""
        distance = coarse.mean(dim=(1, 2)).clamp(min=_LEAST)
        size = (self.gaussian.grid, self.gaussian.grid)
        shape = F.interpolate(coarse[:, None], size, mode="bilinear", align_corners=False)[:, 0]
        shape = shape.clamp(min=_LEAST)
        shape = shape / shape.amax(dim=(1, 2), keepdim=True)
        maps = places, distance[:, None, None] * shape
        both = [
            (each.clamp(min=_LEAST).log() - self.middle[k]) / self.spread[k]
            for k, each in enumerate(maps)
        ]
        return torch.maximum(*both)

    def fit_features(self, batches: Iterable[Sequence[Tensor]]) -> None:
        """Fit both methods, and compare each with images that it was not fitted to.

        Raises `DataError` for fewer than 6 images.
        """
        normal = _Folds(self.gaussian, every=-(-self.kept // _COMPARED))
        for features in batches:
            normal.add(features)
        if normal.count < FEWEST:
            raise DataError(
                "--method combine compares its two methods on images that they were not fitted to, "
                f"and there is no doing so with {counted(normal.count, 'normal image')} to train "
                f"on; give at least {FEWEST}, or --method gaussian."
            )
        self._standardize(normal)
        self.gaussian.settle(sum_of(normal.folds))
        self.neighbours.keep(torch.cat(normal.pooled))

    def _standardize(self, normal: _Folds) -> None:
        """Take middle and spread from images of each fold, with both methods fitted to the others.

        On the way the Gaussian is fitted to parts: it is to be fitted anew.
        """
        pooled = F.normalize(torch.cat(normal.pooled), dim=1)
        compared = normal.compared()
        fold_of = torch.arange(normal.count, device=pooled.device) % FOLDS
        found: list[list[Tensor]] = [[], []]
        for k in range(FOLDS):
            self.gaussian.settle(sum_of(normal.folds[:k] + normal.folds[k + 1 :]))
            fold = [level[fold_of[:: normal.every] == k] for level in compared]
            if len(fold[0]):
                found[0].append(self.gaussian.measure(fold).amax(dim=(1, 2)))
                found[1].append(shares(fold[-1], pooled[fold_of != k]).mean(dim=(1, 2)))
        self.take_scales([torch.cat(distances) for distances in found])

    def take_scales(self, distances: Sequence[Tensor]) -> None:
        """Take middle and spread from distances of normal images, of each method `(n,)`."""
        for which, found in enumerate(distances):
            logs = found.clamp(min=_LEAST).log()
            self.middle[which] = logs.mean()
            self.spread[which] = logs.std().clamp(min=_LEAST)


class _Folds:
    """What of normal images is needed to leave a third of them out: image i is in fold i mod 3."""

    def __init__(self, gaussian: GaussianMap, every: int) -> None:
        self.gaussian = gaussian
        self.every = every  # so many-th images are compared
        self.folds = [Moments() for _ in range(FOLDS)]
        self.pooled: list[Tensor] = []
        self.held: list[list[Tensor]] = []
        self.count = 0

    def add(self, features: Sequence[Tensor]) -> None:
        places, top = self.gaussian.at_places(features), features[-1]
        if self.count == 0:
            shift = places.double().mean(dim=1, keepdim=True)
            self.folds = [Moments(shift) for _ in range(FOLDS)]
        number = torch.arange(self.count, self.count + len(top), device=top.device)
        for k, moments in enumerate(self.folds):
            moments.add(places[:, number % FOLDS == k])
        self.pooled.append(top.mean(dim=(2, 3)))
        self.held.append([level[number % self.every == 0] for level in features])
        self.count += len(top)

    def compared(self) -> list[Tensor]:
        """The features of every so many-th image, a tensor a level."""
        return [torch.cat(level) for level in zip(*self.held, strict=True)]
