"""Numbers of objects, read from words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nda.errors import ConfigError
from nda.validators import count_of, counts_of


@given(st.integers(min_value=0))
def test_a_count_is_read_as_it_is_written(count: int) -> None:
    assert count_of(str(count)) == count


@given(st.text())
def test_a_count_has_one_spelling(word: str) -> None:
    count = count_of(word)
    assert count is None or str(count) == word


def test_lists_are_sorted_and_hold_each_count_once() -> None:
    assert counts_of("7, 4,5,4", "objects") == [4, 5, 7]
    assert counts_of("0", "objects") == [0]


@pytest.mark.parametrize("text", ["", "4,", "four", "-1", "4.0", "06", "4;5", "²"])
def test_other_lists_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"objects is .*; give whole numbers separated by commas"):
        counts_of(text, "objects")
