"""The methods that are fitted at once, with every group of normal images left out in turn.

Few images cannot be spared to calibrate on. Left out in turn each of them is judged by what the
others say, and none is lost. A new image is judged by the fit that it surprises least, which is
what the promise of `nda.evaluation.outliers.conformal` asks for (jackknife-minmax: Barber et al.,
2021).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from nda.networks.pretrained.combined import CombinedMap
from nda.networks.pretrained.fitted_map import FeaturesGiven
from nda.networks.pretrained.gaussian import GaussianMap, Moments, shrinkage
from nda.networks.pretrained.neighbours import NeighbourMap, shares


class LeftOutGaussian(GaussianMap):
    """Images `(B, 3, S, S)` in [-1, 1] to the map `(B, G, G)` of the fit that they surprise least.

    There is a fit for each group of normal images, to all but this group; `owners` int64 `(N,)`
    says which of the groups 0, 1, ... each of the N images to be fitted to is of. The map is that
    of the fit whose highest value is the lowest. `without_own` gives the normal images' own maps,
    by the fits that know nothing of their group.

    The fits differ from that to all images by a correction of low rank, so they are never made one
    by one: in the basis of the covariance's eigenvectors a distance to each costs three products.
    """

    basis: Tensor
    spectrum: Tensor
    scale: Tensor
    rows: Tensor
    offset: Tensor
    owners: Tensor

    def __init__(self, trunk: nn.Module, side: int, owners: Tensor) -> None:
        super().__init__(trunk, side)
        places, channels = self.whiten.shape[:2]
        groups = int(owners.max()) + 1
        del self.whiten
        self.register_buffer("basis", torch.zeros(places, channels, channels))  # eigenvectors
        self.register_buffer("spectrum", torch.ones(places, 1, channels))  # eigenvalues
        self.register_buffer("scale", torch.zeros(places, groups, 2))  # of them, and added to them
        self.register_buffer("rows", torch.zeros(places, len(owners), channels))
        self.register_buffer("offset", torch.zeros(places, groups, channels))  # of the means
        self.register_buffer("owners", owners.clone())

    def measure(self, features: Sequence[Tensor]) -> Tensor:
        maps = self.of_every_fit(self.centred(features))  # (B, groups, G, G)
        least = maps.flatten(2).amax(dim=2).argmin(dim=1)
        return self.of_fit(maps, least)

    def without_own(self, features: Sequence[Tensor], numbers: Tensor) -> Tensor:
        """Maps `(B, G, G)` of the normal images `numbers` `(B,)`, by fits without their groups."""
        return self.of_fit(self.of_every_fit(self.centred(features)), self.owners[numbers])

    def of_fit(self, maps: Tensor, number: Tensor) -> Tensor:
        """Of maps `(B, groups, G, G)` those `(B, G, G)` of the fits `number` `(B,)`."""
        chosen = number[:, None, None, None].expand(-1, 1, self.grid, self.grid)
        return maps.gather(1, chosen)[:, 0]

    def centred(self, features: Sequence[Tensor]) -> Tensor:
        """Features `(places, B, channels)` less their mean, in the basis of the eigenvectors."""
        return torch.bmm(self.at_places(features) - self.mean, self.basis)

    def of_every_fit(self, w: Tensor) -> Tensor:
        """Smoothed distances `(B, groups, G, G)` of `centred` features to each fit.

        That of group g is |z|² in the metric h = 1 / (a λ + b), z = w + offset, and what its images
        had narrowed: the squares of the products with their rows.
        """
        precision = 1 / (self.scale[..., :1] * self.spectrum + self.scale[..., 1:])
        moved = self.offset * precision
        squared = torch.bmm(w.square(), precision.transpose(1, 2))
        squared = squared + 2 * torch.bmm(w, moved.transpose(1, 2))
        squared = squared + (self.offset * moved).sum(dim=2)[:, None]  # (places, B, groups)
        along = torch.bmm(w, self.rows.transpose(1, 2))
        along = along + (self.rows * self.offset[:, self.owners]).sum(dim=2)[:, None]
        groups = torch.arange(self.scale.shape[1], device=w.device)
        squared = squared + along.square() @ (self.owners[:, None] == groups).to(w.dtype)
        maps = squared.clamp(min=0).sqrt().permute(1, 2, 0).reshape(-1, self.grid, self.grid)
        # An export keeps the number of images free only where it is not asked for.
        return self.smooth(maps).reshape(-1, len(groups), self.grid, self.grid)

    def fit_features(self, batches: Iterable[Sequence[Tensor]]) -> None:
        self.fit_places([self.at_places(features) for features in batches])

    def fit_places(self, parts: Sequence[Tensor]) -> None:
        """Fit to `at_places` of the normal images, in the order of their `owners`."""
        moments = Moments()
        for part in parts:
            moments.add(part)
        eigenvalues, basis = torch.linalg.eigh(moments.covariance)
        eigenvalues = eigenvalues.clamp(min=0)
        self.mean.copy_(moments.mean)
        self.basis.copy_(basis)
        self.spectrum.copy_(eigenvalues[:, None])
        deviations = (torch.cat(list(parts), dim=1).double() - moments.mean) @ basis
        for group in range(self.scale.shape[1]):
            self._leave_out(group, deviations, eigenvalues)

    def _leave_out(self, group: int, deviations: Tensor, eigenvalues: Tensor) -> None:
        """The fit without a group: its k images' deviations D `(places, k, channels)`.

        Their covariance is n / (n - k) that of all less D' W D, W = (1 + 1 1' / (n - k)) / (n - k);
        it is shrunk as that of all would be, and inverted by Woodbury's identity.
        """
        own = self.owners == group
        n, k = len(own), int(own.sum())
        left, D = n - k, deviations[:, own]
        grown = n / left
        ones = torch.ones(k, k, dtype=D.dtype, device=D.device)
        weights = (torch.eye(k, dtype=D.dtype, device=D.device) + ones / left) / left
        inner = weights @ (D @ D.transpose(1, 2))  # (places, k, k)
        within = weights @ ((D * eigenvalues[:, None]) @ D.transpose(1, 2))
        trace = grown * eigenvalues.sum(1) - _trace(inner)
        squares = (
            grown**2 * eigenvalues.square().sum(1)
            - 2 * grown * _trace(within)
            + _trace(inner @ inner)
        )
        share, level = shrinkage(trace, squares, left, D.shape[-1])
        a, b = (1 - share) * grown, share * level
        h = 1 / (a[:, None] * eigenvalues + b[:, None])
        kept = (1 - share).clamp(min=1e-12)[:, None, None]
        weighted = D * h[:, None]
        narrowed = torch.linalg.inv(weights) / kept - weighted @ D.transpose(1, 2)
        lower = torch.linalg.cholesky(narrowed)
        self.scale[:, group] = torch.stack([a, b], dim=1).to(self.scale)
        self.rows[:, own] = torch.linalg.solve_triangular(lower, weighted, upper=False).to(
            self.rows
        )
        self.offset[:, group] = (D.sum(1) / left).to(self.offset)


def _trace(matrices: Tensor) -> Tensor:
    return matrices.diagonal(dim1=-2, dim2=-1).sum(-1)


class LeftOutNeighbours(NeighbourMap):
    """As `NeighbourMap`, fitted to all N images whose groups are `owners` `(N,)`, three or more.

    Without some images the nearest are as far or further. The two nearest are of two groups at
    most, so the fit that a new image surprises least is as near as that to all images.
    """

    owners: Tensor

    def __init__(self, trunk: nn.Module, owners: Tensor) -> None:
        super().__init__(trunk, len(owners))
        self.register_buffer("owners", owners.clone())

    def without_own(self, features: Sequence[Tensor], numbers: Tensor) -> Tensor:
        """Maps `(B, h, w)` of the normal images `numbers` `(B,)`, their groups left out."""
        top = features[-1]
        maps = [
            shares(top[row : row + 1], self.bank[self.owners != self.owners[number]])
            for row, number in enumerate(numbers.tolist())
        ]
        return torch.cat(maps)


class LeftOutCombined(CombinedMap):
    """As `CombinedMap`, of both methods with groups left out.

    An image is judged by the larger of what surprises each method's fits least, which is no larger
    than what would surprise the fits of both together least. The scales come from all images, each
    with its group left out.
    """

    gaussian: LeftOutGaussian
    neighbours: LeftOutNeighbours

    def __init__(self, trunk: nn.Module, side: int, owners: Tensor) -> None:
        super().__init__(trunk, side, len(owners))
        channels: tuple[int, ...] = trunk.channels  # type: ignore[assignment]  # of a Trunk
        self.gaussian = LeftOutGaussian(FeaturesGiven(channels), side, owners)
        self.neighbours = LeftOutNeighbours(FeaturesGiven(channels), owners)

    def without_own(self, features: Sequence[Tensor], numbers: Tensor) -> Tensor:
        """Maps `(B, G, G)` of the normal images `numbers` `(B,)`, their groups left out."""
        places = self.gaussian.without_own(features, numbers)
        return self.larger(places, self.neighbours.without_own(features, numbers))

    def fit_features(self, batches: Iterable[Sequence[Tensor]]) -> None:
        kept = [list(features) for features in batches]
        features = [torch.cat(level) for level in zip(*kept, strict=True)]
        self.gaussian.fit_places([self.gaussian.at_places(part) for part in kept])
        self.neighbours.keep(features[-1].mean(dim=(2, 3)))
        numbers = torch.arange(self.kept, device=features[-1].device)
        distances: list[list[Tensor]] = [[], []]
        for some in numbers.split(32):
            part = [level[some] for level in features]
            distances[0].append(self.gaussian.without_own(part, some).amax(dim=(1, 2)))
            distances[1].append(self.neighbours.without_own(part, some).mean(dim=(1, 2)))
        self.take_scales([torch.cat(each) for each in distances])


@torch.no_grad()
def maps_without_own(network: nn.Module, images: Tensor, numbers: Tensor) -> Tensor:
    """Maps `(B, h, w)` of the normal images `numbers` `(B,)`, or of what was made of them.

    `images` are `(B, 3, S, S)` in [-1, 1]; `network` is one of the three above.
    """
    parts = [
        network.without_own(network.trunk(part), some)  # type: ignore[operator]
        for part, some in zip(images.split(32), numbers.split(32), strict=True)
    ]
    return torch.cat(parts)
