"""Parts of MoCo (He et al., 2020; Chen et al., 2020): head, queue, split batch norm, shuffle."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nda.errors import ConfigError, ShapeError
from nda.networks.resnet import build_encoder, feature_dim
from nda.runtime.distributed import all_gather, rank_and_world_size
from nda.runtime.seeding import seeded

MOMENTUM = 0.1  # of running statistics, as torch's own


def build_moco(name: str, *, width: int, dim: int, bn_splits: int, seed: int) -> nn.Sequential:
    """Encoder and MLP head: images `(B, 3, H, W)` in [-1, 1] to vectors `(B, dim)`.

    Their length is not 1 yet. `network[0]` is the encoder. With `bn_splits` above 1, batch norms
    take their statistics of so many parts of a batch, as on so many GPUs.
    """
    encoder = build_encoder(name, width=width, seed=seed)
    features = feature_dim(name, width)
    with seeded(seed):
        head = nn.Sequential(nn.Linear(features, features), nn.ReLU(), nn.Linear(features, dim))
    if bn_splits > 1:
        split_batch_norms(encoder, bn_splits)
    return nn.Sequential(encoder, head)


class SplitBatchNorm(nn.BatchNorm2d):
    """Batch norm that normalises each of several equal parts of a batch by statistics of its own.

    It stands for as many GPUs where there is one. Running statistics are means over the parts; in
    eval mode, and in its state dict, it is a `BatchNorm2d`. Raises `ShapeError` where a batch
    cannot be parted evenly.
    """

    def __init__(self, features: int, *, splits: int) -> None:
        super().__init__(features)
        self.splits = splits

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.splits == 1:
            return super().forward(x)
        if len(x) % self.splits:
            raise ShapeError(
                f"A batch of {len(x)} cannot be parted into {self.splits} equal ones; give a "
                "batch size that is a multiple of --bn_splits."
            )
        # Each part moves a copy of the running statistics; theirs is the mean of the copies.
        kept = [each for each in (self.running_mean, self.running_var) if each is not None]
        copies = [each.repeat(self.splits, 1) for each in kept]
        parts = [
            F.batch_norm(part, mean, var, self.weight, self.bias, True, MOMENTUM, self.eps)
            for part, mean, var in zip(x.chunk(self.splits), *copies, strict=True)
        ]
        for each, moved in zip(kept, copies, strict=True):
            each.copy_(moved.mean(dim=0))
        return torch.cat(parts)


def split_batch_norms(network: nn.Module, splits: int) -> None:
    """Put a `SplitBatchNorm` in the place of every batch norm; weights start anew, as they were."""
    for name, part in list(network.named_modules()):
        if isinstance(part, nn.BatchNorm2d):
            network.set_submodule(name, SplitBatchNorm(part.num_features, splits=splits))


class Queue(nn.Module):
    """The newest `size` vectors of past steps, each of length 1; random ones at first.

    `vectors` `(size, dim)`; `born` `(size,)` tells in which step each came, -1 for random ones. The
    place where the next ones go follows from the step, so that nothing has to be waited for.
    """

    vectors: Tensor
    born: Tensor

    def __init__(self, size: int, dim: int, *, batch: int, seed: int = 0) -> None:
        super().__init__()
        if size < batch or size % batch:
            raise ConfigError(
                f"The queue holds {size} vectors and takes {batch} a step; its size must be a "
                f"multiple of {batch}, such as {max(1, round(size / batch)) * batch}."
            )
        rng = torch.Generator().manual_seed(seed)
        self.batch = batch
        vectors = F.normalize(torch.randn(size, dim, generator=rng), dim=1)
        self.register_buffer("vectors", vectors)
        self.register_buffer("born", torch.full((size,), -1))

    @torch.no_grad()
    def enqueue(self, vectors: Tensor, step: int) -> None:
        """Put `vectors` `(batch, dim)` in the place of the oldest ones."""
        start = step * self.batch % len(self.vectors)
        self.vectors[start : start + self.batch] = vectors.to(self.vectors.dtype)
        self.born[start : start + self.batch] = step

    def age(self, step: int) -> Tensor:
        """Mean age of the vectors in steps: how stale they are."""
        return (step - self.born).float().mean()


@torch.no_grad()
def momentum_update(average: nn.Module, source: nn.Module, momentum: float) -> None:
    """Move the parameters of the momentum encoder towards the trained one's.

    Its batch norms keep running statistics of their own.
    """
    torch._foreach_lerp_(list(average.parameters()), list(source.parameters()), 1 - momentum)


def shuffle_bn(network: nn.Module, x: Tensor, order: Tensor | None) -> Tensor:
    """`network(x)` with the samples of all processes in another order, so that they cannot cheat.

    Else the statistics of its part of the batch would tell a query which key is of its company.
    `order` is a permutation of the samples of all processes, the same on each; none leaves them.
    """
    if order is None:
        return network(x)
    rank, processes = rank_and_world_size()
    count = len(x)
    mine = order.view(processes, count)[rank]
    vectors = all_gather(network(all_gather(x)[mine]))  # those of sample order[i] at i
    return vectors[order.argsort()[rank * count : (rank + 1) * count]]
