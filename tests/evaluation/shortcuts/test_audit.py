"""The audit of scores whose answer is known: seams alone, structure alone, nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nda.data.images.image_set import to_float
from nda.errors import DataError, ShapeError
from nda.evaluation.intervals import wilson_interval
from nda.evaluation.shortcuts.audit import HARD, NULL, SOFT, Audit, Score, shortcut_audit
from nda.evaluation.shortcuts.treatments import treatments
from nda.negatives import Jigsaw
from tests.support.defaults import defaults_of
from tests.support.elsewhere import ELSEWHERE, made_by


def smooth_images(count: int) -> Tensor:
    """Bright above and dark below, with a tint of their own, uint8 (count, 3, 32, 32)."""
    rng = torch.Generator().manual_seed(1)
    fall = torch.linspace(200, 50, 32).view(1, 1, 32, 1)
    tint = torch.randint(-20, 21, (count, 3, 1, 1), generator=rng)
    across = torch.linspace(0, 30, 32).view(1, 1, 1, 32)
    return (fall + tint + across).to(torch.uint8)


def seams(x: Tensor, labels: Tensor) -> Tensor:
    """Sees edges along the middle lines, and no more."""
    del labels
    down = (x[:, :, 16] - x[:, :, 15]).abs().mean(dim=(1, 2))
    across = (x[..., 16] - x[..., 15]).abs().mean(dim=(1, 2))
    return -(down + across)


def structure(x: Tensor, labels: Tensor) -> Tensor:
    """Sees whether the upper part is the brighter one, the middle left out."""
    del labels
    return x[:, :, :8].mean(dim=(1, 2, 3)) - x[:, :, 24:].mean(dim=(1, 2, 3))


def audit(score: Score, count: int = 40, **more: Any) -> Audit:
    images, rng = smooth_images(count), torch.Generator().manual_seed(2)
    return shortcut_audit(score, images, torch.zeros(count).long(), generator=rng, **more)


def test_a_score_of_seams_is_found_out() -> None:
    found = audit(seams)
    assert found.compared[HARD].above > 0.9
    assert found.structure_share is not None
    assert found.structure_share < 0.3
    assert found.compared["upside down"].above < 0.6 < found.compared["rolled by 16 rows"].above
    assert found.compared["rolled by 5 rows"].gap == pytest.approx(0, abs=0.05)


def test_a_score_of_structure_is_acquitted() -> None:
    found = audit(structure)
    share, interval = found.structure_share, found.structure_interval
    assert share == pytest.approx(1, abs=0.05)
    assert share is not None
    assert interval is not None
    assert interval[0] <= share <= interval[1]
    assert found.compared["upside down"].above == 1
    assert found.compared[NULL].gap == pytest.approx(0, abs=0.01)
    assert abs(found.compared["quadrants moved"].gap) < 0.3 * found.compared[HARD].gap
    low, high = found.nulls_interval
    assert low < found.nulls_above < high or found.nulls_above == high == 1


def test_a_score_that_sees_nothing_has_no_share() -> None:
    found = audit(lambda x, _: x.mean(dim=(1, 2, 3)).round())
    assert found.nulls_above == 0
    assert found.structure_share is None
    assert found.structure_interval is None


def test_noise_has_no_share_and_the_scale_of_a_score_does_not_matter() -> None:
    rng = torch.Generator().manual_seed(0)
    found = audit(lambda x, _: torch.rand(len(x), generator=rng))
    assert min(found.compared[name].gap_interval[0] for name in (HARD, SOFT)) < 0
    assert max(found.compared[name].gap_interval[1] for name in (HARD, SOFT)) > 0
    assert found.structure_share is None
    small = audit(lambda x, y: structure(x, y) / 1000)
    assert small.structure_share == pytest.approx(audit(structure).structure_share)


def test_the_figures_are_means_over_single_images() -> None:
    count = 9
    images, labels = smooth_images(count), torch.arange(count)

    def score(x: Tensor, y: Tensor) -> Tensor:
        return structure(x, y) + seams(x, y) * (1 + y)

    rng = torch.Generator().manual_seed(2)
    found = shortcut_audit(score, images, labels, generator=rng, batch_size=100)
    same = torch.Generator().manual_seed(2)
    x = to_float(images)
    hard, soft = Jigsaw(), Jigsaw(seam="feather", width=3)
    params = hard.draw(x, same)
    made = {HARD: hard.replay(x, params), SOFT: soft.replay(x, params), NULL: soft.null(x, params)}
    made |= {name: treat(x, same) for name, treat in treatments(32).items()}
    assert made.keys() == found.compared.keys()
    assert [*made][:3] == ["jigsaw", "jigsaw, seams blurred", "image blurred there"]
    means, drawn = {}, {}
    for name, treated in made.items():
        gaps = [
            float(score(x[i : i + 1], labels[i : i + 1]))
            - float(score(treated[i : i + 1], labels[i : i + 1]))
            for i in range(count)
        ]
        mean = means[name] = sum(gaps) / count
        deviation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / (count - 1))
        assert found.compared[name].gap == pytest.approx(mean, abs=1e-5)
        assert found.compared[name].above == sum(gap > 0 for gap in gaps) / count
        drawn[name] = torch.tensor(gaps)
        reach = found.compared[name].gap_interval[1] - found.compared[name].gap
        assert reach == pytest.approx(1.96 * deviation / 3, abs=1e-5)
    share = (means[SOFT] - means[NULL]) / max(means[HARD], means[SOFT])
    assert found.structure_share == pytest.approx(share, abs=1e-4)
    shares = []
    for _ in range(1000):
        rows = torch.randint(count, (count,), generator=same)
        hard_gap, soft_gap, null_gap = (drawn[name][rows].mean() for name in (HARD, SOFT, NULL))
        shares.append(float((soft_gap - null_gap) / max(hard_gap, soft_gap)))
    assert torch.equal(rng.get_state(), same.get_state())  # of as many draws
    middle = [float(np.quantile(shares, level)) for level in (0.025, 0.975)]
    assert found.structure_interval == pytest.approx(middle, abs=1e-4)
    right = [
        float(score(made[NULL][i : i + 1], labels[i : i + 1]))
        > float(score(made[SOFT][i : i + 1], labels[i : i + 1]))
        for i in range(count)
    ]
    assert found.nulls_above == sum(right) / count


def test_batches_change_no_more_than_the_draws_do() -> None:
    whole, parts = audit(structure), audit(structure, batch_size=13)
    assert whole.compared["upside down"] == parts.compared["upside down"]


def test_the_score_sees_images_and_labels_on_the_device_of_its_network() -> None:
    seen = []

    def score(x: Tensor, labels: Tensor) -> Tensor:
        seen.append((x.device, labels.device))
        return torch.arange(float(len(x)))

    made_by(lambda: audit(score, count=8, device=ELSEWHERE))
    assert {*seen} == {(ELSEWHERE, ELSEWHERE)}


def test_defaults_are_the_documented_ones() -> None:
    assert defaults_of("nda.evaluation.shortcuts") == {
        "shortcut_audit": {"grid": 2, "batch_size": 250, "device": "cpu"}
    }


def test_four_images_are_enough() -> None:
    found = audit(structure, count=4)
    assert found.images == 4
    assert found.nulls_interval == wilson_interval(round(4 * found.nulls_above), 4)
    above = found.compared["upside down"]
    assert above.above_interval == wilson_interval(4, 4)


def test_what_cannot_be_audited_is_refused() -> None:
    with pytest.raises(
        ShapeError, match=r"shape \(3, 3, 32, 32\); expected at least 4 square ones"
    ):
        audit(seams, count=3)
    images, rng = torch.zeros(4, 3, 32, 16, dtype=torch.uint8), torch.Generator()
    for wrong in (images, images[..., 0], images[None]):
        with pytest.raises(ShapeError, match="expected at least 4 square ones"):
            shortcut_audit(seams, wrong, torch.zeros(4).long(), generator=rng)
    with pytest.raises(DataError, match="not finite"):
        audit(lambda x, _: torch.full((len(x),), math.nan))
    with pytest.raises(ShapeError, match="one value an image"):
        audit(lambda x, _: x)
