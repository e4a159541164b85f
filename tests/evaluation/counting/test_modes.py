"""Modes of stacked digits: the reader, the counts, and what is refused."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from nda.data import ImageSet
from nda.errors import DataError, ShapeError
from nda.evaluation.counting.modes import (
    MODES,
    DigitReader,
    fit_digit_reader,
    mode_metrics,
    refuse_no_modes,
)
from tests.support.made_digits import glyphs, made_digits, stacks


@pytest.fixture(scope="module")
def reader() -> DigitReader:
    return fit_digit_reader(stacks(60), stacks(40, seed=1))


def drawn(modes: list[int]) -> Tensor:
    """An image of each mode: its figures in red, green and blue."""
    figures = torch.tensor([[mode // 100, mode // 10 % 10, mode % 10] for mode in modes])
    return glyphs()[figures]


def test_red_green_and_blue_are_the_three_figures(reader: DigitReader) -> None:
    modes = [0, 7, 42, 120, 305, 999]
    assert reader.modes(drawn(modes)).tolist() == modes
    assert reader.modes(drawn([5])[:0]).shape == (0,)


def test_its_accuracy_is_that_of_digits_it_has_not_seen(reader: DigitReader) -> None:
    unseen = stacks(40, seed=1)
    different = {bytes(digit.numpy().tobytes()) for digit in unseen.images.flatten(0, 1)}
    assert reader.heldout == len(different)
    assert reader.accuracy == 1
    # Digits held out under wrong names: half of the answers are wrong, and it must say so.
    classes = [name if int(name) < 500 else f"{(int(name) + 111) % 1000:03d}" for name in
               unseen.classes]  # fmt: skip
    wrong = ImageSet.of(unseen.images, unseen.labels, classes)
    assert fit_digit_reader(stacks(60), wrong).accuracy < 0.9


def test_a_digit_moved_by_a_pixel_is_read_as_itself(reader: DigitReader) -> None:
    digits = made_digits(seed=2)
    for shift in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        moved = digits.images.roll(shift, (1, 2))
        read = reader.digits(moved)
        assert float((read == digits.labels).double().mean()) > 0.9


def test_the_same_images_give_the_same_reader(reader: DigitReader) -> None:
    again = fit_digit_reader(stacks(60), stacks(40, seed=1))
    assert torch.equal(again.weights, reader.weights)
    assert torch.equal(again.support, reader.support)


def metrics_of(images: Tensor, reader: DigitReader) -> dict[str, float]:
    return {m.name: m.value for m in mode_metrics({"generated": images}, reader, {})}


def test_modes_and_their_divergence_against_a_count_by_hand(reader: DigitReader) -> None:
    modes = [3] * 4 + [47] * 2 + [812] * 2
    expected = sum(p * math.log(p * MODES) for p in (0.5, 0.25, 0.25))
    found = metrics_of(drawn(modes), reader)
    assert found["generated_modes"] == 3
    assert found["generated_mode_divergence"] == pytest.approx(expected)


def test_all_modes_alike_diverge_by_nothing_and_one_mode_by_the_most(reader: DigitReader) -> None:
    every = metrics_of(drawn(list(range(MODES))), reader)
    assert every["generated_modes"] == MODES
    assert every["generated_mode_divergence"] == pytest.approx(0, abs=1e-12)
    one = metrics_of(drawn([8] * 5), reader)
    assert one["generated_modes"] == 1
    assert one["generated_mode_divergence"] == pytest.approx(math.log(MODES))


def test_the_figures_carry_their_protocol(reader: DigitReader) -> None:
    sets = {"generated": drawn([1, 2]), "real": drawn([3])}
    metrics = mode_metrics(sets, reader, {"split": "test split"})
    assert [m.name for m in metrics] == [
        "generated_modes", "generated_mode_divergence", "real_modes", "real_mode_divergence",
    ]  # fmt: skip
    assert [m.better for m in metrics] == ["higher", "lower", "higher", "lower"]
    assert [m.row for m in metrics] == ["generated", "generated", "real", "real"]
    assert [m.protocol["images"] for m in metrics] == [2, 2, 1, 1]
    assert metrics[0].protocol["split"] == "test split"
    assert metrics[0].protocol["reader_accuracy"] == 1
    assert metrics[0].protocol["reader_measured_on"] == f"{reader.heldout} held-out digits"
    assert all("warning" not in metric.protocol for metric in metrics)


def test_a_reader_that_errs_warns(reader: DigitReader) -> None:
    poor = DigitReader(reader.support, reader.weights, reader.scale, 0.97, 50)
    (first, _) = mode_metrics({"generated": drawn([1])}, poor, {})
    assert first.protocol["warning"] == (
        "the reader is right on 97.0% of held-out digits only, below 98%, so modes are uncertain "
        "by as much"
    )


@pytest.mark.parametrize(
    ("classes", "what"),
    [(("dark",), "a folder 'dark'"), (("012", "0123"), "a folder '0123'"), ((), "are none")],
)
def test_images_that_are_not_sorted_into_modes_are_refused(
    classes: tuple[str, ...], what: str
) -> None:
    images = ImageSet.of(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), classes=classes)
    message = f"in folders named 000 to 999, and there .*{what}.*'nda data digits', or leave"
    with pytest.raises(DataError, match=message):
        refuse_no_modes(images)
    with pytest.raises(DataError, match=message):
        fit_digit_reader(stacks(20), images)


def test_images_of_another_size_are_refused(reader: DigitReader) -> None:
    with pytest.raises(ShapeError, match=r"Digits of 64 pixels were learned, .* shape \(9, 9\)"):
        reader.modes(torch.zeros(1, 3, 9, 9, dtype=torch.uint8))
    with pytest.raises(ShapeError, match="Images whose digits are read must be uint8"):
        reader.modes(torch.zeros(1, 3, 8, 8))
