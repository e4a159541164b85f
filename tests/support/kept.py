"""Figures and words that stay what they were, kept in `tests/fixtures/NAME.json`, a line a case.

A test file that uses them writes them anew when it is run as a module. To change them is to change
what runs and tables of an earlier version are continued with; it wants a line in CHANGELOG.md.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

_FOLDER = Path(__file__).parents[1] / "fixtures"
_RELATIVE, _ABSOLUTE = 1e-4, 1e-5  # processors round differently


def figures(values: Tensor) -> list[float]:
    """How large the values are, and their share of it where no two places weigh the same."""
    flat = values.double().flatten()
    weight = torch.cos(torch.arange(len(flat), dtype=torch.float64) * math.sqrt(2))
    size = float(flat.abs().sum())
    return [round(size / len(flat), 7), round(float(flat @ weight) / max(size, 1e-9), 6)]


def check_kept(name: str, case: str, found: object) -> None:
    """Compare what was found now, of lists, dicts, words and numbers, with what was kept."""
    kept = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert case in kept, f"{case} is not kept yet; run the file that tests it as a module."
    meant = f"(kept in {name}.json: where a change is meant, run the test file as a module)"
    _compare(json.loads(json.dumps(found)), kept[case], f"{meant} {case}")


def keep(name: str, cases: Iterable[str], found: Callable[[str], object]) -> None:
    """Write all cases, to be run by hand."""
    lines = (f"{json.dumps(case)}: {json.dumps(found(case))}" for case in cases)
    (_FOLDER / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _compare(found: Any, kept: Any, where: str) -> None:
    assert type(found) is type(kept), where
    if isinstance(kept, dict):
        assert list(found) == list(kept), where
        for key in kept:
            _compare(found[key], kept[key], f"{where} {key}")
    elif isinstance(kept, list):
        assert len(found) == len(kept), where
        for place, (one, other) in enumerate(zip(found, kept, strict=True)):
            _compare(one, other, f"{where} {place}")
    elif isinstance(kept, float):
        assert found == pytest.approx(kept, rel=_RELATIVE, abs=_ABSOLUTE), where
    else:
        assert found == kept, where
