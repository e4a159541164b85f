from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from nda.errors import ConfigError
from nda.evaluation.intervals import wilson_interval


@settings(deadline=None, max_examples=50)
@given(
    total=st.integers(1, 10_000),
    share=st.floats(0, 1),
    confidence=st.floats(0.5, 0.999),
)
def test_agrees_with_scipy(total: int, share: float, confidence: float) -> None:
    successes = round(share * total)
    reference = binomtest(successes, total).proportion_ci(confidence, method="wilson")
    low, high = wilson_interval(successes, total, confidence)
    assert low == pytest.approx(reference.low, abs=1e-12)
    assert high == pytest.approx(reference.high, abs=1e-12)
    assert 0.0 <= low <= successes / total <= high <= 1.0


def test_nothing_seen_says_nothing() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("successes", "total", "confidence"), [(3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0), (1, 2, 0.0)]
)
def test_impossible_counts_are_refused(successes: int, total: int, confidence: float) -> None:
    with pytest.raises(ConfigError, match=f"got {successes} of {total} at {confidence}"):
        wilson_interval(successes, total, confidence)
