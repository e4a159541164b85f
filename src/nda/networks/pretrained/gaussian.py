"""A Gaussian at each place of aligned images (PaDiM: Defard et al., 2021), with all channels.

The covariance is shrunk by the closed form of Chen et al. (2010), OAS, which needs no second pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nda.networks.pretrained.fitted_map import FittedMap

MOST_CHANNELS = 176  # of EfficientNet-Lite0's three maps; of wider backbones as many at random
MOST_PLACES = 32  # a side: what is kept of a place does not grow with the images
_BLUR = (1.0, 4)  # deviation and radius of the smoothing, in places


class GaussianMap(FittedMap):
    """Images `(B, 3, S, S)` in [-1, 1] to Mahalanobis distances `(B, G, G)`, smoothed.

    `G` is S / 8, at most 32. Three maps of the trunk are brought to that size and laid behind each
    other. The distance at a place is to the Gaussian of the normal images' features there, so a
    part must always stand where it stood. What is kept is G² times the square of the channels.
    """

    pooling = "max"
    mean: Tensor
    whiten: Tensor
    chosen: Tensor

    def __init__(self, trunk: nn.Module, side: int) -> None:
        super().__init__()
        self.trunk = trunk
        total = sum(trunk.channels[:3])  # type: ignore[index]  # of a Trunk
        self.grid = grid_of(side)
        places, channels = self.grid**2, min(total, MOST_CHANNELS)
        self.register_buffer("mean", torch.zeros(places, 1, channels))
        self.register_buffer("whiten", torch.zeros(places, channels, channels))
        order = torch.randperm(total, generator=torch.Generator().manual_seed(0), device="cpu")
        self.register_buffer("chosen", order[:channels].sort().values.to(self.mean.device))
        offsets = torch.arange(-_BLUR[1], _BLUR[1] + 1, device="cpu")
        weights = torch.exp(-(offsets / _BLUR[0]).square() / 2)
        self.register_buffer("blur", weights / weights.sum(), persistent=False)
        self.eval().requires_grad_(False)

    blur: Tensor

    def measure(self, features: Sequence[Tensor]) -> Tensor:
        centred = self.at_places(features) - self.mean
        whitened = torch.bmm(centred, self.whiten)  # (places, B, channels)
        distances = whitened.square().sum(dim=2).sqrt().t()
        return self.smooth(distances.reshape(-1, self.grid, self.grid))

    def at_places(self, features: Sequence[Tensor]) -> Tensor:
        """What is known of each place `(places, B, channels)`."""
        size = (self.grid, self.grid)
        maps = [
            F.adaptive_avg_pool2d(level, size)
            if level.shape[-1] > self.grid
            else F.interpolate(level, size, mode="bilinear", align_corners=False)
            for level in features[:3]
        ]
        return torch.cat(maps, dim=1)[:, self.chosen].flatten(2).permute(2, 0, 1)

    def smooth(self, maps: Tensor) -> Tensor:
        """A Gaussian blur, so that one place alone does not decide."""
        radius = _BLUR[1]
        padded = F.pad(maps[:, None], [radius] * 4, mode="replicate")
        rows = F.conv2d(padded, self.blur.view(1, 1, 1, -1))
        return F.conv2d(rows, self.blur.view(1, 1, -1, 1)).squeeze(1)

    def fit_features(self, batches: Iterable[Sequence[Tensor]]) -> None:
        """Take mean and covariance from normal images, in memory that their number leaves alone."""
        moments = Moments()
        for features in batches:
            moments.add(self.at_places(features))
        self.settle(moments)

    def settle(self, moments: Moments) -> None:
        """Take these moments for those of normal images."""
        covariance = shrunk(moments.covariance, moments.count)
        eye = torch.eye(covariance.shape[-1], dtype=covariance.dtype, device=covariance.device)
        lower = torch.linalg.cholesky(covariance)
        inverse = torch.linalg.solve_triangular(lower, eye.expand_as(lower), upper=False)
        self.mean.copy_(moments.mean)
        self.whiten.copy_(inverse.transpose(1, 2))


@dataclass
class Moments:
    """Sums of features `(places, B, channels)` and of their products, place by place, in float64.

    Features are taken less a `shift` near their mean, so that little cancels.
    """

    shift: Tensor | None = None  # (places, 1, channels); of the first batch if not given
    count: int = 0
    total: Tensor | None = None
    square: Tensor | None = None

    def add(self, features: Tensor) -> None:
        features = features.double()
        if self.shift is None:
            self.shift = features.mean(dim=1, keepdim=True)
        features = features - self.shift
        self.count += features.shape[1]
        total, square = features.sum(dim=1, keepdim=True), features.transpose(1, 2) @ features
        self.total = total if self.total is None else self.total.add_(total)
        self.square = square if self.square is None else self.square.add_(square)

    @property
    def mean(self) -> Tensor:
        """`(places, 1, channels)`"""
        assert self.shift is not None
        assert self.total is not None
        return self.shift + self.total / self.count

    @property
    def covariance(self) -> Tensor:
        """`(places, channels, channels)`, divided by the count."""
        assert self.total is not None
        assert self.square is not None
        centre = self.total / self.count
        return self.square / self.count - centre.transpose(1, 2) @ centre


def grid_of(side: int) -> int:
    """Places a side of images of `side` pixels."""
    return min(side // 8, MOST_PLACES)


def sum_of(parts: Sequence[Moments]) -> Moments:
    """The moments of all features together; the parts have one shift."""
    assert all(part.shift is parts[0].shift for part in parts)
    total = Moments(parts[0].shift)
    for part in parts:
        assert part.total is not None
        assert part.square is not None
        total.count += part.count
        total.total = part.total if total.total is None else total.total + part.total
        total.square = part.square if total.square is None else total.square + part.square
    return total


def shrunk(covariance: Tensor, count: int) -> Tensor:
    """Covariances `(..., D, D)` of `count` samples, moved towards a multiple of the identity.

    How far is the oracle approximating shrinkage of Chen et al. (2010), equation 23. A floor keeps
    what never varies invertible.
    """
    size = covariance.shape[-1]
    trace = covariance.diagonal(dim1=-2, dim2=-1).sum(dim=-1)
    squares = covariance.square().sum(dim=(-2, -1))
    share, level = (each[..., None, None] for each in shrinkage(trace, squares, count, size))
    eye = torch.eye(size, dtype=covariance.dtype, device=covariance.device)
    return (1 - share) * covariance + share * level * eye


def shrinkage(trace: Tensor, squares: Tensor, count: int, size: int) -> tuple[Tensor, Tensor]:
    """How far covariances are moved, and the multiple of the identity that they are moved to.

    Of the covariances `size` x `size` of `count` samples, the traces and the sums of squares.
    """
    above = (1 - 2 / size) * squares + trace.square()
    below = (count + 1 - 2 / size) * (squares - trace.square() / size)
    share = torch.where(below > 0, above / below, 1.0).clamp(0.0, 1.0)
    return share, (trace / size).clamp(min=1e-6)
