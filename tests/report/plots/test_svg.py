"""Figures inside a page take its colours, in light and dark."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
import torch

from nda.evaluation.outliers.tradeoff import tradeoff
from nda.evaluation.record import Histogram
from nda.evaluation.validity.paired_auroc import Estimate, PairedAurocs
from nda.report.plots.check_plane import COLOURS, PlacedNegative, plane_figure
from nda.report.plots.curves import Curve, curve_figure, histogram_figure
from nda.report.plots.svg import PALETTE, THEME, inline
from nda.report.plots.tradeoff import precision_recall_figure, roc_figure
from nda.report.telling import Flagged

STYLE = files("nda.report").joinpath("templates", "style.css").read_text("utf-8")
FOUND = PairedAurocs(Estimate(0.9, 0.85, 0.95), Estimate(0.6, 0.5, 0.7), Estimate(0.3, 0.2, 0.4))
SCORES = tradeoff(torch.arange(4.0), torch.arange(3.0, 6.0))
AT = Flagged(1, 3, 0, 4)


def figures() -> list[str]:
    many = [Curve(f"run {index}", [0, 1], [index, 1]) for index in range(len(PALETTE) + 1)]
    banded = Curve("", [0, 1], [1, 2], [0, 1], [2, 3])
    series = {"real": [1, 2], "generated": [2, 1], "negative": [0, 1]}
    return [
        curve_figure(many, "loss"),
        curve_figure([banded], "loss"),
        histogram_figure([("a run", Histogram("gap", "Gap", "D(x)", [-1.0, 0, 1], series, {}))]),
        plane_figure([PlacedNegative(verdict, FOUND, verdict) for verdict in COLOURS]),
        roc_figure(SCORES, AT),
        precision_recall_figure(SCORES, AT),
    ]


@pytest.mark.parametrize("svg", figures())
def test_every_colour_is_one_of_the_pages(svg: str) -> None:
    styles = re.findall(r'style="[^"]*"', inline(svg))
    colours = re.findall(r"#[0-9a-f]{6}", "".join(styles))
    assert colours
    assert len(colours) == sum(style.count("var(--chart-") for style in styles)


@pytest.mark.parametrize("svg", figures())
def test_nothing_else_of_the_figure_changes(svg: str) -> None:
    back = re.sub(r"var\(--chart-[a-z0-9-]+, (#[0-9a-f]{6})\)", r"\1", inline(svg))
    assert back.partition(">")[2] == svg.partition(">")[2]


def test_the_style_sheet_has_every_name_for_light_and_for_dark() -> None:
    light = dict(re.findall(r"--chart-([a-z0-9-]+): (#[0-9a-f]{6})", STYLE.split("@media")[0]))
    dark = dict(re.findall(r"--chart-([a-z0-9-]+): (#[0-9a-f]{6})", STYLE.split("@media")[1]))
    assert set(light) == set(dark) == set(THEME.values())
    assert {light[name] for name in THEME.values()} <= set(THEME)


def test_colours_stand_out_from_the_paper_in_both() -> None:
    for scheme in STYLE.split("@media")[:2]:
        colours = dict(re.findall(r"--chart-([a-z0-9-]+): (#[0-9a-f]{6})", scheme))
        for name, colour in colours.items():
            if name not in ("paper", "grid"):
                least = 4.5 if name in ("ink", "line") else 2
                assert contrast(colour, colours["paper"]) >= least, name


def contrast(colour: str, other: str) -> float:
    """WCAG's ratio of luminances."""

    def luminance(text: str) -> float:
        parts = [int(text[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted(map(luminance, (colour, other)))
    return (high + 0.05) / (low + 0.05)
