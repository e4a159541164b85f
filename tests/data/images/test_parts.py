"""Groups of files by their names, and one image of each."""

from __future__ import annotations

import pytest
import torch

from nda.data.images.parts import named_groups, one_of_each
from nda.errors import ConfigError

NAMES = ["b/7_x.png", "a/7_y.png", "a/8_x.png", "b/7_y.png"]


@pytest.mark.parametrize(
    ("pattern", "groups"),
    [
        ("(.*)/", [0, 1, 1, 0]),
        ("[0-9]", [0, 0, 1, 0]),
        (r"/([0-9])_(.)", [0, 0, 1, 0]),  # the first parentheses decide
        ("^.*/[0-9]", [0, 1, 2, 0]),
    ],
)
def test_files_are_of_one_part_where_the_pattern_finds_the_same(
    pattern: str, groups: list[int]
) -> None:
    assert named_groups(NAMES, pattern, "parts").tolist() == groups


def test_sources_without_names_are_refused() -> None:
    with pytest.raises(ConfigError, match="asks for names of files, and torchvision:CIFAR10 has"):
        named_groups([], "(.*)/", "torchvision:CIFAR10")


@pytest.mark.parametrize(
    ("names", "pattern", "message"),
    [
        (["a/1.png", "a/2.png"], "(.*)/", r"\(\.\*\)/ puts all 2 images into one part \('a'\)"),
        (NAMES, "q*", r"--group q\* finds no character in b/7_x.png .* such as \(\.\*\)/ for its"),
        (["1.png", "2.png"], "(q)?", r"finds no .* in 1.png .* such as \(\[\^/\]\{3\}\)"),
        (["1.png", "2.png"], "(.*)/", r"is not found in 1.png, .* such as \(\[\^/\]\{3\}\)"),
        (["a/1.png", "a/2.png"], "q*", r"such as \(\[\^/\]\{3\}\)"),  # one folder tells nothing
    ],
)  # fmt: skip
def test_patterns_that_tell_no_parts_apart_are_refused(
    names: list[str], pattern: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        named_groups(names, pattern, "parts")


def test_of_each_group_any_image_may_be_drawn() -> None:
    groups = torch.arange(300) // 3
    rows = one_of_each(groups)
    assert groups[rows].tolist() == list(range(100))
    counts = (rows % 3).bincount(minlength=3)
    assert int(counts.min()) > 15  # a third each
    assert not torch.equal(one_of_each(groups, seed=1), rows)
    assert torch.equal(one_of_each(groups), rows)
