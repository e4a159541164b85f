"""The JPEG pass: what Pillow does, alike for all, and a leveller of compression."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from nda.data.images import jpeg
from nda.data.images.jpeg import jpeg_pass
from nda.errors import ConfigError, ShapeError


def pictures(count: int, side: int = 32) -> Tensor:
    """Smooth pictures with some grain, as photographs are."""
    rng = torch.Generator().manual_seed(count)
    coarse = torch.rand(count, 3, 4, 4, generator=rng)
    smooth = torch.nn.functional.interpolate(coarse, size=side, mode="bicubic")
    grain = torch.randn(count, 3, side, side, generator=rng) * 6
    return (smooth * 200 + 25 + grain).clamp(0, 255).to(torch.uint8)


def test_each_image_is_what_pillow_gives_back() -> None:
    images = pictures(5, side=24)
    passed = jpeg_pass(images)
    assert (passed.shape, passed.dtype) == (images.shape, torch.uint8)
    for image, found in zip(images, passed, strict=True):
        file = io.BytesIO()
        array = image.permute(1, 2, 0).contiguous().numpy()
        Image.fromarray(array).save(file, "JPEG", quality=75, subsampling=2)
        expected = np.asarray(Image.open(file))
        assert torch.equal(found.permute(1, 2, 0), torch.from_numpy(expected.copy()))


def test_neither_threads_nor_neighbours_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures(9)
    whole = jpeg_pass(images, threads=1)
    monkeypatch.setattr(jpeg, "_CHUNK", 2)
    assert torch.equal(jpeg_pass(images, threads=3), whole)
    assert torch.equal(jpeg_pass(images[4:5]), whole[4:5])


def test_lossless_and_compressed_pictures_become_alike() -> None:
    lossless = pictures(40)
    compressed = jpeg_pass(lossless)
    before = (lossless.float() - compressed.float()).abs().mean()
    after = (jpeg_pass(lossless).float() - jpeg_pass(compressed).float()).abs().mean()
    assert before > 4 * after


def test_a_lower_quality_changes_more() -> None:
    images = pictures(10)
    changes = [
        float((jpeg_pass(images, q).float() - images.float()).abs().mean()) for q in (95, 75, 30)
    ]
    assert changes == sorted(changes)
    assert changes[0] < changes[2] / 1.5


def test_no_images_and_the_given_ones_unchanged() -> None:
    assert jpeg_pass(pictures(3)[:0]).shape == (0, 3, 32, 32)
    images = pictures(3)
    copy = images.clone()
    jpeg_pass(images)
    assert torch.equal(images, copy)


@pytest.mark.parametrize("quality", [0, 96, -1])
def test_a_quality_out_of_range_is_refused(quality: int) -> None:
    with pytest.raises(ConfigError, match=f"quality is {quality}; it must lie between 1 and 95"):
        jpeg_pass(pictures(1), quality)


@pytest.mark.parametrize("images", [torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8).byte()])
def test_other_images_are_refused(images: Tensor) -> None:
    with pytest.raises(ShapeError, match="JPEG pass must be uint8 of shape"):
        jpeg_pass(images)
