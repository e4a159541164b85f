"""The moving average and the standing statistics against loops written out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from nda.training.ema import STANDING_BATCHES, Ema, standing_statistics


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).double()


@pytest.mark.parametrize("start", [0, 4, 100])
def test_it_copies_up_to_its_start_and_then_averages(start: int) -> None:
    source = network()
    ema = Ema(source, decay=0.9, start=start)
    optimizer = torch.optim.SGD(source.parameters(), lr=0.1)
    expected = [p.detach().clone() for p in source.parameters()]
    rng = torch.Generator().manual_seed(1)
    for step in range(1, 9):
        optimizer.zero_grad()
        batch = torch.randn(5, 3, generator=rng, dtype=torch.float64)
        source(batch).square().mean().backward()
        optimizer.step()
        ema.update(source, step)
        for index, parameter in enumerate(source.parameters()):
            average, value = expected[index], parameter.detach()
            expected[index] = value.clone() if step <= start else 0.9 * average + 0.1 * value
    for average, wanted in zip(ema.module.parameters(), expected, strict=True):
        torch.testing.assert_close(average.data, wanted)
    for mine, yours in zip(ema.module.buffers(), source.buffers(), strict=True):
        assert torch.equal(mine, yours)


@pytest.mark.parametrize("start", [0, 5])
def test_it_is_apart_from_its_source_and_learns_nothing(start: int) -> None:
    source = network()
    before = {name: value.clone() for name, value in source.state_dict().items()}
    ema = Ema(source, decay=0.5, start=start)
    with torch.no_grad():
        for value in ema.module.state_dict().values():
            value.fill_(7)
    ema.update(source, 1)
    assert all(torch.equal(before[name], value) for name, value in source.state_dict().items())
    assert not any(p.requires_grad for p in ema.module.parameters())
    assert all(p.requires_grad for p in source.parameters())


def test_its_state_can_be_kept() -> None:
    source = network()
    ema, other = Ema(source, decay=0.5, start=0), Ema(network(), decay=0.5, start=0)
    with torch.no_grad():
        next(source.parameters()).add_(1)
    ema.update(source, 1)
    other.load_state_dict(ema.state_dict())
    for mine, yours in zip(ema.module.parameters(), other.module.parameters(), strict=True):
        assert torch.equal(mine, yours)


def test_standing_statistics_are_the_mean_over_the_batches() -> None:
    source = network()
    batches = list(torch.randn(6, 10, 3, generator=torch.Generator().manual_seed(2)).double())
    inputs: list[Tensor] = []  # of the batch norm

    def sample(copy: nn.Module) -> Tensor:
        batch = batches[len(inputs)]
        inputs.append(source[0](batch).detach())
        result: Tensor = copy(batch)
        return result

    for _ in range(3):  # whose statistics of training must not enter
        source(torch.full((4, 3), 50.0).double())
    before = {name: value.clone() for name, value in source.state_dict().items()}
    fresh = standing_statistics(source, sample, batches=6)
    assert len(inputs) == 6
    norm = fresh.get_submodule("1")
    assert isinstance(norm, nn.BatchNorm1d)
    mean = sum(batch.mean(dim=0) for batch in inputs) / 6
    variance = sum(batch.var(dim=0) for batch in inputs) / 6
    torch.testing.assert_close(norm.running_mean, mean)
    torch.testing.assert_close(norm.running_var, variance)
    assert not fresh.training
    assert source.training
    for name, value in source.state_dict().items():
        assert torch.equal(value, before[name])


def test_standing_statistics_are_of_16_batches_that_keep_no_graph() -> None:
    drawn: list[Tensor] = []
    standing_statistics(network(), lambda copy: drawn.append(copy(torch.rand(4, 3).double())))
    assert len(drawn) == STANDING_BATCHES == 16
    assert not any(each.requires_grad for each in drawn)
