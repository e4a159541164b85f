"""Linear heads side by side are so many linear layers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from nda.errors import ConfigError
from nda.networks.heads.linear import LinearHeads


def test_each_head_is_a_linear_layer() -> None:
    heads = LinearHeads(3, 5, 4, seed=2)
    with torch.no_grad():
        heads.weight.add_(torch.randn(3, 5, 4))
        heads.bias.add_(torch.randn(3, 4))
    features = torch.randn(6, 5)
    found = heads(features)
    assert found.shape == (3, 6, 4)
    for head in range(3):
        expected = F.linear(features, heads.weight[head].T, heads.bias[head])
        torch.testing.assert_close(found[head], expected)


def test_all_begin_alike_and_by_the_seed() -> None:
    heads = LinearHeads(2, 400, 10, seed=1)
    assert torch.equal(heads.weight[0], heads.weight[1])
    assert float(heads.weight[0].detach().std()) == pytest.approx(0.01, rel=0.05)
    assert not torch.equal(heads.weight, LinearHeads(2, 400, 10, seed=2).weight)


def test_mixed_precision_leaves_them_in_float32() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert LinearHeads(1, 3, 2)(torch.randn(4, 3).bfloat16()).dtype == torch.float32


def test_none_of_something_is_refused() -> None:
    with pytest.raises(ConfigError, match="classes is 0; linear heads need at least 1"):
        LinearHeads(1, 2, 0)
