"""How far an encoder moves when global structure breaks (paper, Figure 9).

The cosine between the features of an image and of its negative means little by itself: features
that are never negative always point in similar directions. So it stands beside two cosines of the
same encoder: of two ordinary views of one image, which should look alike to it, and of two
different images, which should not. The same is measured of videos, a clip of each for the image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nda.data.images.image_set import to_float
from nda.errors import ConfigError, DataError, ShapeError
from nda.evaluation.intervals import wilson_interval
from nda.evaluation.record import Histogram, Metric, Protocol
from nda.extras import needed
from nda.runtime.progress import tracked
from nda.runtime.seeding import seeded

with needed("nda.evaluation.features.structure needs torchvision", "train"):
    from torchvision.transforms import v2

Encode = Callable[[Tensor], Tensor]
VIEWS = "two_views"  # beside the negatives, in names of metrics
BINS = 60
NORMAL_95 = 1.96  # standard errors on either side of a mean that hold 95 % of a normal law
SMALLEST_SCALE = 0.2  # of a view's area, as in MoCo v2
# 1 - cosine of different images below which there is nothing to measure against: what is left
# then is the rounding of float32 features.
_NO_DISTANCE = 1e-10


def structure_similarity(
    encode: Encode,
    images: Tensor,
    negatives: Mapping[str, nn.Module],
    *,
    generator: torch.Generator,
    protocol: Protocol,
    of: str = "image",
    batch_size: int = 100,
    device: torch.device | str = "cpu",
) -> tuple[list[Metric], list[Histogram]]:
    """Cosines of `images` uint8 (N, 3, H, W) with their negatives, N at least 4.

    They may be clips (N, F, 3, H, W), whose frames share a view; `of` is what figures call one of
    them, such as image or video. `encode(x)` gives features (B, D) of a batch, float32 in [-1, 1];
    it should run the network in eval mode. `negatives` maps names to transforms called as
    `negative(x, generator=generator)`. The figures of a negative do not depend on the others.

    Measured are each negative by its name, `two_views` of each image, and pairs of
    `different_images` (`different(of)`), each image in one pair at most; intervals are for 95 %:

    - `cosine_NAME` and `cosine_std_NAME`: mean over the images and standard deviation;
    - `distance_NAME`, not of `different_images`: mean of 1 - cosine over that of different images,
      so that 0 is the same features and 1 as far as another image; absent where different images
      have the same features;
    - `nearer_NAME`, of negatives: share of images that are nearer to their negative than two of
      their views are to each other.

    A histogram a negative shows all three over common bins. Raises `ShapeError` for images or
    features of another shape, `ConfigError` for a batch size under 2, and `DataError` for features
    that are not finite or all zero.
    """
    _check(images, batch_size)
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
    # About equal batches, none of them smaller: some negatives need two images.
    parts = torch.tensor_split(images, max(1, len(images) // batch_size))

    def features_of(batches: Iterable[Tensor]) -> Tensor:
        return torch.cat([_features(encode, x.to(device), of) for x in batches])

    def negatives_of(negative: nn.Module) -> Iterator[Tensor]:
        rng = torch.Generator().manual_seed(seed)
        return (negative(to_float(part), generator=rng) for part in parts)

    def views() -> Iterator[Tensor]:
        return (to_float(ordinary_view(part, generator)) for part in parts)

    with torch.no_grad():
        real = features_of(to_float(part) for part in parts)
        pairs = _pairs(len(images), generator)
        found = _Cosines(
            of=of,
            views=_cosine(features_of(views()), features_of(views())),
            different=_cosine(real[pairs[0]], real[pairs[1]]),
            pairs=pairs,
            negatives={
                name: _cosine(real, features_of(negatives_of(negative)))
                for name, negative in tracked(list(negatives.items()), "encoding negatives")
            },
        )
    protocol = {**protocol, **_how(len(images), of)}
    return _metrics(found, protocol), _histograms(found, protocol)


def different(of: str) -> str:
    """What pairs of different ones are called in names of metrics."""
    return f"different_{of}s"


def ordinary_view(images: Tensor, rng: torch.Generator) -> Tensor:
    """One view of each image, uint8 (N, 3, H, W) to the same: a crop and, half the time, a flip.

    Of clips (N, F, 3, H, W) all frames have the same. The crop has 0.2 to 1 of the area and 3/4 to
    4/3 of the aspect ratio, and is resized to the whole. torchvision draws from the global
    generator, whose state is left as it was.
    """
    view = v2.Compose(
        [
            v2.RandomResizedCrop(images.shape[-2:], scale=(SMALLEST_SCALE, 1.0), antialias=True),
            v2.RandomHorizontalFlip(),
        ]
    )
    seed = int(torch.randint(2**62, (), generator=rng, device=rng.device))
    with seeded(seed):
        return torch.stack([view(image) for image in images])


@dataclass(frozen=True)
class _Cosines:
    """Of two views (N,), of K pairs of different images (K,), and of each negative (N,)."""

    of: str
    views: Tensor
    different: Tensor
    pairs: Tensor  # which images they are, (2, K)
    negatives: dict[str, Tensor]


def _metrics(found: _Cosines, protocol: Protocol) -> list[Metric]:
    metrics: list[Metric] = []
    one = f"{'an' if found.of[0] in 'aeiou' else 'a'} {found.of}"
    for name, cosines in found.negatives.items():
        what = f"{one} and its {_words(name)}"
        metrics += _cosine_metrics(name, what, cosines, protocol)
        metrics += _distance_metrics(name, what, cosines, found, protocol)
        count = int((cosines > found.views).sum())
        title = f"Share nearer to their {_words(name)} than two of their views to each other"
        interval = list(wilson_interval(count, len(cosines)))
        share = count / len(cosines)
        metrics.append(
            Metric(
                f"nearer_{name}", title, share, "", protocol, interval, kind=_kind("nearer", name)
            )
        )
    what = f"two views of {one}"
    metrics += _cosine_metrics(VIEWS, what, found.views, protocol)
    metrics += _distance_metrics(VIEWS, what, found.views, found, protocol)
    what = f"two different {found.of}s"
    return metrics + _cosine_metrics(different(found.of), what, found.different, protocol)


def _cosine_metrics(name: str, what: str, cosines: Tensor, protocol: Protocol) -> list[Metric]:
    mean, deviation = float(cosines.mean()), float(cosines.std())
    interval = _interval(mean, deviation / len(cosines) ** 0.5)
    title = f"cosine of {what}"
    return [
        Metric(
            f"cosine_{name}",
            f"Mean {title}",
            mean,
            "",
            protocol,
            interval,
            kind=_kind("cosine", name),
        ),
        Metric(
            f"cosine_std_{name}",
            f"Standard deviation of the {title}",
            deviation,
            "",
            protocol,
            kind=_kind("cosine_std", name),
        ),
    ]


def _kind(figure: str, beside: str) -> dict[str, str]:
    """Which figure, and of images beside what."""
    return {"figure": figure, "beside": beside}


def _distance_metrics(
    name: str, what: str, cosines: Tensor, found: _Cosines, protocol: Protocol
) -> list[Metric]:
    """A ratio of two means over the pairs, which are independent of each other."""
    other = 1 - found.different
    if float(other.mean()) < _NO_DISTANCE:
        return []
    own = 1 - cosines[found.pairs].mean(dim=0)  # (K,)
    ratio = float(own.mean() / other.mean())
    # To first order, the error of a ratio is that of the mean of own - ratio * other.
    error = float((own - ratio * other).std() / other.mean()) / len(other) ** 0.5
    title = f"Mean distance of {what}, relative to different {found.of}s"
    interval, kind = _interval(ratio, error), _kind("distance", name)
    return [Metric(f"distance_{name}", title, ratio, "", protocol, interval, kind=kind)]


def _interval(mean: float, error: float) -> list[float]:
    return [mean - NORMAL_95 * error, mean + NORMAL_95 * error]


def _histograms(found: _Cosines, protocol: Protocol) -> list[Histogram]:
    every = torch.cat([*found.negatives.values(), found.views, found.different])
    edges = np.histogram_bin_edges(every.numpy(), bins=BINS)

    def count(cosines: Tensor) -> list[int]:
        counts: list[int] = np.histogram(cosines.numpy(), bins=edges)[0].tolist()
        return counts

    beside = {"two views": count(found.views), f"different {found.of}s": count(found.different)}
    return [
        Histogram(
            name=f"cosine_{name}",
            title=f"Features of {found.of}s and of their {_words(name)} negatives",
            axis="cosine of features",
            edges=edges.tolist(),
            series={"negative": count(cosines), **beside},
            protocol={**protocol, "negative": name},
        )
        for name, cosines in found.negatives.items()
    ]


def _features(encode: Encode, x: Tensor, of: str) -> Tensor:
    """Features of a batch as unit vectors (B, D), float64 on the CPU."""
    features = encode(x)
    if features.dim() != 2 or len(features) != len(x):
        raise ShapeError(
            f"An encoder must give features of shape ({len(x)}, D) for {len(x)} {of}s; it gave "
            f"{tuple(features.shape)}. Pool over places first."
        )
    features = features.double().cpu()
    length = features.norm(dim=1, keepdim=True)
    broken = int((~length.isfinite() | (length == 0)).sum())
    if broken:
        raise DataError(
            f"{broken} of {len(x)} {of}s have features that are not finite or all zero, whose "
            "cosine is not defined. The encoder or its weights are broken; give others."
        )
    return features / length


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    """Of unit vectors (N, D) row by row: (N,)."""
    return (a * b).sum(dim=1)


def _pairs(count: int, rng: torch.Generator) -> Tensor:
    """Random pairs (2, count // 2) of different images, each image in one of them at most."""
    order = torch.randperm(count, generator=rng, device=rng.device).cpu()
    return order[: count // 2 * 2].view(2, -1)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _how(count: int, of: str) -> Protocol:
    return {
        f"{of}s": count,
        "views": f"random resized crop of {SMALLEST_SCALE:g} to 1 of the area, flip half the time",
        f"pairs_of_different_{of}s": count // 2,
    }


def _check(images: Tensor, batch_size: int) -> None:
    fits = images.dim() in (4, 5) and images.shape[-3] == 3 and len(images) >= 4
    if images.dtype != torch.uint8 or not fits:
        raise ShapeError(
            "Structure is measured on 4 or more images, uint8 of shape (N, 3, H, W), or clips "
            f"(N, F, 3, H, W); got {images.dtype} of shape {tuple(images.shape)}. Convert with "
            "nda.data.to_uint8."
        )
    if batch_size < 2:
        raise ConfigError(
            f"The batch size is {batch_size}; it must be 2 or more, since some negatives join two "
            "images."
        )
