"""Negatives of images in a data set of Hugging Face, and a detector fitted to its column.

    pip install 'nda-torch[bench]'
    python examples/hf_datasets_nda.py --steps 200

The data set is made in memory of surfaces that the script draws; no download, no GPU. Of a folder:
`datasets.load_dataset("imagefolder", data_dir="photos/", split="train")`.
"""

from __future__ import annotations

import argparse
from typing import Any

import datasets
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.transforms.v2 import functional

import nda

SIDE = 32
per_image = nda.PerImage(nda.Jigsaw())  # of one picture
per_batch = nda.Stitch()  # of two of a batch


def surfaces(count: int, seed: int, scratched: bool = False) -> datasets.Dataset:
    """Rows of an image and a label: plates that shine in the middle, some with a scratch."""
    draws = np.random.default_rng(seed)
    across, down = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    pictures = []
    for _ in range(count):
        x, y = draws.normal(SIDE / 2, 1.5, 2)
        light = 190 - 5 * np.hypot(across - x, down - y) + draws.normal(0, 4, (SIDE, SIDE))
        if scratched:
            row, column = draws.integers(6, 20, 2)
            light[row : row + 2, column : column + 8] -= 50
        grey = light.clip(0, 255).astype(np.uint8)
        pictures.append(Image.fromarray(grey).convert("RGB"))
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    rows = {"image": pictures, "label": [int(scratched)] * count}
    return datasets.Dataset.from_dict(rows, features=features)


def pairs(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """For `with_transform`: each image as a tensor in [0, 1], and its own negative."""
    images = [functional.to_image(picture) for picture in rows["image"]]
    floats = [functional.to_dtype(image, torch.float32, scale=True) for image in images]
    return {"image": floats, "negative": [per_image(image) for image in floats]}


def collate(rows: list[dict[str, Any]]) -> tuple[Tensor, Tensor]:
    """For `collate_fn`: images (B, 3, H, W) in [-1, 1], and 2 B negatives of them."""
    images = torch.stack([row["image"] for row in rows]) * 2 - 1
    own = torch.stack([row["negative"] for row in rows]) * 2 - 1
    return images, torch.cat([own, per_batch(images)])


def train_critic(data: datasets.Dataset, steps: int) -> nn.Module:
    """A small network that tells images from their negatives."""
    torch.manual_seed(0)
    loader = DataLoader(
        data.with_transform(pairs), batch_size=16, shuffle=True, drop_last=True, collate_fn=collate
    )
    critic = nn.Sequential(
        nn.Conv2d(3, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(), nn.Flatten(),
        nn.Linear(32 * (SIDE // 4) ** 2, 1),
    )  # fmt: skip
    optimizer = torch.optim.Adam(critic.parameters(), lr=1e-3)
    taken = 0
    while taken < steps:
        for images, negatives in loader:
            loss = nda.logistic_d(critic(images), critic(negatives))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            taken += 1
            if taken == steps:
                break
    return critic.eval()


def main(steps: int, count: int = 240) -> tuple[float, float, float]:
    """How often an image scores above a negative, and the shares flagged of good and of scratched.

    The first is 0.5 by guessing; the second is promised to be 0.1 at most, on average.
    """
    data = surfaces(count, seed=0)
    critic = train_critic(data, steps)
    images, negatives = collate(list(surfaces(100, seed=1).with_transform(pairs)))
    with torch.no_grad():
        above = (critic(images) > critic(negatives).T).float().mean()

    detector = nda.AnomalyDetector(
        resolution=SIDE, method="negatives", width=8, steps=steps, false_alarm_rate=0.1
    ).fit(data["image"])  # a column is a list of pictures
    good, scratched = (
        detector.predict(surfaces(100, seed=seed, scratched=bool(seed % 2))["image"])
        for seed in (2, 3)
    )
    return float(above), float(good.flags.float().mean()), float(scratched.flags.float().mean())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    above, good, scratched = main(parser.parse_args().steps)
    print(f"an image scores above a negative in {above:.0%} of pairs")
    print(f"flagged: {good:.0%} of good surfaces, {scratched:.0%} of scratched ones")
