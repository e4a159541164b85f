"""The local probe sees windows of 7 x 7 pixels at known places, the global one the whole image."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch

from nda.errors import ShapeError
from nda.networks.probes import RECEPTIVE_FIELD, GlobalProbe, LocalProbe

SIZES = (32, 33, 64)


def images(side: int, *, count: int = 4) -> torch.Tensor:
    rng = torch.Generator().manual_seed(side)
    return torch.rand(count, 3, side, side, generator=rng) * 2 - 1


def seen(probe: LocalProbe, side: int, row: int, column: int) -> torch.Tensor:
    """Which pixels one vote depends on, by its gradient."""
    x = images(side).requires_grad_()
    probe.votes(x)[0, 0, row, column].backward()
    assert x.grad is not None
    return x.grad[0].abs().sum(0) > 0


@pytest.mark.parametrize("side", SIZES)
def test_a_vote_sees_seven_pixels_either_way(side: int) -> None:
    torch.manual_seed(0)
    probe = LocalProbe(side, width=64).eval()  # so wide that no pixel is lost behind a ReLU
    last = probe.votes(images(side)).shape[-1] - 1
    for row, column in ((0, 0), (last // 2, 1), (last, last)):
        places = seen(probe, side, row, column).nonzero()
        low, high = places.amin(0), places.amax(0)
        assert (high - low + 1).tolist() == [RECEPTIVE_FIELD, RECEPTIVE_FIELD]
        assert low.tolist() == [row * probe.spacing, column * probe.spacing]


@pytest.mark.parametrize("side", SIZES)
def test_no_padding_tells_a_vote_where_it_is(side: int) -> None:
    """Of an image that is the same everywhere all windows say the same, those at the edge too."""
    torch.manual_seed(0)
    probe = LocalProbe(side).eval()
    with torch.no_grad():
        votes = probe.votes(torch.full((1, 3, side, side), 0.3))
        features = GlobalProbe(side).features(torch.full((2, 3, 16, 16), 0.3))
    assert float(votes.flatten(2).std(dim=2).max()) == pytest.approx(0, abs=1e-6)
    assert float(features.std()) > 1e-3


@pytest.mark.parametrize("side", SIZES)
def test_the_logit_is_the_mean_vote_weighed_by_certainty(side: int) -> None:
    torch.manual_seed(0)
    probe, x = LocalProbe(side).eval(), images(side)
    torch.nn.init.normal_(probe.places, std=0.1)
    ends = (0, probe.spacing - 1)
    said: list[list[tuple[float, float]]] = [[] for _ in x]
    with torch.no_grad():
        for down, across in product(ends, ends):
            rows = range(down, side - RECEPTIVE_FIELD + 1, probe.spacing)
            columns = range(across, side - RECEPTIVE_FIELD + 1, probe.spacing)
            for row, column in product(rows, columns):
                window = x[:, :, row : row + RECEPTIVE_FIELD, column : column + RECEPTIVE_FIELD]
                here = probe.places[:, row // probe.spacing, column // probe.spacing]
                for image, of_window in zip(said, probe.votes(window).flatten(1), strict=True):
                    vote, certainty = (of_window + 10 * here).tolist()
                    image.append((vote, math.exp(certainty)))
        expected = torch.tensor([sum(v * c for v, c in each) / sum(c for _, c in each)
                                 for each in said])  # fmt: skip
        assert torch.allclose(probe(x), expected, atol=1e-5)


def test_an_offset_moves_the_windows() -> None:
    torch.manual_seed(0)
    probe, x = LocalProbe(32).eval(), images(32)
    with torch.no_grad():
        vote, certainty = probe.votes(x[:, :, 1:]).flatten(2).unbind(dim=1)
        expected = (vote * certainty.softmax(dim=1)).sum(dim=1)
        torch.testing.assert_close(probe(x, (1, 0)), expected)
        assert not torch.equal(probe(x, (1, 0)), probe(x, (0, 0)))


def test_one_certain_window_outweighs_all_others() -> None:
    """A mean of all would hear of a seam that fills one window in 169 as of next to nothing."""
    probe = LocalProbe(32).eval()
    for parameter in probe.parameters():
        torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        probe.places[:, 6, 6] = torch.tensor([0.4, 2.0])  # of vote and certainty
        assert float(probe(images(32), (0, 0)).min()) == pytest.approx(4.0, abs=1e-3)


@pytest.mark.parametrize("side", [8, 16, 20, 32, 33, 64, 100])
def test_both_give_a_logit_an_image(side: int) -> None:
    for probe in (LocalProbe(side), GlobalProbe(side)):
        logits = probe(images(side, count=3))
        assert logits.shape == (3,)
        logits.sum().backward()
        assert all(p.grad is not None for p in probe.parameters())


@pytest.mark.parametrize("side", SIZES)
def test_the_global_probe_sees_every_pixel(side: int) -> None:
    torch.manual_seed(0)
    x = images(side).requires_grad_()
    GlobalProbe(side).eval()(x)[0].backward()
    assert x.grad is not None
    assert bool((x.grad[0].abs().sum(0) > 0).all())


def test_too_small_images_are_refused() -> None:
    with pytest.raises(ShapeError, match="windows of 7 pixels and needs images of at least 8, not"):
        LocalProbe(7)
