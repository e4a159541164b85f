"""What every negative promises, whatever it does to the pixels."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nda.errors import ShapeError
from nda.negatives import NEGATIVE_NAMES, Negative, RandomApply, Stitch, negative_from_name

SOFT = [
    "jigsaw:seam=feather",
    "jigsaw:grid=4,seam=feather,width=2",
    "jigsaw:seam=poisson",
    "jigsaw:offset=random",
    "jigsaw:grid=4,edge=wavy",
    "jigsaw:seam=feather,offset=random,edge=wavy",
    "jigsaw:seam=poisson,offset=random",
    "stitch:seam=feather",
    "stitch:seam=feather,offset=random,edge=wavy",
    "stitch:seam=poisson,offset=random",
    "cutmix:seam=feather",
    "cutmix:edge=wavy",
    "cutmix:seam=poisson",
    "blemish:seam=feather",
]
MIXED = ["jigsaw+stitch", "cutmix+mixup+cutout", "crack+paste"]
NAMES = [*NEGATIVE_NAMES, "jigsaw:grid=4", "jigsaw:grid=8", *MIXED, *SOFT]
SOFT_MIXING = [name for name in SOFT if not name.startswith("jigsaw")]
MIXING = [*SOFT_MIXING, "stitch", "cutmix", "mixup", "blemish", "texture", "jigsaw+stitch"]
DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.uint8]


def random_batch(shape: tuple[int, ...], dtype: torch.dtype, seed: int = 0) -> Tensor:
    values = torch.randint(256, shape, generator=torch.Generator().manual_seed(seed))
    return values.to(torch.uint8) if dtype == torch.uint8 else (values / 127.5 - 1).to(dtype)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=20)
@given(
    batch=st.integers(2, 5),
    frames=st.sampled_from([(), (1,), (3,)]),
    channels=st.integers(1, 4),
    size=st.sampled_from([(8, 8), (8, 16), (24, 16)]),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 2**31),
)
def test_result_is_like_the_input_but_never_the_same(
    *,
    name: str,
    batch: int,
    frames: tuple[int, ...],
    channels: int,
    size: tuple[int, int],
    dtype: torch.dtype,
    seed: int,
) -> None:
    x = random_batch((batch, *frames, channels, *size), dtype, seed)
    before = x.clone()
    negative = negative_from_name(name)
    result = negative(x, generator=seeded(seed))
    assert (result.shape, result.dtype, result.device) == (x.shape, x.dtype, x.device)
    assert torch.equal(x, before)
    assert result.data_ptr() != x.data_ptr()
    assert (result != x).flatten(1).any(dim=1).all()


@pytest.mark.parametrize("name", NAMES)
def test_seed_decides_the_result_and_replay_repeats_it(name: str) -> None:
    x = random_batch((6, 3, 16, 16), torch.float32)
    negative = negative_from_name(name)
    result = negative(x, generator=seeded(5))
    params = negative.draw(x, seeded(5))
    assert all(len(value) == len(x) for value in params.values())
    assert torch.equal(negative.replay(x, params), result)
    assert torch.equal(negative.replay(x, params), result)
    if name != "horizontal_flip":  # which draws nothing
        assert not torch.equal(negative(x, generator=seeded(6)), result)


@pytest.mark.parametrize("name", NAMES)
def test_draws_without_a_generator_follow_the_global_seed(name: str) -> None:
    x = random_batch((6, 3, 16, 16), torch.float32)
    negative = negative_from_name(name)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        first = negative(x)
        torch.manual_seed(3)
        assert torch.equal(negative(x), first)


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
@pytest.mark.parametrize("name", NAMES)
def test_frames_of_a_clip_share_the_parameters(name: str, dtype: torch.dtype) -> None:
    clip = random_batch((4, 3, 2, 16, 8), dtype)
    negative = negative_from_name(name)
    params = negative.draw(clip, seeded(1))
    result = negative.replay(clip, params)
    for frame in range(3):
        alone = negative.replay(clip[:, frame].clone(), params)
        torch.testing.assert_close(result[:, frame], alone)  # means may be summed in another order


@pytest.mark.parametrize("name", NAMES)
def test_memory_layout_does_not_matter(name: str) -> None:
    x = random_batch((4, 3, 16, 8), torch.float32)
    negative = negative_from_name(name)
    params = negative.draw(x, seeded(1))
    expected = negative.replay(x, params)
    for other in (x.to(memory_format=torch.channels_last), x.mT.contiguous().mT):
        torch.testing.assert_close(negative.replay(other, params), expected)


@pytest.mark.parametrize("name", NAMES)
def test_gradient_is_that_of_finite_differences(name: str) -> None:
    x = torch.rand(3, 1, 8, 8, dtype=torch.float64, generator=seeded(0)).requires_grad_()
    negative = negative_from_name(name)
    params = negative.draw(x, seeded(2))
    assert torch.autograd.gradcheck(lambda x: negative.replay(x, params), x)


@pytest.mark.parametrize("name", NAMES)
def test_compiles_as_one_graph(name: str) -> None:
    x = random_batch((4, 3, 16, 16), torch.float32)
    negative = negative_from_name(name)
    torch._dynamo.reset()
    compiled: Callable[[Tensor], Tensor] = torch.compile(
        negative, fullgraph=True, backend="aot_eager"
    )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        eager = negative(x)
        torch.manual_seed(3)
        torch.testing.assert_close(compiled(x), eager)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["jigsaw", "cutmix"])
def test_compiles_with_the_default_backend(name: str) -> None:
    x = random_batch((4, 3, 16, 16), torch.float32)
    negative = negative_from_name(name)
    params = negative.draw(x, seeded(2))
    torch._dynamo.reset()
    compiled = torch.compile(negative.replay, fullgraph=True)
    assert torch.equal(compiled(x, params), negative.replay(x, params))
    result = torch.compile(negative, fullgraph=True)(x)
    assert (result != x).flatten(1).any(dim=1).all()


def test_composes_in_a_sequence() -> None:
    x = random_batch((4, 3, 16, 16), torch.float32)
    chain = nn.Sequential(negative_from_name("jigsaw"), negative_from_name("gaussian_noise"))
    assert chain(x).shape == x.shape


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_modules_still_draw_properly(name: str) -> None:
    x = random_batch((4, 3, 16, 16), torch.float16)
    negative = negative_from_name(name).half()
    result = negative(x, generator=seeded(0))
    assert (result != x).flatten(1).any(dim=1).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(3, 8, 8), (8, 8), (1, 2, 2, 3, 8, 8)])
def test_refuses_other_dimensions(name: str, shape: tuple[int, ...]) -> None:
    negative = negative_from_name(name)
    for use in (negative.draw, lambda x: negative.replay(x, {})):
        with pytest.raises(ShapeError, match=r"tensor of shape \(.*8, 8\); expected images"):
            use(torch.zeros(shape))


def test_refuses_other_types() -> None:
    with pytest.raises(ShapeError, match=r"type torch\.int64 and shape \(2, 3, 8, 8\)"):
        negative_from_name("jigsaw")(torch.zeros(2, 3, 8, 8, dtype=torch.int64))


def test_refuses_images_without_pixels() -> None:
    with pytest.raises(ShapeError, match=r"without pixels, of shape \(2, 3, 0, 8\)"):
        negative_from_name("jigsaw")(torch.zeros(2, 3, 0, 8))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(0, 3, 16, 16), (0, 2, 3, 16, 16)])
def test_refuses_a_batch_of_none(name: str, shape: tuple[int, ...]) -> None:
    negative = negative_from_name(name)
    drawn = negative.draw(torch.zeros(2, *shape[1:]), seeded(0))
    params = {name: value[:0] for name, value in drawn.items()}
    for use in (negative, negative.draw, lambda x: negative.replay(x, params)):
        with pytest.raises(ShapeError, match=r"batch without images, of shape \(0, .*16\); expect"):
            use(torch.zeros(shape))


@pytest.mark.parametrize("name", MIXING)
def test_refuses_a_batch_of_one_where_partners_are_needed(name: str) -> None:
    with pytest.raises(ShapeError, match=r"\(1, 3, 8, 8\) holds 1; give at least 2 samples"):
        negative_from_name(name)(torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize("name", sorted({*NAMES} - {*MIXING, MIXED[1]}))
def test_other_negatives_take_a_batch_of_one(name: str) -> None:
    x = random_batch((1, 3, 16, 16), torch.float32)
    assert not torch.equal(negative_from_name(name)(x, generator=seeded(0)), x)


@settings(deadline=None, max_examples=25)
@given(batch=st.integers(2, 40), seed=st.integers(0, 2**31))
def test_partners_form_one_cycle(batch: int, seed: int) -> None:
    partner = Stitch().draw(torch.zeros(batch, 1, 2, 2), seeded(seed))["partner"].tolist()
    place, seen = 0, set()
    for _ in range(batch):
        seen.add(place)
        assert partner[place] != place
        place = partner[place]
    assert place == 0
    assert len(seen) == batch


def test_every_cycle_is_equally_likely() -> None:
    generator = seeded(0)
    x = torch.zeros(4, 1, 2, 2)
    counts: dict[tuple[int, ...], int] = {}
    for _ in range(3000):
        cycle = tuple(Stitch().draw(x, generator)["partner"].tolist())
        counts[cycle] = counts.get(cycle, 0) + 1
    assert len(counts) == 6  # (4 - 1)!
    chi_square = sum((count - 500) ** 2 / 500 for count in counts.values())
    assert chi_square < 20.5  # 5 degrees of freedom, p = 0.001


@pytest.mark.parametrize("name", NAMES)
def test_random_apply_leaves_some_samples_alone(name: str) -> None:
    negative: Negative = negative_from_name(name)
    x = random_batch((400, 1, 8, 8), torch.float32)
    transform = RandomApply(negative, p=0.25)
    params = transform.draw(x, seeded(0))
    result = transform.replay(x, params)
    assert torch.equal(transform(x, generator=seeded(0)), result)
    changed = (result != x).flatten(1).any(dim=1)
    assert torch.equal(changed, params["applied"])
    assert 70 < changed.sum() < 130  # 100, give or take three and a half deviations
