"""Images and draws for the tests of the corruptions."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

LOSSLESS = Path(__file__).parents[2].parent / "shared" / "data" / "cifar10_test_png_2000.zip"


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def smooth_images(count: int, height: int = 32, width: int = 32, seed: int = 0) -> Tensor:
    """Coarse random colours, enlarged smoothly, as uint8 `(count, 3, height, width)`."""
    coarse = torch.rand(count, 3, 7, 7, generator=seeded(seed))
    fine = F.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)
    return fine.mul(255).clamp(0, 255).to(torch.uint8)


def noisy_images(count: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Every value uniform over 0..255: nothing in them forgives a wrong pixel."""
    return torch.randint(256, (count, 3, height, width), generator=seeded(seed), dtype=torch.uint8)


def grey_images(level: int, count: int = 64) -> Tensor:
    return torch.full((count, 3, 32, 32), level, dtype=torch.uint8)


def lossless_cifar() -> Tensor:
    """500 test images of CIFAR-10 that never were JPEG, every fourth of the shared ones."""
    if not LOSSLESS.exists():
        pytest.skip("the shared CIFAR-10 images are not here")
    with zipfile.ZipFile(LOSSLESS) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))[::4]
        files = [io.BytesIO(archive.read(name)) for name in names]
        pictures = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()


def pictures_of(images: Tensor) -> NDArray[np.float64]:
    """`(N, H, W, 3)` in [0, 1]."""
    return images.permute(0, 2, 3, 1).double().numpy() / 255


def distance(images: Tensor, others: Tensor) -> float:
    """Mean absolute difference in levels."""
    return float((images.double() - others.double()).abs().mean())


def assert_cut(corrupted: Tensor, exact: NDArray[np.float64], slack: float = 1e-3) -> None:
    """`corrupted` are the levels that `exact` values `(N, H, W, 3)` in [0, 1] are cut to.

    Values within `slack` levels of a whole number may go to either side.
    """
    wanted = np.clip(exact, 0, 1) * 255
    got = corrupted.permute(0, 2, 3, 1).double().numpy()
    assert got.shape == wanted.shape
    assert (got <= wanted + slack).all()
    assert (got > wanted - 1 - slack).all()
