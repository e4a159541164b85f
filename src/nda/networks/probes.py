"""Two small networks that look for a negative in different ways.

The local probe sees windows of 7 x 7 pixels, knows where each lies, and listens to those that are
most certain; the global probe sees the whole image. What the second finds and the first does not
is how places go together.
"""

from __future__ import annotations

import math
from itertools import pairwise, product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nda.errors import ShapeError

RECEPTIVE_FIELD = 7  # pixels that a vote of the local probe can see, either way
_PLACE_RATE = 10  # what a place has to say is learned so many times faster than weights
_WIDTH = 128  # of the global probe's last features
_LAST = 4  # pixels: side of the global probe's last features


class LocalProbe(nn.Module):
    """Images `(B, 3, H, W)` in [-1, 1] to logits `(B,)`: what windows of 7 x 7 pixels vote.

    Two convolutions without padding, whose receptive field is 3 + 2 x (3 - 1) = 7, give of each
    window a vote and how certain it is. To both is added what a window at that place has to say: a
    seam in the middle of all negatives is told by the few windows that lie on it. The logit is the
    mean of the votes, weighed by the softmax of their certainties.

    Windows are `spacing` pixels apart to save work. Training shifts them at random (`offset`), so
    that they are not tied to even rows and columns, by which blocks of JPEG can be told; a window
    knows its place to within a spacing. Without an offset those at the first and last offset both
    ways vote together: at a spacing of 2, all there are.

    Raises:
        ShapeError: for images too small to hold a window at every offset.
    """

    def __init__(self, resolution: int, *, width: int = 16) -> None:
        super().__init__()
        self.spacing = 2 * max(1, round(resolution / 32))
        if resolution < RECEPTIVE_FIELD + self.spacing - 1:
            raise ShapeError(
                f"The local probe looks through windows of {RECEPTIVE_FIELD} pixels and needs "
                f"images of at least {RECEPTIVE_FIELD + self.spacing - 1}, not {resolution}; give "
                "a larger --resolution."
            )
        self.votes = nn.Sequential(
            *_layer(3, width, 3, stride=2),
            *_layer(width, 2 * width, 3, stride=self.spacing // 2),
            *_layer(2 * width, 2 * width, 1),
            nn.Conv2d(2 * width, 2, 1),
        )
        windows = (resolution - RECEPTIVE_FIELD) // self.spacing + 1
        self.places = nn.Parameter(torch.zeros(2, windows, windows))
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor, offset: tuple[int, int] | None = None) -> Tensor:
        ends = (0, self.spacing - 1)
        offsets = product(ends, ends) if offset is None else [offset]
        maps = [self._windows(x[:, :, down:, across:]) for down, across in offsets]
        vote, certainty = torch.cat(maps, dim=2).unbind(dim=1)
        return (vote * certainty.softmax(dim=1)).sum(dim=1)

    def _windows(self, x: Tensor) -> Tensor:
        """Vote and certainty of each window: `(B, 2, windows)`."""
        said = self.votes(x)
        places = self.places[:, : said.shape[2], : said.shape[3]]
        return (said + _PLACE_RATE * places).flatten(2)


class GlobalProbe(nn.Module):
    """Images `(B, 3, H, W)` in [-1, 1] to logits `(B,)`, from the whole image at half resolution.

    Pairs of pixels are averaged first: what a JPEG decoder does differently to even and odd
    pixels would otherwise tell left from right. Then convolutions halve the image to about 4
    pixels, and one linear layer weighs all places at once.
    """

    def __init__(self, resolution: int) -> None:
        super().__init__()
        self.side = math.ceil(resolution / 2)
        halvings = max(1, round(math.log2(self.side / _LAST)))
        widths = [max(16, _WIDTH >> left) for left in reversed(range(halvings + 1))]
        stages = [
            layer for w, v in pairwise(widths) for layer in _layer(w, v, 4, stride=2, padding=1)
        ]
        self.features = nn.Sequential(*_layer(3, widths[0], 3, padding=1), *stages)
        last = self.side
        for _ in range(halvings):
            last //= 2
        self.head = nn.Linear(widths[-1] * last**2, 1)
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        halved = F.adaptive_avg_pool2d(x, (self.side, self.side))
        return self.head(self.features(halved).flatten(1)).squeeze(1)


def _layer(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, padding: int = 0
) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
