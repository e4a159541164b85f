"""Training the pair of probes: what they find, and that it follows from the seed alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nda.errors import ConfigError, ShapeError
from nda.evaluation.shortcuts.treatments import move_quadrants
from nda.evaluation.validity.paired_auroc import paired_aurocs
from nda.evaluation.validity.probes import nulls_and_negatives, probe_negatives
from nda.negatives import Jigsaw, Negative, negative_from_name
from nda.negatives.base import Params
from nda.networks.probes import LocalProbe


def images(count: int, seed: int) -> Tensor:
    """Smooth images whose brightness rises from top to bottom: structure without texture."""
    rng = torch.Generator().manual_seed(seed)
    ramp = torch.linspace(30, 190, 16).view(1, 1, 16, 1) + 30 * torch.rand(
        count, 3, 1, 1, generator=rng
    )
    return (ramp + 12 * torch.rand(count, 3, 16, 16, generator=rng)).to(torch.uint8)


TRAIN, HELD_OUT = images(400, 0), images(200, 1)


def alike_halves(count: int, seed: int) -> Tensor:
    """Noise of one colour in all four quarters, which keep a window's width apart."""
    rng = torch.Generator().manual_seed(seed)
    x = 100 + 40 * torch.rand(count, 3, 32, 32, generator=rng)
    colour = 80 * torch.rand(count, 3, 1, 1, generator=rng)
    for rows in (slice(0, 12), slice(20, 32)):
        for columns in (slice(0, 12), slice(20, 32)):
            x[:, :, rows, columns] += colour
    return x.to(torch.uint8)


@pytest.mark.slow
def test_each_probe_tells_what_it_can_see() -> None:
    names = ("stitch", "gaussian_noise:std=0.3")
    negatives = {name: negative_from_name(name) for name in names}
    train, held_out = alike_halves(400, 2), alike_halves(200, 3)
    scores = probe_negatives(train, held_out, negatives, steps=150, seed=0)
    assert list(scores) == list(names)
    stitch, noise = (paired_aurocs([s.whole], [s.local]) for s in scores.values())
    # The halves are of two colours, each of which a half may have. The most certain window of two
    # colours is likely to be of an extreme one, which is all that windows have to go by.
    assert stitch.first.value > 0.95
    assert stitch.second.high < 0.85
    assert noise.second.value > 0.99


class Quadrants(Negative):
    """A seam in the middle, structure whole."""

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        del x
        assert generator is not None
        self.rng = generator
        return {}

    def replay(self, x: Tensor, params: Params) -> Tensor:
        del params
        return move_quadrants(x, self.rng)


@pytest.mark.slow
def test_a_seam_alone_is_seen_by_windows_as_well_as_by_the_whole() -> None:
    train, held_out = sloping(400, 2), sloping(200, 3)
    scores = probe_negatives(train, held_out, {"moved": Quadrants()}, steps=150, seed=0)["moved"]
    found = paired_aurocs([scores.whole], [scores.local])
    assert found.second.value > 0.9
    assert found.difference.high < 1 / 3 * (1 - found.second.value) + 0.02


def sloping(count: int, seed: int) -> Tensor:
    """Images whose brightness rises evenly in a direction of their own: a step in it is a seam."""
    rng = torch.Generator().manual_seed(seed)
    place = torch.linspace(-1, 1, 32)
    turn = 6.28 * torch.rand(count, 1, 1, 1, generator=rng)
    slope = turn.cos() * place[:, None] + turn.sin() * place
    return (120 + 70 * slope.expand(-1, 3, -1, -1)).to(torch.uint8)


def test_a_blur_that_nulls_share_gives_nothing_away() -> None:
    """Blurred along the cuts, and otherwise as it was: told from an image, not from a null."""
    scores = probe_negatives(TRAIN, HELD_OUT, {"blurred": Blurred()}, steps=1, seed=0)["blurred"]
    for images_, negatives in (scores.whole, scores.local):
        assert torch.equal(images_, negatives)


class Blurred(Jigsaw):
    """A feathered jigsaw whose pieces are laid in order."""

    def __init__(self) -> None:
        super().__init__(seam="feather")

    def replay(self, x: Tensor, params: Params) -> Tensor:
        return self.null(x, params)


def test_probes_learn_from_as_many_images_as_nulls(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Tensor] = []
    learn = LocalProbe.forward

    def seen(probe: LocalProbe, x: Tensor, offset: tuple[int, int] | None = None) -> Tensor:
        if offset is not None:
            shown.append(x)
        return learn(probe, x, offset)

    monkeypatch.setattr(LocalProbe, "forward", seen)
    probe_negatives(TRAIN, HELD_OUT, {"blurred": Blurred()}, steps=1, seed=0)
    (x,) = shown
    images_, negatives = x.chunk(2)
    same = [torch.equal(a, b) for a, b in zip(images_, negatives, strict=True)]
    assert same == [False] * 32 + [True] * 32


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
    with pytest.raises(ShapeError, match="at least 32 images"):
        probe_negatives(TRAIN[:10], HELD_OUT, jigsaw, steps=1, seed=0)
    odd = {"jigsaw": negative_from_name("jigsaw:grid=5")}
    with pytest.raises(ShapeError, match="jigsaw cannot cut"):
        probe_negatives(TRAIN, HELD_OUT, odd, steps=1, seed=0)


def test_nulls_and_negatives_are_of_the_same_draws() -> None:
    negative = negative_from_name("cutmix:seam=feather")
    images_ = images(502, 4)
    nulls, made = nulls_and_negatives(images_, negative, torch.Generator().manual_seed(1))
    rng, place = torch.Generator().manual_seed(1), 0
    for size in (251, 251):
        part = images_[place : place + size]
        params = negative.draw(part, rng)
        assert torch.equal(nulls[place : place + size], negative.null(part, params))
        assert torch.equal(made[place : place + size], negative.replay(part, params))
        place += size
