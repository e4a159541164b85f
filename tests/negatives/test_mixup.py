from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nda.errors import ConfigError
from nda.negatives import Mixup

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.uint8]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_weights_keep_near_one_half_unless_told_otherwise() -> None:
    weight = Mixup().draw(torch.zeros(20_000, 1, 1, 1), seeded(0))["weight"]
    assert weight.mean().item() == pytest.approx(0.5, abs=0.005)
    assert weight.std().item() == pytest.approx(stats.beta(25, 25).std(), rel=0.03)


@settings(deadline=None, max_examples=30)
@given(
    batch=st.integers(2, 6),
    frames=st.sampled_from([(), (3,)]),
    size=st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 2**31),
)
def test_replay_agrees_with_mixing_one_by_one(
    batch: int,
    frames: tuple[int, ...],
    size: tuple[int, int, int],
    dtype: torch.dtype,
    seed: int,
) -> None:
    x = torch.randint(256, (batch, *frames, *size), generator=seeded(seed)).to(dtype)
    params = Mixup().draw(x, seeded(seed))
    result = Mixup().replay(x, params)
    for b in range(batch):
        weight = params["weight"][b].double()
        mixed = weight * x[b].double() + (1 - weight) * x[params["partner"][b]].double()
        if dtype == torch.uint8:
            assert (result[b] - mixed).abs().max() <= 0.5 + 1e-4
        else:
            torch.testing.assert_close(result[b], mixed.to(dtype))


@pytest.mark.parametrize("alpha", [0.3, 1.0, 25.0])
def test_weights_follow_the_beta_law(alpha: float) -> None:
    x = torch.zeros(20_000, 1, 1, 1)
    weights = Mixup(alpha).draw(x, seeded(0))["weight"]
    statistic = stats.kstest(weights.double().numpy(), stats.beta(alpha, alpha).cdf).statistic
    assert statistic < 1.95 / 20_000**0.5  # p = 0.001
    assert len(torch.unique(weights)) > 10_000


@pytest.mark.parametrize("alpha", [1e-3, 0.1, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_weights_stay_strictly_between_0_and_1(alpha: float, dtype: torch.dtype) -> None:
    mixup = Mixup(alpha).to(dtype)
    weights = mixup.draw(torch.zeros(20_000, 1, 1, 1), seeded(0))["weight"]
    assert weights.dtype == torch.float32
    assert ((weights > 0) & (weights < 1)).all()


def test_the_table_is_no_part_of_a_checkpoint() -> None:
    assert Mixup().state_dict() == {}


@pytest.mark.parametrize("alpha", [0.4, 25.0])
def test_weights_are_the_middles_of_16384_equal_steps_of_probability(alpha: float) -> None:
    table = Mixup(alpha).quantiles
    steps = (torch.arange(16384, dtype=torch.float64) + 0.5) / 16384
    expected = torch.from_numpy(stats.beta(alpha, alpha).ppf(steps.numpy())).float()
    torch.testing.assert_close(table, expected)


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("inf"), float("nan")])
def test_refuses_an_alpha_that_is_not_positive(alpha: float) -> None:
    with pytest.raises(
        ConfigError, match=rf"^mixup was given alpha={alpha:g}; expected a positive"
    ):
        Mixup(alpha)
