"""The discriminator gap (paper, Figure 4): does D tell an image from its own negative?

D(x) - D(negative(x)) stays near 0 for a discriminator that never saw negatives, although people
see at once that they are not images of the data; one trained with negatives keeps them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from nda.data.images.image_set import to_float
from nda.errors import ConfigError, ShapeError, TrainingError
from nda.evaluation.record import Histogram, Metric, Protocol
from nda.negatives.named import negative_from_name
from nda.runtime.seeding import generator_for

Score = Callable[[Tensor, Tensor], Tensor]
BINS = 60


def discriminator_gap(
    score: Score,
    images: Tensor,
    labels: Tensor,
    negative: nn.Module,
    *,
    negative_name: str,
    generator: torch.Generator,
    protocol: Protocol,
    batch_size: int = 250,
    device: torch.device | str = "cpu",
) -> tuple[list[Metric], Histogram]:
    """Gap between held-out `images` uint8 (N, 3, H, W) and their negatives, and both histograms.

    `score(x, labels)` gives the logits (B,) of images float32 (B, 3, H, W) in [-1, 1] with class
    labels int64 (B,); it should run the discriminator in eval mode. `labels` is (N,).
    `negative(x, generator=generator)` draws one negative an image.

    The metrics are the mean gap, its standard deviation over images, and the share of images
    scored above their own negative (about 1/2 where it cannot tell). Raises `ShapeError`
    for fewer than two images, mismatched labels or logits that are not (B,), `ConfigError` for a
    batch size under 2, and `TrainingError` for logits that are not finite.
    """
    if batch_size < 2:
        raise ConfigError(
            f"The batch size of the discriminator gap is {batch_size}; it must be 2 or more, since "
            "some negatives join two images."
        )
    if len(images) < 2 or labels.shape != (len(images),):
        raise ShapeError(
            f"The discriminator gap needs at least 2 held-out images and one label each; got "
            f"{len(images)} images and labels of shape {tuple(labels.shape)}."
        )
    pairs = []
    with torch.no_grad():
        for rows in _batches(len(images), batch_size):
            x, y = to_float(images[rows].to(device)), labels[rows].to(device)
            both = [_logits(score, x, y), _logits(score, negative(x, generator=generator), y)]
            pairs.append(torch.stack(both).cpu())
    real, negatives = torch.cat(pairs, dim=1).double()
    protocol = {**protocol, "negative": negative_name, "real_images": len(images)}
    return (
        _metrics(real - negatives, negative_name, protocol),
        _histogram(real, negatives, negative_name, protocol),
    )


def discriminator_gaps(
    score: Score,
    images: Tensor,
    labels: Tensor,
    names: Sequence[str],
    *,
    seed: int,
    protocol: Protocol,
    device: torch.device | str = "cpu",
) -> tuple[list[Metric], list[Histogram]]:
    """`discriminator_gap` for each named negative, whose draws follow from `seed` alone."""
    metrics: list[Metric] = []
    histograms = []
    for name in names:
        measured, histogram = discriminator_gap(
            score,
            images,
            labels,
            negative_from_name(name),
            negative_name=name,
            generator=generator_for(seed, purpose="gap", device=torch.device(device)),
            device=device,
            protocol=protocol,
        )
        metrics += measured
        histograms.append(histogram)
    return metrics, histograms


def _batches(count: int, size: int) -> Iterator[slice]:
    """Slices of `size`, the last one shorter, or one longer where it would be a single image."""
    starts = list(range(0, count, size))
    if count - starts[-1] == 1:
        starts.pop()
    for first, end in zip(starts, [*starts[1:], count], strict=True):
        yield slice(first, end)


def _logits(score: Score, x: Tensor, labels: Tensor) -> Tensor:
    logits = score(x, labels)
    if logits.shape != (len(x),):
        raise ShapeError(
            f"The discriminator gap needs one logit an image, shape ({len(x)},); the score gave "
            f"{tuple(logits.shape)}. Average patches first."
        )
    if not bool(logits.isfinite().all()):
        raise TrainingError(
            "The discriminator's output on held-out images is not finite: the run has diverged. "
            "Evaluate an earlier checkpoint."
        )
    return logits.float()


def _metrics(gap: Tensor, name: str, protocol: Protocol) -> list[Metric]:
    what = f"D(x) - D({name}(x))"
    spread = gap.std(correction=0)
    above = (gap > 0).double().mean()
    return [
        Metric(f"gap_{name}", f"Gap {what}", float(gap.mean()), "higher", protocol),
        Metric(f"gap_std_{name}", f"Standard deviation of {what}", float(spread), "", protocol),
        Metric(f"gap_positive_{name}", f"Share with {what} > 0", float(above), "higher", protocol),
    ]


def _histogram(real: Tensor, negatives: Tensor, name: str, protocol: Protocol) -> Histogram:
    edges = np.histogram_bin_edges(torch.cat([real, negatives]).numpy(), bins=BINS)
    series = {"real": real, "negative": negatives}
    return Histogram(
        name=f"gap_{name}",
        title=f"Discriminator on held-out images and their {name} negatives",
        axis="discriminator output D(x)",
        edges=edges.tolist(),
        series={k: np.histogram(v.numpy(), bins=edges)[0].tolist() for k, v in series.items()},
        protocol=protocol,
    )
