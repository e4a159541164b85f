from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from nda.evaluation.record import Histogram
from nda.report.plots.curves import (
    MOST_POINTS,
    Curve,
    curve_figure,
    curve_from_log,
    histogram_figure,
)
from nda.report.plots.svg import PALETTE, inline

BLUE, VERMILION, GREEN = (colour.lower() for colour in PALETTE[:3])


def texts(svg: str) -> list[str]:
    """The texts of a figure; fails if it is no XML."""
    found = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(text.itertext()) for text in found]


def test_short_logs_are_drawn_as_they_are() -> None:
    rows = [{"step": step, "loss": step / 2} for step in range(MOST_POINTS)]
    curve = curve_from_log(rows, "loss", "a")
    assert curve.steps == list(range(MOST_POINTS))
    assert curve.values == [step / 2 for step in range(MOST_POINTS)]
    assert curve.low is None


def test_long_logs_are_averaged_within_their_range() -> None:
    values = [math.sin(index) for index in range(5 * MOST_POINTS)]
    rows = [{"step": index, "loss": value} for index, value in enumerate(values)]
    curve = curve_from_log(rows, "loss", "a")
    parts = [values[index : index + 5] for index in range(0, len(values), 5)]
    assert curve.values == pytest.approx([sum(part) / 5 for part in parts])
    assert curve.steps == pytest.approx([5 * index + 2 for index in range(MOST_POINTS)])
    assert curve.low == [min(part) for part in parts]
    assert curve.high == [max(part) for part in parts]
    assert curve_from_log(rows, "loss", "a", band=False).low is None


def test_rows_without_a_finite_value_are_left_out() -> None:
    rows = [
        {"step": 1.0, "loss": 1.0},
        {"step": 2.0},
        {"step": 3.0, "loss": math.nan},
        {"step": 4.0, "loss": math.inf},
        {"step": 5.0, "loss": 2.0},
    ]
    assert curve_from_log(rows, "loss", "a") == Curve("a", [1, 5], [1, 2])


def test_a_curve_figure_names_its_axes_and_curves() -> None:
    svg = curve_figure([Curve("one", [0, 1], [1, 2]), Curve("two", [0, 1], [2, 1])], "loss")
    assert {"one", "two", "loss", "training step"} <= set(texts(svg))


def test_a_single_curve_without_a_label_has_no_legend() -> None:
    named, bare = (curve_figure([Curve(label, [0, 1], [1, 2])], "y") for label in ("run", ""))
    assert "run" in texts(named)
    assert set(texts(bare)) == set(texts(named)) - {"run"}


def test_a_label_keeps_its_colour_where_others_are_missing() -> None:
    svg = curve_figure([Curve("b", [0, 1], [1, 2])], "y", labels=["a", "b"])
    assert VERMILION in svg
    assert BLUE not in svg


def test_curves_of_one_label_share_a_colour_and_a_place_in_the_legend() -> None:
    svg = curve_figure([Curve("a", [0, 1], [1, 2]), Curve("a", [0, 1], [2, 1])], "y")
    assert texts(svg).count("a") == 1
    assert VERMILION not in svg


def test_roles_keep_their_colours() -> None:
    svg = curve_figure([Curve("negative", [0, 1], [1, 2]), Curve("real", [0, 1], [2, 1])], "y")
    assert BLUE in svg
    assert GREEN in svg
    assert VERMILION not in svg


def test_more_runs_than_colours_differ_in_their_lines() -> None:
    curves = [Curve(f"run {index}", [0, 1], [index, 1]) for index in range(len(PALETTE) + 1)]
    assert "stroke-dasharray" in curve_figure(curves, "y")
    assert "stroke-dasharray" not in curve_figure(curves[:-1], "y")


@pytest.mark.parametrize("label", ["_hidden", "$x_$", "<b>&\"'", "实验 🙂", "l" * 100])
def test_any_name_of_a_run_can_stand_in_a_legend(label: str) -> None:
    svg = curve_figure([Curve(label, [0, 1], [1, 2])], "y")
    shown = label if len(label) < 50 else "l" * 20 + "…" + "l" * 21
    assert shown in [text.removeprefix("\u200b") for text in texts(svg)]


def test_a_figure_is_the_same_each_time_and_shares_no_id_with_others() -> None:
    curves = [Curve("a", [0, 1, 2], [1, 2, 0])]
    one, again = (curve_figure(curves, "loss", markers=True) for _ in range(2))
    other = curve_figure(curves, "score", markers=True)
    assert one == again
    ids, others = (re.findall(r'id="([^"]*)"', svg) for svg in (one, other))
    assert len(ids) == len(set(ids)) > 0
    assert not set(ids) & set(others)
    pointers = re.findall(r'(?:url\(#|href="#)([^")]*)', one)
    assert set(pointers) == set(ids)


def test_inline_svg_declares_nothing_that_looks_like_an_address() -> None:
    svg = curve_figure([Curve("a", [0, 1], [1, 2])], "loss")
    assert "http" not in inline(svg)
    assert inline(svg).startswith("<svg ")
    assert inline(svg).endswith("</svg>")


def histogram(scale: int = 1, low: float = -1.0) -> Histogram:
    series = {"real": [0, 2 * scale, 6 * scale], "negative": [scale, scale, 0]}
    return Histogram("gap", "Gap", "D(x)", [low, 0.0, 1.0, 2.0], series, {})


def test_a_histogram_shows_densities_not_counts() -> None:
    assert histogram_figure([("", histogram())]) == histogram_figure([("", histogram(scale=7))])
    assert histogram_figure([("", histogram())]) != histogram_figure([("", histogram(low=-2))])


def test_histograms_of_several_runs_share_an_axis_and_a_legend() -> None:
    svg = histogram_figure([("first", histogram()), ("second", histogram(low=-3))])
    found = texts(svg)
    for once in ("first", "second", "real", "negative", "D(x)", "density of samples", "−3"):
        assert found.count(once) == 1


def test_the_line_at_zero_has_a_name_where_it_is_drawn() -> None:
    above = Histogram("gap", "Gap", "D(x)", [0.0, 1.0], {"real": [3]}, {})
    assert "zero" not in texts(histogram_figure([("", above)]))
    assert texts(histogram_figure([("a", above), ("b", histogram(low=-2))])).count("zero") == 1


def test_an_empty_series_is_drawn_at_zero() -> None:
    empty = Histogram("gap", "Gap", "D(x)", [0.0, 1.0], {"real": [0], "negative": [3]}, {})
    assert {"real", "negative"} <= set(texts(histogram_figure([("", empty)])))
