"""What each probe can see of an image."""

from __future__ import annotations

import pytest
import torch

from nda.errors import ShapeError
from nda.networks.probes import RECEPTIVE_FIELD, GlobalProbe, LocalProbe


@pytest.mark.parametrize("resolution", [32, 64])
def test_a_vote_of_the_local_probe_sees_seven_pixels_and_no_more(resolution: int) -> None:
    probe = LocalProbe(resolution).eval()
    x = torch.randn(1, 3, resolution, resolution, requires_grad=True)
    votes = probe.votes(x)
    down, across = (size // 2 for size in votes.shape[-2:])
    (gradient,) = torch.autograd.grad(votes[0, 0, down, across], x)
    seen = gradient[0].abs().sum(dim=0).nonzero()
    extent = seen.max(dim=0).values - seen.min(dim=0).values + 1
    assert extent.tolist() == [RECEPTIVE_FIELD, RECEPTIVE_FIELD]


def test_the_local_probe_does_not_know_where_a_window_lies() -> None:
    probe = LocalProbe(32).eval()
    x = torch.zeros(2, 3, 32, 32)
    spot = torch.randn(3, 3, 3)
    x[0, :, 10:13, 10:13] = spot  # far from every edge, and two windows' spacings further
    x[1, :, 14:17, 18:21] = spot
    torch.testing.assert_close(*probe(x))


def test_without_an_offset_all_offsets_are_averaged() -> None:
    probe = LocalProbe(32).eval()
    x = torch.randn(3, 3, 32, 32)
    maps = [probe.votes(x[:, :, d:, a:]).flatten(1) for d in (0, 1) for a in (0, 1)]
    torch.testing.assert_close(probe(x), torch.cat(maps, dim=1).mean(dim=1))


def test_the_global_probe_sees_every_pixel() -> None:
    probe = GlobalProbe(32).eval()
    x = torch.randn(1, 3, 32, 32, requires_grad=True)
    (gradient,) = torch.autograd.grad(probe(x).sum(), x)
    assert (gradient != 0).float().mean() > 0.99


@pytest.mark.parametrize("resolution", [8, 15, 24, 32, 48, 64])
def test_probes_take_images_of_many_sizes(resolution: int) -> None:
    x = torch.randn(2, 3, resolution, resolution)
    assert GlobalProbe(resolution)(x).shape == (2,)
    assert LocalProbe(resolution)(x).shape == (2,)


def test_images_without_room_for_a_window_are_refused() -> None:
    with pytest.raises(ShapeError, match="needs images of at least 8, not 6"):
        LocalProbe(6)
