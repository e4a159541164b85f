"""Parts of MoCo: split batch norm against parts, the queue, the momentum, the shuffle."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from nda.errors import ConfigError, ShapeError
from nda.networks.moco import (
    Queue,
    SplitBatchNorm,
    build_moco,
    momentum_update,
    shuffle_bn,
)


def test_split_batch_norm_is_a_batch_norm_on_each_part() -> None:
    x = torch.randn(12, 5, 3, 3)
    split = SplitBatchNorm(5, splits=3)
    with torch.no_grad():
        split.weight.uniform_(0.5, 2)
        split.bias.uniform_(-1, 1)
    parts = []
    for part in x.split(4):
        plain = nn.BatchNorm2d(5)
        plain.load_state_dict(split.state_dict())
        parts.append((plain(part), plain.running_mean, plain.running_var))
    torch.testing.assert_close(split(x), torch.cat([out for out, _, _ in parts]))
    for name, index in (("running_mean", 1), ("running_var", 2)):
        means: list[Tensor] = [each[index] for each in parts]  # type: ignore[misc]
        torch.testing.assert_close(getattr(split, name), torch.stack(means).mean(dim=0))


def test_split_batch_norm_in_eval_mode_is_a_batch_norm() -> None:
    split = SplitBatchNorm(5, splits=3)
    split(torch.randn(12, 5, 3, 3))
    plain = nn.BatchNorm2d(5)
    plain.load_state_dict(split.state_dict(), strict=False)
    x = torch.randn(7, 5, 3, 3)  # which 3 does not divide
    torch.testing.assert_close(split.eval()(x), plain.eval()(x))


def test_split_batch_norm_passes_gradients() -> None:
    x = torch.randn(8, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    norm = SplitBatchNorm(2, splits=2).double()
    assert torch.autograd.gradcheck(norm, (x,))


def test_a_batch_that_cannot_be_parted_is_refused() -> None:
    with pytest.raises(ShapeError, match="A batch of 7 cannot be parted into 3 equal ones"):
        SplitBatchNorm(5, splits=3)(torch.randn(7, 5, 3, 3))


def test_split_networks_hold_the_weights_of_plain_ones() -> None:
    plain = build_moco("cifar_resnet18", width=8, dim=16, bn_splits=1, seed=0)
    split = build_moco("cifar_resnet18", width=8, dim=16, bn_splits=4, seed=0)
    for (name, mine), (other, its) in zip(
        plain.state_dict().items(), split.state_dict().items(), strict=True
    ):
        assert name == other
        assert torch.equal(mine, its), name
    assert sum(isinstance(part, SplitBatchNorm) for part in split.modules()) == 20
    assert split(torch.rand(8, 3, 32, 32)).shape == (8, 16)


def test_the_queue_keeps_the_newest_vectors() -> None:
    queue = Queue(6, 3, batch=2, seed=1)
    torch.testing.assert_close(queue.vectors.norm(dim=1), torch.ones(6))
    came = [torch.full((2, 3), float(step)) for step in range(5)]
    for step, vectors in enumerate(came):
        queue.enqueue(vectors, step)
    kept = sorted(queue.vectors[:, 0].tolist())
    assert kept == [2, 2, 3, 3, 4, 4]
    assert sorted(queue.born.tolist()) == kept
    assert queue.age(5).item() == pytest.approx((1 + 2 + 3) / 3)


@pytest.mark.parametrize(("size", "nearest"), [(7, 8), (1, 2)])
def test_a_queue_that_is_no_multiple_of_the_batch_is_refused(size: int, nearest: int) -> None:
    with pytest.raises(ConfigError, match=f"a multiple of 2, such as {nearest}"):
        Queue(size, 3, batch=2)


def test_the_momentum_encoder_follows_parameters_and_keeps_its_statistics() -> None:
    source = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    average = copy.deepcopy(source)
    source(torch.randn(5, 2))
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.add_(1.0)
    before = {name: each.clone() for name, each in average.state_dict().items()}
    momentum_update(average, source, 0.9)
    for name, parameter in average.named_parameters():
        expected = 0.9 * before[name] + 0.1 * dict(source.named_parameters())[name]
        torch.testing.assert_close(parameter, expected)
    for name, buffer in average.named_buffers():
        assert torch.equal(buffer, before[name])


class Company(nn.Module):
    """Gives each sample the mean of its half of the batch: who its company is."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([part.mean(dim=0).expand_as(part) for part in x.chunk(2)])


def test_the_shuffle_gives_each_sample_its_own_result_and_another_company() -> None:
    x = torch.arange(8.0)[:, None]
    order = torch.tensor([7, 0, 5, 2, 1, 4, 3, 6])
    found = shuffle_bn(Company(), x, order)
    company = {sample: half for half in (order[:4], order[4:]) for sample in half.tolist()}
    for sample in range(8):
        assert found[sample].item() == pytest.approx(float(company[sample].float().mean()))
    assert torch.equal(shuffle_bn(nn.Identity(), x, order), x)
    assert torch.equal(shuffle_bn(nn.Identity(), x, None), x)
