"""How badly a network of Dense Predictive Coding foresees a video: its surprise.

Each predicted cell is to be told apart from the other true cells of its own clip, at other places
and at other times, and from no other clip's: so the figure of a video does not depend on which
others are measured beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from nda.data.clips.batches import in_blocks
from nda.data.images.image_set import to_float
from nda.errors import ConfigError
from nda.networks.dpc import DensePredictor
from nda.objectives.dense_predictive import dense_predictive


@dataclass(frozen=True)
class Surprise:
    """Of one video.

    Attributes:
        score: mean over its windows; high where it was badly foreseen, NaN for a diverged network.
        picture: uint8 `(3, R, R)`, the frame in the middle of its middle window.
    """

    score: float
    picture: Tensor


def cell_surprise(predicted: Tensor, target: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Cross-entropy of predicted cells among the true cells of their own clip: `(B,)`, in nats.

    Both are `(B, P, D, H, W)`. The mean over the P * H * W cells of a clip; log(P * H * W) is what
    features without any relation to the clip give, and a clip in which nothing moves gives log P
    or more, as its times cannot be told apart. Raises what `dense_scores` raises.
    """
    clips = zip(predicted.split(1), target.split(1), strict=True)
    return torch.stack([dense_predictive(*clip, temperature=temperature) for clip in clips])


@torch.no_grad()
def video_surprise(
    network: DensePredictor,
    windows: Iterable[Tensor],
    *,
    frames: int,
    temperature: float,
    batch_size: int = 4,
) -> Surprise:
    """The mean of `cell_surprise` over the windows of a video.

    Args:
        network: in eval mode.
        windows: at least one, each uint8 `(F, 3, R, R)`, F a multiple of `frames`.
        frames: of them that make a block.
        temperature: that of the training.
        batch_size: windows at once.

    Raises `ConfigError` for a network that predicts one cell of a clip.
    """
    device = next(network.parameters()).device
    found, middles = [], []
    for some in _batches(windows, batch_size):
        clips = to_float(some.to(device))
        predicted, target, _ = network(in_blocks(clips, frames))
        if predicted.shape[1] * predicted.shape[3:].numel() == 1:
            raise ConfigError(
                "The network predicts a single cell of each clip, which there is nothing to tell "
                "from; train one on larger frames or with a larger --predict."
            )
        found.append(cell_surprise(predicted, target, temperature=temperature))
        middles.append(some[:, some.shape[1] // 2].clone())
    pictures = torch.cat(middles)
    score = torch.cat(found).cpu().double().mean()
    return Surprise(float(score), pictures[(len(pictures) - 1) // 2])


def _batches(windows: Iterable[Tensor], size: int) -> Iterator[Tensor]:
    left = iter(windows)
    while some := list(islice(left, size)):
        yield torch.stack(some)
