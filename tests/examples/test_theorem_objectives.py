"""Best discriminators of the objectives that keep negatives out of the generator's game."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

import nda

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
import theorem_gan
import theorem_objectives as theorem

P = theorem_gan.shares(theorem_gan.DATA)
DATA, INSIDE, OUTSIDE = theorem_gan.DATA, theorem_gan.INSIDE, theorem_gan.OUTSIDE
FAKE = DATA + INSIDE + OUTSIDE  # everywhere that anything is
NEGATIVES = {"disjoint": OUTSIDE, "overlapping": INSIDE, "half": INSIDE + OUTSIDE}


@pytest.mark.parametrize("weight", [0.25, 1.0])
@pytest.mark.parametrize("name", NEGATIVES)
def test_three_classes_leave_real_against_generated_as_it_is(name: str, weight: float) -> None:
    """r - f = log p / g whatever the negatives are, so the generator's loss is the plain one."""
    table = theorem.trained_three_classes(FAKE, NEGATIVES[name], weight, 600)
    g, q = theorem_gan.shares(FAKE), theorem_gan.shares(NEGATIVES[name])
    some = P > 0
    expected = torch.stack([P, g, weight * q], dim=1)
    expected = expected / expected.sum(dim=1, keepdim=True)
    torch.testing.assert_close(table.softmax(1)[g > 0], expected[g > 0], atol=1e-5, rtol=0)
    game = (table[:, 0] - table[:, 1])[some]
    torch.testing.assert_close(game, (P / g).log()[some], atol=1e-4, rtol=0)
    plain = (P[some] / g[some]).log()
    of_three = nda.three_class_g(table[some].repeat_interleave(FAKE[some], dim=0))
    of_plain = nda.logistic_g(plain.repeat_interleave(FAKE[some]))
    torch.testing.assert_close(of_three, of_plain, atol=1e-4, rtol=0)


@pytest.mark.parametrize("weight", [0.1, 0.25, 0.75])
def test_the_corrected_prior_gives_the_plain_loss_where_no_negative_lies(weight: float) -> None:
    logits = theorem_gan.trained_discriminator(FAKE, OUTSIDE, weight, 400, 0)
    some = P > 0
    counts = FAKE[some]
    plain = (P / theorem_gan.shares(FAKE)).log()[some].repeat_interleave(counts)
    corrected = nda.prior_corrected_g(logits[some].repeat_interleave(counts), fake_weight=weight)
    torch.testing.assert_close(corrected, nda.logistic_g(plain), atol=1e-4, rtol=0)
    assert nda.logistic_g(logits[some].repeat_interleave(counts)) < corrected - 0.05


def apart(logits: Tensor) -> Tensor:
    return logits - logits[0]


def test_relativistic_logits_are_the_log_ratio_and_negatives_only_leave() -> None:
    fake = INSIDE
    some = P > 0
    ratio = (P / theorem_gan.shares(fake)).log()[some]
    plain = theorem.trained_relativistic(fake, None, 1.0, 400)
    torch.testing.assert_close(apart(plain[some]), apart(ratio), atol=1e-3, rtol=0)
    assert plain[~some].abs().max() == 0  # never heard of
    negative_of = torch.tensor([8, 9, 10, 11, 8, 9, 0, 0, 0, 0, 0, 0])
    told = theorem.trained_relativistic(fake, negative_of, 0.25, 400)
    torch.testing.assert_close(apart(told[some]), apart(ratio), atol=1e-3, rtol=0)
    assert told[8:].max() < told[some].min() - 6


@pytest.mark.parametrize("weight", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("name", NEGATIVES)
def test_a_generator_judged_by_structure_is_the_closed_form(name: str, weight: float) -> None:
    q = theorem_gan.shares(NEGATIVES[name])
    closed = theorem.judged_by_structure(q, weight)
    found = theorem.found_by_descent(q, weight, 4000)
    assert float(closed.sum()) == pytest.approx(1)
    assert float(theorem_gan.distance(closed, found)) < 1e-4
    moved = float(theorem_gan.distance(closed, P))
    assert (moved > 0.01) == (name != "disjoint" and weight > 0), moved


def test_the_hinge_accepts_every_generator_below_its_cap_and_three_classes_do_not() -> None:
    one = (P.max() == P).long()  # all on one point, 30 % of the data: below p / λ at a quarter
    hinge = [theorem_gan.loss_of("hinge", fake, 0.25) for fake in (one, DATA)]
    assert hinge[0] == pytest.approx(hinge[1])
    losses = []
    for fake in (one, DATA):
        table = theorem.trained_three_classes(fake, OUTSIDE, 1.0, 400)
        game = table[:, 0] - table[:, 1]
        losses.append(float(nda.logistic_d(*map(game.repeat_interleave, (DATA, fake)))))
    assert losses[1] == pytest.approx(2 * math.log(2), abs=1e-5)
    assert losses[0] < losses[1] - 0.3
