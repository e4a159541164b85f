"""The tables of a probe, computed by hand, and its page."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from nda.evaluation.record import Histogram, Metric
from nda.report.pages.probe import Probed, write_probe_page
from nda.report.probe_table import (
    Row,
    discriminator_table,
    encoder_table,
    percent,
    plus_minus,
)
from tests.support.invented_runs import Read


def gap_metrics(name: str, gap: float, deviation: float, share: float) -> list[Metric]:
    protocol: dict[str, str | int | float | bool] = {"real_images": 101}
    return [
        Metric(f"gap_{name}", "", gap, "higher", protocol),
        Metric(f"gap_std_{name}", "", deviation, "", protocol),
        Metric(f"gap_positive_{name}", "", share, "higher", protocol),
    ]


def similarity(
    name: str, cosine: float, *, distance: float | None = None, nearer: float | None = None
) -> list[Metric]:
    found = [
        Metric(f"cosine_{name}", "", cosine, "", {}, [cosine - 0.02, cosine + 0.02]),
        Metric(f"cosine_std_{name}", "", 0.3, "", {}),
    ]
    if distance is not None:
        interval = [distance - 0.05, distance + 0.05]
        found.append(Metric(f"distance_{name}", "", distance, "", {}, interval))
    if nearer is not None:
        found.append(Metric(f"nearer_{name}", "", nearer, "", {}, [nearer - 0.01, nearer + 0.01]))
    return found


def test_a_gap_stands_with_its_interval_spread_and_share() -> None:
    """101 images that spread by 0.5: 1.96 * 0.5 / 10 = 0.098 either side."""
    table = discriminator_table(gap_metrics("random_crop", 1.25, 0.5, 1.0), ["random_crop"], {})
    (row,) = table.rows
    assert row.name == "random crop"
    assert row.cells == ["1.250 ± 0.098", "0.5", "100.0% [96, 100]"]
    assert len(row.cells) == len(table.header) - 1


def test_rows_stand_in_the_order_asked_for_and_the_refused_among_them() -> None:
    metrics = gap_metrics("mixup", 0, 1, 0.5) + gap_metrics("stitch", 0, 1, 0.5)
    names = ["stitch", "gaussian_noise", "mixup"]
    table = discriminator_table(metrics, names, {"gaussian_noise": "no <reason>"})
    assert [row.name for row in table.rows] == ["stitch", "gaussian noise", "mixup"]
    assert table.rows[1] == Row("gaussian noise", refused="no <reason>")


def test_an_encoder_stands_below_what_it_is_compared_with() -> None:
    metrics = (
        similarity("jigsaw", 0.8, distance=0.4, nearer=0.25)
        + similarity("two_views", 0.9, distance=0.2)
        + similarity("different_images", 0.5)
    )
    table = encoder_table(metrics, ["jigsaw"], {})
    assert [(row.name, row.cells) for row in table.rows] == [
        ("another view", ["0.900 ± 0.020", "0.3", "0.200 ± 0.050", "–"]),
        ("another image", ["0.500 ± 0.020", "0.3", "–", "–"]),
        ("jigsaw", ["0.800 ± 0.020", "0.3", "0.400 ± 0.050", "25.0% [24, 26]"]),
    ]
    assert all(len(row.cells) == len(table.header) - 1 for row in table.rows)


def test_an_encoder_of_videos_is_compared_with_another_video() -> None:
    metrics = [m for n in ("jigsaw", "two_views", "different_videos") for m in similarity(n, 0.5)]
    table = encoder_table(metrics, ["jigsaw"], {}, of="video")
    assert [row.name for row in table.rows] == ["another view", "another video", "jigsaw"]
    assert "image" not in table.reading


def test_an_encoder_without_distances_has_dashes() -> None:
    """One whose features of different images are the same."""
    metrics = [m for n in ("jigsaw", "two_views", "different_images") for m in similarity(n, 1.0)]
    assert [row.cells[2] for row in encoder_table(metrics, ["jigsaw"], {}).rows] == ["–"] * 3


@pytest.mark.parametrize(
    ("value", "reach", "shown"),
    [
        (1234.5, 56.7, "1234 ± 57"),
        (0.123456, 0.00123, "0.1235 ± 0.0012"),
        (2.0, 0.1, "2.00 ± 0.10"),
        (-0.5, 3.4, "-0.5 ± 3.4"),
        (0.5, 0.0, "0.5 ± 0"),
    ],
)
def test_a_value_is_told_to_the_second_digit_of_its_interval(
    value: float, reach: float, shown: str
) -> None:
    assert plus_minus(value, reach) == shown


def test_a_share_is_told_in_percent() -> None:
    assert percent(0.5212, (0.5, 0.5449)) == "52.1% [50, 54]"


def test_the_page_shows_everything_and_needs_nothing_else(tmp_path: Path) -> None:
    metrics = gap_metrics("mixup", 1.25, 0.5, 1.0)
    table = discriminator_table(metrics, ["mixup", "jigsaw"], {"jigsaw": "no <reason>"})
    series = {"real": [0, 5], "negative": [5, 0]}
    probed = Probed(
        title="Does <it> see?",
        summary="101 images",
        notes=["a <note>"],
        protocol={"step": 3},
        table=table,
        metrics=metrics,
        histograms=[Histogram("gap_mixup", "Images & mixup", "D(x)", [0.0, 1, 2], series, {})],
        examples=Image.new("RGB", (20, 10)),
    )
    path = write_probe_page(tmp_path / "new" / "page.html", probed, "nda probe <run>")
    page = path.read_text()
    text = Read(page).text
    for shown in ("Does <it> see?", "101 images", "a <note>", "1.250 ± 0.098", "step: 3"):
        assert shown in text
    assert "jigsaw not measured: no <reason>" in text
    assert table.reading in text
    assert "Images & mixup" in text
    assert "nda probe <run>" in text.replace("\u200b", "")
    assert page.count("<svg") == 1
    assert page.count("data:image/png") == 1
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")
