"""Probes find what is there to be found, the same whoever asks and however many threads work."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from nda.errors import ConfigError, ShapeError
from nda.evaluation.paired_auroc import paired_aurocs
from nda.evaluation.probes import BATCH, ProbeScores, probe_negatives
from nda.negatives import HorizontalFlip, Jigsaw, Negative, negative_from_name

SIDE = 16


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def images(count: int, seed: int = 0) -> Tensor:
    """Dark above, light below, with noise: a flip is nothing, a jigsaw breaks the order."""
    generator = torch.Generator().manual_seed(seed)
    ramp = torch.linspace(40, 200, SIDE).view(1, 1, SIDE, 1)
    noise = torch.randn(count, 3, SIDE, SIDE, generator=generator) * 12
    return (ramp + noise).clamp(0, 255).to(torch.uint8)


def probed(*names: str, steps: int = 3, seed: int = 0) -> dict[str, ProbeScores]:
    negatives = {name: negative_from_name(name) for name in names}
    return probe_negatives(images(160), images(60, 1), negatives, steps=steps, seed=seed)


def equal(one: ProbeScores, other: ProbeScores) -> bool:
    pairs = zip((*one.whole, *one.local), (*other.whole, *other.local), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_structure_is_found_by_the_global_probe_and_a_flip_by_none() -> None:
    # Cells of 8 pixels: what is local stays, but for the seams.
    negatives: dict[str, Negative] = {"flip": HorizontalFlip(), "jigsaw": Jigsaw()}
    torch.set_num_threads(1)
    found = probe_negatives(images(400), images(200, 1), negatives, steps=40, seed=0)
    flip = paired_aurocs([found["flip"].whole], [found["flip"].local])
    jigsaw = paired_aurocs([found["jigsaw"].whole], [found["jigsaw"].local])
    assert jigsaw.first.value > 0.98
    assert flip.first.low < 0.5 < flip.first.high + 0.05
    assert abs(flip.second.value - 0.5) < 0.12


def test_noise_is_found_by_the_local_probe() -> None:
    found = probed("gaussian_noise:std=0.6", steps=30)["gaussian_noise:std=0.6"]
    assert paired_aurocs([found.whole], [found.local]).second.value > 0.98


def test_the_same_seed_gives_the_same_whoever_else_is_probed() -> None:
    torch.set_num_threads(1)
    alone = probed("jigsaw")["jigsaw"]
    torch.set_num_threads(2)
    beside = probed("mixup", "jigsaw", "cutout")
    assert list(beside) == ["mixup", "jigsaw", "cutout"]
    assert equal(alone, beside["jigsaw"])
    assert not equal(alone, probed("jigsaw", seed=1)["jigsaw"])
    assert torch.get_num_threads() == min(2, os.cpu_count() or 1) or torch.get_num_threads() == 2


def test_shapes_and_the_callers_random_state() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    scores = probed("stitch", steps=1)["stitch"]
    assert torch.equal(torch.rand(3), expected)
    assert [len(x) for x in (*scores.whole, *scores.local)] == [60] * 4


def test_every_step_of_every_negative_is_told() -> None:
    told: list[int] = []
    negatives = {name: negative_from_name(name) for name in ("jigsaw", "mixup")}
    probe_negatives(
        images(BATCH), images(4, 1), negatives, steps=2, seed=0, advance=lambda: told.append(1)
    )
    assert len(told) == 4


def test_an_error_in_one_ends_all() -> None:
    def broken() -> None:
        raise RuntimeError("no more")

    negatives = {name: negative_from_name(name) for name in ("jigsaw", "mixup", "cutout")}
    with pytest.raises(RuntimeError, match="no more"):
        probe_negatives(images(BATCH), images(4), negatives, steps=500, seed=0, advance=broken)


def test_bad_input_is_refused() -> None:
    jigsaw: dict[str, Negative] = {"jigsaw": Jigsaw()}
    with pytest.raises(ConfigError, match="steps is 0; the probes need at least 1"):
        probe_negatives(images(BATCH), images(4), jigsaw, steps=0, seed=0)
    with pytest.raises(ShapeError, match=r"at least 64 images and are judged on at least 2 of the"):
        probe_negatives(images(BATCH - 1), images(4), jigsaw, steps=1, seed=0)
    with pytest.raises(ShapeError, match="cannot cut images of 16 x 16"):
        probe_negatives(images(BATCH), images(4), {"j": Jigsaw(3)}, steps=1, seed=0)
