"""Training the pair of probes: what they find, and that it follows from the seed alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nda.errors import ConfigError, ShapeError
from nda.evaluation.validity.paired_auroc import paired_aurocs
from nda.evaluation.validity.probes import probe_negatives
from nda.negatives import negative_from_name


def images(count: int, seed: int) -> Tensor:
    """Smooth images whose brightness rises from top to bottom: structure without texture."""
    rng = torch.Generator().manual_seed(seed)
    ramp = torch.linspace(30, 190, 16).view(1, 1, 16, 1) + 30 * torch.rand(
        count, 3, 1, 1, generator=rng
    )
    return (ramp + 12 * torch.rand(count, 3, 16, 16, generator=rng)).to(torch.uint8)


TRAIN, HELD_OUT = images(400, 0), images(200, 1)


def one_sided(count: int, seed: int) -> Tensor:
    """Images with a bright square somewhere in the left half: no window knows which half it is.

    It keeps a window's width from the border, where windows would see less of one of its sides.
    """
    rng = torch.Generator().manual_seed(seed)
    x = 40 + 60 * torch.rand(count, 3, 32, 32, generator=rng)
    for image, (down, across) in zip(
        x, torch.randint(8, 12, (count, 2), generator=rng).tolist(), strict=True
    ):
        image[:, down : down + 4, across : across + 4] = 220
    return x.to(torch.uint8)


@pytest.mark.slow
def test_each_probe_tells_what_it_can_see() -> None:
    names = ("horizontal_flip", "gaussian_noise:std=0.3")
    negatives = {name: negative_from_name(name) for name in names}
    train, held_out = one_sided(400, 2), one_sided(200, 3)
    scores = probe_negatives(train, held_out, negatives, steps=80, seed=0)
    assert list(scores) == list(names)
    flip, noise = (paired_aurocs([s.whole], [s.local]) for s in scores.values())
    assert flip.first.value > 0.95  # the square is on the other side
    assert flip.second.low < 0.55  # and looks the same there
    assert noise.second.value > 0.99


@pytest.mark.slow
def test_no_probe_tells_what_is_in_the_data() -> None:
    flip = {"horizontal_flip": negative_from_name("horizontal_flip")}
    scores = probe_negatives(TRAIN, HELD_OUT, flip, steps=60, seed=0)["horizontal_flip"]
    found = paired_aurocs([scores.whole], [scores.local])
    assert found.first.low < 0.55
    assert found.second.low < 0.55


def test_scores_follow_from_the_seed_and_not_from_the_company() -> None:
    jigsaw, stitch = negative_from_name("jigsaw"), negative_from_name("stitch")
    alone = probe_negatives(TRAIN, HELD_OUT, {"jigsaw": jigsaw}, steps=3, seed=5)["jigsaw"]
    both = probe_negatives(TRAIN, HELD_OUT, {"stitch": stitch, "jigsaw": jigsaw}, steps=3, seed=5)[
        "jigsaw"
    ]
    other = probe_negatives(TRAIN, HELD_OUT, {"jigsaw": jigsaw}, steps=3, seed=6)["jigsaw"]
    for mine, same, different in zip(alone.whole, both.whole, other.whole, strict=True):
        assert mine.shape == (200,)
        assert torch.equal(mine, same)
        assert not torch.equal(mine, different)


def test_scores_do_not_depend_on_the_number_of_threads() -> None:
    negatives = {name: negative_from_name(name) for name in ("jigsaw", "mixup")}
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(probe_negatives(TRAIN, HELD_OUT, negatives, steps=3, seed=0))
    finally:
        torch.set_num_threads(before)
    for name in negatives:
        assert all(map(torch.equal, found[0][name].whole, found[1][name].whole))
        assert all(map(torch.equal, found[0][name].local, found[1][name].local))


def test_the_callers_random_state_is_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    probe_negatives(TRAIN, HELD_OUT, {"mixup": negative_from_name("mixup")}, steps=1, seed=0)
    assert torch.equal(torch.rand(3), expected)


def test_progress_is_told_and_threads_are_given_back() -> None:
    before, steps = torch.get_num_threads(), []
    negatives = {name: negative_from_name(name) for name in ("jigsaw", "cutout")}
    probe_negatives(TRAIN, HELD_OUT, negatives, steps=2, seed=0, advance=lambda: steps.append(1))
    assert len(steps) == 4
    assert torch.get_num_threads() == before


def test_an_interruption_stops_every_negative() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    negatives = {name: negative_from_name(name) for name in ("jigsaw", "cutout")}
    with pytest.raises(KeyboardInterrupt):
        probe_negatives(TRAIN, HELD_OUT, negatives, steps=10_000, seed=0, advance=interrupt)


def test_wrong_arguments_are_refused() -> None:
    jigsaw = {"jigsaw": negative_from_name("jigsaw")}
    with pytest.raises(ConfigError, match="steps is 0"):
        probe_negatives(TRAIN, HELD_OUT, jigsaw, steps=0, seed=0)
    with pytest.raises(ShapeError, match="at least 64 images"):
        probe_negatives(TRAIN[:10], HELD_OUT, jigsaw, steps=1, seed=0)
    odd = {"jigsaw": negative_from_name("jigsaw:grid=5")}
    with pytest.raises(ShapeError, match="jigsaw cannot cut"):
        probe_negatives(TRAIN, HELD_OUT, odd, steps=1, seed=0)
