"""What an audit makes of a seed stays what it was, so that it can be compared with earlier ones."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import torch

from nda.evaluation.shortcuts.treatments import jigsaws, treatments
from tests.evaluation.shortcuts.test_audit import audit, seams, structure
from tests.support.kept import check_kept, figures, keep


def audited() -> object:
    return asdict(audit(lambda x, y: structure(x, y) + seams(x, y), count=11, batch_size=4))


def treated() -> object:
    found: dict[str, object] = {}
    for side in (32, 80):
        x = torch.rand(5, 3, side, side, generator=torch.Generator().manual_seed(1))
        rng = torch.Generator().manual_seed(2)
        found |= {f"{side} {name}": figures(f(x, rng)) for name, f in treatments(side).items()}
        hard, soft = jigsaws(4, side)
        params = hard.draw(x, rng)
        found[f"{side} jigsaws"] = figures(hard.replay(x, params) - soft.replay(x, params))
    return found


CASES = {"an audit": audited, "treatments": treated}


@pytest.mark.parametrize("case", CASES)
def test_a_seed_makes_what_it_made(case: str) -> None:
    check_kept("shortcuts", case, CASES[case]())


if __name__ == "__main__":
    keep("shortcuts", CASES, lambda case: CASES[case]())
