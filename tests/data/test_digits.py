"""Stacked digits: how they are drawn, parted and written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nda.data import load_images
from nda.data.digits import Digits, load_digits, write_digits_archive
from nda.errors import DataError
from nda.evaluation.counting.modes import GOOD_ENOUGH, fit_digit_reader, mode_metrics
from tests.support.made_digits import made_digits


def test_a_stack_shows_the_figures_of_its_mode() -> None:
    digits = made_digits()
    images, modes = digits.stacked(300, torch.Generator().manual_seed(0))
    assert images.shape == (300, 3, 8, 8)
    assert images.dtype == torch.uint8
    of = {image.numpy().tobytes(): int(label) for image, label in
          zip(digits.images, digits.labels, strict=True)}  # fmt: skip
    for image, mode in zip(images, modes.tolist(), strict=True):
        figures = [of[channel.numpy().tobytes()] for channel in image]
        assert figures == [mode // 100, mode // 10 % 10, mode % 10]


def test_every_figure_and_every_digit_of_it_is_as_likely_though_some_are_rare() -> None:
    labels = torch.tensor([0] * 90 + [1, 1, *range(2, 10)])
    digits = Digits(torch.arange(100, dtype=torch.uint8).view(-1, 1, 1), labels)
    images, modes = digits.stacked(40_000, torch.Generator().manual_seed(0))
    hundreds = torch.bincount(modes // 100, minlength=10) / 40_000
    assert float((hundreds - 0.1).abs().max()) < 0.01
    drawn = torch.bincount(images.flatten().long(), minlength=100) / 120_000
    assert float((drawn[:90] - 0.1 / 90).abs().max()) < 0.0006
    assert float((drawn[90:92] - 0.05).abs().max()) < 0.005


def test_the_splits_have_no_digit_in_common_and_the_seed_parts_them() -> None:
    pytest.importorskip("sklearn")
    splits = load_digits(12, seed=3)
    sets = [{image.numpy().tobytes() for image in each.images} for each in splits.values()]
    assert not sets[0] & sets[1]
    assert (len(splits["train"].labels), len(splits["test"].labels)) == (1198, 599)
    assert splits["train"].images.shape[1:] == (12, 12)
    for each in splits.values():
        assert int(each.labels.bincount(minlength=10).min()) > 0.09 * len(each.labels)
    again, other = load_digits(12, seed=3), load_digits(12, seed=4)
    assert torch.equal(again["train"].images, splits["train"].images)
    assert not torch.equal(other["train"].images, splits["train"].images)


def test_the_archive_holds_both_splits_sorted_into_modes(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    write_digits_archive(tmp_path / "a.zip", 1100, 8, seed=1)  # more than are stacked at once
    train, test = (load_images(tmp_path / "a.zip", split=split) for split in ("train", "test"))
    assert len(train) == len(test) == 1100
    assert all(len(name) == 3 and name.isdigit() for name in train.classes)
    write_digits_archive(tmp_path / "b.zip", 1100, 8, seed=1)
    write_digits_archive(tmp_path / "c.zip", 1100, 8, seed=2)
    written = [(tmp_path / f"{name}.zip").read_bytes() for name in "abc"]
    assert written[0] == written[1]
    assert written[0] != written[2]


@pytest.mark.slow
def test_the_reader_is_good_enough_for_scikit_learns_digits(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    write_digits_archive(tmp_path / "d.zip", 3000, 16)
    train, test = (load_images(tmp_path / "d.zip", split=split) for split in ("train", "test"))
    reader = fit_digit_reader(train, test)
    assert reader.accuracy >= GOOD_ENOUGH
    truth = torch.tensor([int(name) for name in test.classes])[test.labels]
    assert float((reader.modes(test.images) == truth).double().mean()) > 0.95
    (covered, divergence) = mode_metrics({"real": test.images}, reader, {})
    assert covered.value == pytest.approx(1000 * (1 - 0.999**3000), abs=25)
    assert divergence.value == pytest.approx(999 / 6000, rel=0.15)


def test_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Digits have 8 pixels a side; give a size of at least"):
        write_digits_archive(tmp_path / "d.zip", 1, 7)
    assert list(tmp_path.iterdir()) == []
