"""Nearest neighbours in raw pixels against a loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from nda.errors import ShapeError
from nda.evaluation.fidelity import nearest as pixels
from nda.evaluation.fidelity.nearest import SIDE, pixel_distance


def some_images(count: int, side: int, seed: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 3, side, side), generator=rng, dtype=torch.uint8)


def naive_reduced(image: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Grey in [0, 1] at 32 x 32, by Pillow."""
    grey = Image.fromarray((image.double().mean(dim=0) / 255).numpy().astype(np.float32))
    small = grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.asarray(small, dtype=np.float64)


@settings(deadline=None, max_examples=15)
@given(
    counts=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    side=st.sampled_from([8, 32, 40, 96]),
    seed=st.integers(0, 2**31),
)
def test_the_distance_is_that_to_the_nearest(counts: tuple[int, int], side: int, seed: int) -> None:
    images, training = (some_images(n, side, seed + i) for i, n in enumerate(counts))
    bank = [naive_reduced(image) for image in training]
    found = pixel_distance(images, training)
    assert found.shape == (len(images),)
    for image, distance in zip(images, found.tolist(), strict=True):
        own = naive_reduced(image)
        naive = min(float(np.sqrt(((own - other) ** 2).mean())) for other in bank)
        assert distance == pytest.approx(naive, abs=2e-4)


def test_the_unit_is_the_full_range() -> None:
    black, white = torch.zeros(1, 3, 64, 64, dtype=torch.uint8), torch.full((1, 3, 64, 64), 255)
    assert pixel_distance(white.to(torch.uint8), black).item() == pytest.approx(1)


def test_a_training_image_itself_is_at_no_distance() -> None:
    training = some_images(40, 48, 0)
    assert pixel_distance(training, training).max() < 1e-3
    assert pixel_distance(some_images(40, 48, 1), training).min() > 0.01


def test_the_work_is_split_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    images, training = some_images(11, 32, 0), some_images(13, 32, 1)
    whole = pixel_distance(images, training)
    monkeypatch.setattr(pixels, "_QUERIES", 4)
    sizes = []
    reduce = pixels._reduced

    def watched(part: Tensor) -> Tensor:
        sizes.append(len(part))
        return reduce(part)

    monkeypatch.setattr(pixels, "_reduced", watched)
    torch.testing.assert_close(pixel_distance(images, training), whole, rtol=0, atol=1e-3)
    assert max(sizes) == 4  # neither set is ever held whole as floats
    assert sum(sizes) == 24


def test_images_of_another_size_and_an_empty_bank_are_refused() -> None:
    with pytest.raises(ShapeError) as caught:
        pixel_distance(some_images(2, 32, 0), some_images(3, 16, 0))
    assert str(caught.value) == (
        "Pixels are compared at one size; got images (2, 3, 32, 32) and training images "
        "(3, 3, 16, 16)."
    )
    with pytest.raises(ShapeError, match=r"training images \(0, 3, 32, 32\)\.$"):
        pixel_distance(some_images(2, 32, 0), some_images(0, 32, 0))
