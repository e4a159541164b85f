"""The sets that the methods fitted at once are compared on, and their images' features, kept.

Of the magnetic tiles there are several pictures each; `analysis/tiles.py` says which are of one. Of
the other sets each image stands for itself.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from nda.data import load_images, to_float
from nda.data.images.defects import load_defects
from nda.data.images.source import ImageSource
from nda.networks.pretrained.lite0 import pretrained_trunk

SIDE = 128
MOST = 400  # images of a kind
TILES = "magnetic_tile_anomaly.zip"
TILE_OF = Path(__file__).parents[1] / "results/anomaly/tiles.json"


@dataclass
class Task:
    """Images of one set: what is normal, and what is not."""

    name: str
    normal: Tensor  # uint8 (N, 3, 128, 128)
    anomalous: Tensor
    parts: Tensor  # int64 (N,), equal for normal pictures of one part
    masks: Tensor | None = None  # bool (M, H, W)
    kinds: list[str] = field(default_factory=list)  # of the anomalous images, where faults


class Kept(nn.Module):
    """A trunk that has seen all images before; it is asked for them by their numbers."""

    def __init__(self, maps: list[Tensor]) -> None:
        super().__init__()
        self.channels = tuple(level.shape[1] for level in maps)
        self.maps = maps

    def forward(self, numbers: Tensor) -> list[Tensor]:
        return [level[numbers] for level in self.maps]


def tasks(data: Path) -> Iterator[Task]:
    """The sets that are compared."""
    yield tiles(data)
    for archive, kind in (("dtd_10", "banded"), ("dtd_10", "cracked"), ("scenes_sun8", "kitchen")):
        path = str(data / f"{archive}.zip")
        classes = load_images(path, split="test", resolution=SIDE, fit="stretch").classes
        others = ",".join(name for name in classes if name != kind)
        normal = some(path, "test", kind)
        each = torch.arange(len(normal))
        yield Task(f"{archive}: {kind}", normal, some(path, "test", others), each)
    objects = some(str(data / "tiny_imagenet_40.zip"), "val", None)
    faces = some(str(data / "faces_color64.zip"), "train", None)
    yield Task("faces", faces, objects, torch.arange(len(faces)))


def tiles(data: Path) -> Task:
    """All normal pictures of the magnetic tiles, and the faulty ones."""
    path = str(data / TILES)
    normal, names = normal_tiles(data)
    test = load_defects(path, ["good"], resolution=SIDE, fit="stretch")
    assert test is not None
    assert test.masks is not None
    faulty = ~test.normal
    kinds = [test.kinds[label] for label in test.labels[faulty].tolist()]
    parts = parts_of(names)
    return Task("tiles", normal, test.images[faulty], parts, test.masks[faulty], kinds)


def normal_tiles(
    data: Path, splits: tuple[str, ...] = ("train", "test")
) -> tuple[Tensor, list[str]]:
    """Normal pictures of magnetic tiles, uint8 (N, 3, 128, 128), and their names."""
    pictures, names = [], []
    for part in splits:
        images = ImageSource(data / TILES, resolution=SIDE, fit="stretch").load(part)
        good = images.labels == images.classes.index("good")
        pictures.append(images.images[good])
        names += [images.names[row] for row in good.nonzero()[:, 0].tolist()]
    return torch.cat(pictures), names


def parts_of(names: list[str]) -> Tensor:
    """Which tile each normal picture shows: int64 (N,), numbered without gaps."""
    known = json.loads(TILE_OF.read_text(encoding="utf-8"))["tile_of"]
    return torch.tensor([known[name] for name in names]).unique(return_inverse=True)[1]


def split(parts: Tensor, seed: int) -> list[Tensor]:
    """Rows to fit to (three fifths of the parts), to calibrate on and to test with (a fifth)."""
    count = int(parts.max()) + 1
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    fifth = count // 5
    sides = (order[2 * fifth :], order[:fifth], order[fifth : 2 * fifth])
    return [torch.isin(parts, side).nonzero()[:, 0] for side in sides]


def some(path: str, split: str, classes: str | None) -> Tensor:
    """Images of a split, evenly taken where there are more than 400."""
    names = classes.split(",") if classes else None
    images = load_images(path, split=split, resolution=SIDE, fit="stretch", classes=names).images
    if len(images) <= MOST:
        return images
    return images[torch.linspace(0, len(images) - 1, MOST).long()]


def through_jpeg(images: Tensor) -> Tensor:
    """The same images at 64 pixels and quality 75, brought back to their size."""
    small = F.interpolate(images.float(), (64, 64), mode="bilinear", antialias=True)
    found = []
    for image in small.round().to(torch.uint8):
        file = io.BytesIO()
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=75)
        found.append(torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1))
    large = F.interpolate(torch.stack(found).float(), (SIDE, SIDE), mode="bilinear")
    return large.round().to(torch.uint8)


@torch.no_grad()
def seen(images: Tensor) -> list[Tensor]:
    """The maps of all images."""
    trunk = pretrained_trunk(top=True).eval().to(memory_format=torch.channels_last)
    parts = [trunk(to_float(part)) for part in images.split(32)]
    return [torch.cat(level).contiguous() for level in zip(*parts, strict=True)]
