"""What every null promises: the negative's treatment of an image, its structure kept."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nda.negatives import NEGATIVE_NAMES, Blemish, Jigsaw, OneOf, negative_from_name
from tests.negatives.test_contract import DTYPES, SOFT, random_batch, seeded

UNTOUCHED = [name for name in NEGATIVE_NAMES if name not in ("blemish", "scar")]
FEATHERED = [name for name in SOFT if "feather" in name]
UNTOUCHED += [name for name in SOFT if "feather" not in name]
NAMES = [*NEGATIVE_NAMES, *SOFT, "jigsaw:seam=feather+blemish+mixup"]


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=20)
@given(
    batch=st.integers(2, 4),
    frames=st.sampled_from([(), (3,)]),
    channels=st.integers(1, 3),
    size=st.sampled_from([(8, 8), (8, 16), (24, 16)]),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 2**31),
)
def test_null_is_a_new_tensor_that_differs_only_where_the_mask_says(
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
    params = negative.draw(x, seeded(seed))
    null, mask = negative.null(x, params), negative.mask(x, params)
    assert (null.shape, null.dtype, null.device) == (x.shape, x.dtype, x.device)
    assert torch.equal(x, before)
    assert null.data_ptr() != x.data_ptr()
    changed = (null != x).flatten(1, -3).any(dim=1)  # (B, H, W)
    assert not (changed & (mask[:, 0] == 0)).any()
    assert torch.equal(null, negative.null(x, params))


@pytest.mark.parametrize("name", UNTOUCHED)
def test_a_hard_cut_leaves_no_trace(name: str) -> None:
    x = random_batch((4, 3, 16, 16), torch.float32)
    negative = negative_from_name(name)
    assert torch.equal(negative.null(x, negative.draw(x, seeded(0))), x)


@pytest.mark.parametrize("name", NAMES)
def test_nulls_keep_frames_alike_and_the_memory_as_it_lies(name: str) -> None:
    clip = random_batch((4, 3, 2, 16, 8), torch.float32)
    negative = negative_from_name(name)
    params = negative.draw(clip, seeded(1))
    null = negative.null(clip, params)
    for frame in range(3):
        torch.testing.assert_close(negative.null(clip[:, frame].clone(), params), null[:, frame])
    images = clip[:, 0].clone()
    last = images.to(memory_format=torch.channels_last)
    torch.testing.assert_close(negative.null(last, params), negative.null(images, params))


@pytest.mark.parametrize("name", NAMES)
def test_nulls_compile_as_one_graph_and_have_gradients(name: str) -> None:
    x = random_batch((3, 1, 8, 8), torch.float64).requires_grad_()
    negative = negative_from_name(name)
    params = negative.draw(x, seeded(2))
    assert torch.autograd.gradcheck(lambda x: negative.null(x, params), x)
    torch._dynamo.reset()
    compiled = torch.compile(negative.null, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, params), negative.null(x, params))


@pytest.mark.parametrize("name", FEATHERED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
def test_the_treatment_is_that_of_the_negative(name: str, dtype: torch.dtype) -> None:
    """Where every pixel of a batch is the same nothing is broken, so null and negative agree."""
    x = random_batch((1, 3, 1, 1), dtype).expand(6, 3, 24, 24)
    negative = negative_from_name(name)
    params = negative.draw(x, seeded(0))
    torch.testing.assert_close(negative.null(x, params), negative.replay(x, params))


def test_null_of_a_jigsaw_is_treated_at_the_seams_of_the_negative() -> None:
    """Noise loses contrast at the same pixels in both."""
    x = torch.randn(400, 3, 32, 32, generator=seeded(0))
    negative = Jigsaw(seam="feather")
    params = {"permutation": negative.draw(x[:1], seeded(0))["permutation"].expand(400, -1)}
    null, made = negative.null(x, params), negative.replay(x, params)
    torch.testing.assert_close(null.var(dim=(0, 1)), made.var(dim=(0, 1)), rtol=0.4, atol=0.02)
    assert (null.var(dim=(0, 1))[negative.mask(x, params)[0, 0] == 1] < 0.3).all()


def test_null_of_a_blemish_is_relit_but_keeps_its_texture() -> None:
    x = random_batch((6, 3, 24, 24), torch.float32)
    negative = Blemish()
    params = negative.draw(x, seeded(0))
    unlit = {**params, "light": torch.zeros(6)}
    torch.testing.assert_close(negative.null(x, unlit), x)
    assert (negative.null(x, params) != x).flatten(1).any(dim=1).all()
    flat = x[:, :, :1, :1].expand_as(x)[:1].expand_as(x)  # all alike: texture tells nothing
    torch.testing.assert_close(negative.null(flat, params), negative.replay(flat, params))


def test_of_a_mixture_the_null_is_that_of_the_chosen_member() -> None:
    members = [Jigsaw(seam="feather"), Blemish(), Jigsaw()]
    mixture = OneOf(members)
    x = random_batch((12, 3, 16, 16), torch.float32)
    params = mixture.draw(x, seeded(0))
    null = mixture.null(x, params)
    assert set(params["choice"].tolist()) == {0, 1, 2}
    for b, choice in enumerate(params["choice"].tolist()):
        own = {k[2:]: v for k, v in params.items() if k.startswith(f"{choice}.")}
        assert torch.equal(null[b], members[choice].null(x, own)[b])
