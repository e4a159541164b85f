from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from nda.errors import ConfigError, ShapeError
from nda.negatives import GaussianNoise, HorizontalFlip, Jigsaw, RandomApply, RandomCrop


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
def test_flip_mirrors_every_row(dtype: torch.dtype) -> None:
    x = torch.randint(256, (2, 3, 4, 5), generator=seeded(0)).to(dtype)
    result = HorizontalFlip()(x)
    for column in range(5):
        assert torch.equal(result[..., column], x[..., 4 - column])
    assert HorizontalFlip().draw(x) == {}


def test_flip_refuses_images_one_pixel_wide() -> None:
    with pytest.raises(ShapeError, match=r"\(2, 3, 4, 1\), one pixel wide"):
        HorizontalFlip()(torch.zeros(2, 3, 4, 1))


@settings(deadline=None, max_examples=40)
@given(
    size=st.tuples(st.integers(2, 12), st.integers(2, 12)),
    padding=st.floats(0.01, 0.5),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 2**31),
)
def test_crop_agrees_with_padding_and_slicing(
    size: tuple[int, int], padding: float, dtype: torch.dtype, seed: int
) -> None:
    H, W = size
    x = torch.randn(4, 2, H, W, generator=seeded(seed)).to(dtype)
    crop = RandomCrop(padding)
    params = crop.draw(x, seeded(seed))
    result = crop.replay(x, params)
    padded = F.pad(x, (W - 1, W - 1, H - 1, H - 1), mode="reflect")
    for b, (down, across) in enumerate(params["offset"].tolist()):
        top, left = H - 1 + down, W - 1 + across
        assert torch.equal(result[b], padded[b, :, top : top + H, left : left + W])


def test_crop_offsets_are_uniform_without_the_middle() -> None:
    offset = RandomCrop(0.125).draw(torch.zeros(34_000, 1, 16, 24), seeded(0))["offset"]
    kinds, counts = torch.unique(offset, dim=0, return_counts=True)
    expected = [[d, a] for d in range(-2, 3) for a in range(-3, 4) if (d, a) != (0, 0)]
    assert kinds.tolist() == expected
    assert ((counts - 1000) ** 2 / 1000).sum() < 63.9  # 33 degrees of freedom, p = 0.001


def test_crop_moves_small_images_too() -> None:
    assert RandomCrop(0.01).draw(torch.zeros(50, 1, 2, 2))["offset"].abs().amax(dim=1).eq(1).all()


@pytest.mark.parametrize("padding", [0.0, -0.1, 0.6, float("nan")])
def test_crop_refuses_a_padding_out_of_range(padding: float) -> None:
    with pytest.raises(ConfigError, match=rf"^random_crop was given padding={padding:g}"):
        RandomCrop(padding)


def test_crop_refuses_images_of_one_pixel() -> None:
    with pytest.raises(ShapeError, match=r"\(2, 3, 1, 8\), which have nothing to reflect"):
        RandomCrop()(torch.zeros(2, 3, 1, 8))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_noise_has_the_asked_deviation(dtype: torch.dtype) -> None:
    noise = GaussianNoise(0.2)(torch.zeros(20, 3, 32, 32, dtype=dtype), generator=seeded(0))
    assert noise.double().std().item() == pytest.approx(0.2, rel=0.01)
    assert abs(noise.double().mean().item()) < 0.005


def test_noise_on_bytes_is_that_on_images_between_minus_1_and_1() -> None:
    images = torch.randint(256, (4, 3, 16, 16), generator=seeded(0)).to(torch.uint8)
    params = GaussianNoise(0.3).draw(images, seeded(1))
    on_floats = GaussianNoise(0.3).replay(images / 127.5 - 1, params)
    expected = ((on_floats + 1) * 127.5).clamp(0, 255)
    on_bytes = GaussianNoise(0.3).replay(images, params)
    assert (on_bytes - expected).abs().max() <= 0.5 + 1e-3
    assert on_bytes.min() == 0
    assert on_bytes.max() == 255


@pytest.mark.parametrize("std", [0.0, -1.0, float("inf"), float("nan")])
def test_noise_refuses_a_deviation_that_is_not_positive(std: float) -> None:
    with pytest.raises(ConfigError, match=rf"^gaussian_noise was given std={std:g}"):
        GaussianNoise(std)


@pytest.mark.parametrize(("p", "changed"), [(0.0, 0), (1.0, 50)])
def test_random_apply_at_its_limits(p: float, changed: int) -> None:
    x = torch.randn(50, 1, 4, 4, generator=seeded(0))
    result = RandomApply(Jigsaw(), p)(x, generator=seeded(1))
    assert (result != x).flatten(1).any(dim=1).sum() == changed


@pytest.mark.parametrize("p", [-0.1, 1.5, float("nan")])
def test_random_apply_refuses_what_is_no_probability(p: float) -> None:
    with pytest.raises(ConfigError, match=rf"^RandomApply was given p={p:g}"):
        RandomApply(Jigsaw(), p)
