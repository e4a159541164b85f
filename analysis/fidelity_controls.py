"""Do distances in features of EfficientNet-Lite0 rise as images are made worse on purpose?

    python analysis/fidelity_controls.py --data cifar10.zip --count 5000 \\
        --out results/fidelity/controls.json

Held-out images are compared with training images: as they are, where distances should be near 0,
then blurred, with noise, and with classes left out, where they should rise with the dose.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from nda.data import ImageSet, load_images
from nda.evaluation.fidelity.lite0 import SIDE, Lite0Features, compared
from nda.evaluation.record import Metric

BLURS = (0.5, 1.0, 2.0)  # standard deviations, in pixels
NOISES = (5.0, 10.0, 20.0)  # standard deviations, in levels of 255
DROPPED = (1, 3, 5)  # classes left out


def blurred(images: Tensor, deviation: float) -> Tensor:
    """uint8 images (N, 3, H, W), blurred by a Gaussian of that many pixels."""
    size = 2 * round(3 * deviation) + 1
    return gaussian_blur(images, [size, size], [deviation, deviation])


def with_noise(images: Tensor, deviation: float, rng: torch.Generator) -> Tensor:
    """uint8 images with Gaussian noise of that many levels of 255 a pixel and channel."""
    noise = torch.randn(images.shape, generator=rng) * deviation
    return (images + noise).round().clamp(0, 255).to(torch.uint8)


def evenly(images: ImageSet, each: int, rng: torch.Generator) -> ImageSet:
    """As many images of every class, at random: class after class."""
    rows = []
    for label in range(len(images.classes)):
        own = (images.labels == label).nonzero()[:, 0]
        rows.append(own[torch.randperm(len(own), generator=rng)[:each]])
    return images.only(torch.cat(rows))


def made_worse(
    pool: ImageSet, count: int, features: Lite0Features, rng: torch.Generator
) -> Iterator[tuple[str, float, Tensor]]:
    """Kind and dose of what was done, and features (count, 1280) of so many images."""
    known = features(pool.images)
    order = torch.randperm(len(pool), generator=rng)
    some = order[:count]
    images = pool.images[some]
    yield "as they are", 0, known[some]
    for deviation in BLURS:
        yield "blur", deviation, features(blurred(images, deviation))
    for deviation in NOISES:
        yield "noise", deviation, features(with_noise(images, deviation, rng))
    for dropped in DROPPED:
        yield "classes left out", dropped, known[order[pool.labels[order] >= dropped][:count]]


def controls(data: str, count: int, seed: int = 0) -> dict[str, object]:
    """Every figure of every control, against `count` held-out images; plain values for JSON."""
    rng = torch.Generator().manual_seed(seed)
    train = load_images(data, split="train")
    pool = evenly(train, -(-2 * count // len(train.classes)), rng)
    heldout = load_images(data, split="test").drawn(count, rng)
    if len(heldout) < count or len(pool) < 2 * count:
        raise SystemExit(f"{data} has too few images for --count {count}; give a smaller one.")
    features = Lite0Features()
    began = time.process_time()
    real = features(heldout.images)
    seconds = time.process_time() - began
    rows = []
    for kind, dose, worse in made_worse(pool, count, features, rng):
        metrics = compared(real, worse, {})
        rows.append({"kind": kind, "dose": dose, **{m.name: _figure(m) for m in metrics}})
    return {
        "weights": features.fingerprint,
        "side": SIDE,
        "images": count,
        "milliseconds_an_image": round(1000 * seconds / count, 2),  # of processor time
        "rows": rows,
    }


def _figure(metric: Metric) -> float | list[float]:
    value = round(metric.value, 6)
    return value if metric.interval is None else [value, *(round(x, 6) for x in metric.interval)]


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", required=True, help="images in train and test, in class folders")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(words)
    command = (
        f"python analysis/fidelity_controls.py --data {Path(given.data).name} "
        f"--count {given.count} --seed {given.seed}"
    )
    found = {"command": command, **controls(given.data, given.count, given.seed)}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
