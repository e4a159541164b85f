"""InfoNCE with negatives made of the sample itself: the objective of NDA-CPC.

Each query is to be told from its key among the keys of other samples (the queue, or the batch) and
among vectors of negatives, which a model of local texture alone could not tell from the key.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from nda.errors import ConfigError, ShapeError


def nda_info_nce(
    query: Tensor,
    key: Tensor,
    queue: Tensor | None = None,
    negatives: Tensor | None = None,
    *,
    temperature: float,
    negative_weight: float = 1.0,
) -> Tensor:
    """The mean of −log(h⁺ / (h⁺ + Σ h(queue) + w Σ h(negatives))), h(q, k) = exp(q·k / T).

    The objective of section 4 of the paper but for its constant log(n + m). Without
    `negatives` it is InfoNCE as in MoCo, and without `queue` the keys of the other samples of the
    batch stand in its place. Computed in float32, also under mixed precision.

    Args:
        query: `(B, D)`, of length 1, as all vectors here.
        key: `(B, D)`, of another view of the same samples.
        queue: `(K, D)`, keys of other samples.
        negatives: `(B, m, D)`, m for each sample and compared with it alone; or `(M, D)`,
            compared with every sample.
        temperature: T, above 0.
        negative_weight: w, at least 0: how many keys a negative counts for.

    Returns:
        A scalar. At chance it is log(1 + K + w m), and log(B + w m) without a queue.

    Raises:
        ShapeError: where shapes do not match.
        ConfigError: where the temperature or the weight is out of range.

    Examples:
        >>> from torch.nn.functional import normalize
        >>> query = normalize(torch.randn(4, 16), dim=1)
        >>> queue = normalize(torch.randn(64, 16), dim=1)
        >>> negatives = normalize(torch.randn(4, 2, 16), dim=2)
        >>> loss = nda.nda_info_nce(query, query, queue, negatives, temperature=0.2)
        >>> bool(loss > nda.nda_info_nce(query, query, queue, temperature=0.2))
        True
    """
    _check(query, key, queue, negatives)
    if not 0 < temperature < math.inf:
        raise ConfigError(f"temperature is {temperature}; it must be above 0, such as 0.07.")
    if not 0 <= negative_weight < math.inf:
        raise ConfigError(f"negative_weight is {negative_weight}; it must be at least 0.")
    with torch.autocast(query.device.type, enabled=False):
        query, key = query.float(), key.float()
        if queue is None:
            logits = query @ key.T  # (B, B), the sample's own key on the diagonal
            target = torch.arange(len(query), device=query.device)
        else:
            own = (query * key).sum(dim=1, keepdim=True)
            logits = torch.cat([own, query @ queue.float().T], dim=1)  # (B, 1 + K)
            target = torch.zeros(len(query), dtype=torch.int64, device=query.device)
        logits = logits / temperature
        if negatives is not None and negative_weight > 0:
            made = _against(query, negatives.float()) / temperature + math.log(negative_weight)
            logits = torch.cat([logits, made], dim=1)
        return F.cross_entropy(logits, target)


def _against(query: Tensor, negatives: Tensor) -> Tensor:
    """Scores of each query and its own negatives (B, m, D), or all negatives (M, D)."""
    if negatives.dim() == 3:
        return torch.einsum("bd,bmd->bm", query, negatives)
    return query @ negatives.T


def _check(query: Tensor, key: Tensor, queue: Tensor | None, negatives: Tensor | None) -> None:
    if query.dim() != 2 or key.shape != query.shape or 0 in query.shape:
        raise ShapeError(
            f"query and key must both be (B, D); got {tuple(query.shape)} and {tuple(key.shape)}."
        )
    batch, size = query.shape
    if queue is not None and (queue.dim() != 2 or queue.shape[1] != size):
        raise ShapeError(f"queue must be (K, {size}) as the query is; got {tuple(queue.shape)}.")
    if negatives is None:
        return
    own = negatives.dim() == 3 and negatives.shape[0] == batch
    if not (own or negatives.dim() == 2) or negatives.shape[-1] != size:
        raise ShapeError(
            f"negatives must be ({batch}, m, {size}), m a sample, or (M, {size}), shared by all; "
            f"got {tuple(negatives.shape)}."
        )
