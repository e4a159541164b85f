"""The gradient penalty against closed forms and a loop over samples."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nda.errors import ShapeError
from nda.objectives import gradient_penalty, zero_centred_penalty


def test_linear_critic_has_a_closed_form() -> None:
    weight = torch.tensor([3.0, 4.0])  # of norm 5, whatever the point
    real, fake = torch.randn(6, 2), torch.randn(6, 2)
    assert gradient_penalty(lambda x: x @ weight, real, fake).item() == pytest.approx(16.0)


def test_it_is_the_mean_over_samples_taken_one_by_one() -> None:
    critic = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 1)).double()
    real, fake = torch.randn(4, 5, dtype=torch.float64), torch.randn(4, 5, dtype=torch.float64)
    penalty = gradient_penalty(critic, real, fake, generator=torch.Generator().manual_seed(3))
    share = torch.rand(4, generator=torch.Generator().manual_seed(3))
    expected = []
    for i in range(4):
        point = (real[i] + share[i] * (fake[i] - real[i])).requires_grad_()
        (slope,) = torch.autograd.grad(critic(point).squeeze(), point)
        expected.append((float(slope.norm()) - 1) ** 2)
    assert penalty.item() == pytest.approx(sum(expected) / 4)


def test_it_teaches_the_critic_and_nothing_else() -> None:
    critic = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.Tanh(), nn.Linear(5, 1))
    fake = torch.randn(3, 3, 2, 2, requires_grad=True)
    gradient_penalty(critic, torch.randn(3, 3, 2, 2), fake).backward()
    weights = [parameter for parameter in critic.parameters() if parameter.dim() > 1]
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in weights)
    assert fake.grad is None


def test_a_critic_may_use_fused_attention() -> None:
    def critic(x: torch.Tensor) -> torch.Tensor:
        return functional.scaled_dot_product_attention(weight * x, x, x).flatten(1).sum(1)

    weight = torch.tensor(0.5, requires_grad=True)
    real, fake = torch.randn(2, 3, 1, 4, 4).unbind()
    gradient_penalty(critic, real, fake).backward()
    assert weight.grad is not None
    assert weight.grad != 0


def test_different_shapes_are_refused() -> None:
    def critic(x: Tensor) -> Tensor:
        return x.flatten(1).sum(dim=1)

    with pytest.raises(ShapeError, match=r"\(2, 3\) and \(2, 4\)"):
        gradient_penalty(critic, torch.zeros(2, 3), torch.zeros(2, 4))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_within_autocast_it_is_that_of_float32(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 1))
    real, fake = torch.randn(2, 4, 5).to(dtype)
    draws = [torch.Generator().manual_seed(3) for _ in range(2)]
    share = torch.rand(4, 1, generator=draws[0])
    point = (real + share * (fake.float() - real)).requires_grad_()
    (slope,) = torch.autograd.grad(critic(point).sum(), point, create_graph=True)
    wanted = (slope.norm(dim=1) - 1).square().mean()
    with torch.autocast("cpu", torch.bfloat16):
        found = gradient_penalty(critic, real, fake, generator=draws[1])
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, wanted)
    slopes = [torch.autograd.grad(value, next(critic.parameters())) for value in (found, wanted)]
    torch.testing.assert_close(*slopes)


def test_r1_of_a_linear_critic_is_its_squared_slope() -> None:
    weight = torch.tensor([3.0, 4.0])
    assert zero_centred_penalty(lambda x: x @ weight, torch.randn(6, 2)).item() == 25.0


def test_r1_is_the_mean_over_samples_taken_one_by_one_and_teaches_the_critic() -> None:
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 1)).double()
    samples = torch.randn(4, 5, dtype=torch.float64, requires_grad=True)
    penalty = zero_centred_penalty(critic, samples)
    expected = 0.0
    for sample in samples.detach():
        point = sample.clone().requires_grad_()
        (slope,) = torch.autograd.grad(critic(point).squeeze(), point)
        expected += float(slope.square().sum()) / 4
    assert penalty.item() == pytest.approx(expected)
    penalty.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in critic.parameters()
               if p.dim() > 1)  # fmt: skip
    assert samples.grad is None
    point = torch.randn(5, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(lambda w: zero_centred_penalty(lambda x: (x @ w).tanh(), samples),
                             (point,))  # fmt: skip


def test_r1_within_autocast_is_that_of_float32() -> None:
    torch.manual_seed(0)
    critic, samples = nn.Linear(5, 1), torch.randn(4, 5).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = zero_centred_penalty(critic, samples)
    torch.testing.assert_close(found, zero_centred_penalty(critic, samples.float()))
