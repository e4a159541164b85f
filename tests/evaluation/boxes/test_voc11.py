"""VOC's 11-point average precision against figures taken by hand, and against the plain loop."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nda.evaluation.boxes.average_precision import voc11_precision
from nda.evaluation.boxes.metrics import THRESHOLDS, Found, Truth

Row = tuple[list[float], float]  # box, score
A, B, C, FAR = [0.0, 0, 10, 10], [20.0, 0, 30, 10], [40.0, 40, 50, 50], [60.0, 60, 70, 70]
HALF = [0.0, 0, 10, 5]  # IoU 0.5 with A


def precision(rows: list[Row], boxes: list[list[float]], *difficult: int) -> list[float] | None:
    """Of one class and one image, by IoU threshold."""
    hard = torch.zeros(len(boxes), dtype=torch.bool)
    hard[list(difficult)] = True
    found = Found(
        torch.tensor([row[0] for row in rows]).reshape(-1, 4),
        torch.zeros(len(rows), dtype=torch.int64),
        torch.tensor([row[1] for row in rows]),
    )
    true = Truth(
        torch.tensor(boxes).reshape(-1, 4), torch.zeros(len(boxes), dtype=torch.int64), hard
    )
    return voc11_precision([found], [true], 1).by_class[0]


def at_half(rows: list[Row], boxes: list[list[float]], *difficult: int) -> float:
    by_threshold = precision(rows, boxes, *difficult)
    assert by_threshold is not None
    return by_threshold[0]


def test_two_of_three_boxes_with_a_wrong_one_between() -> None:
    """Right, wrong, right: precision 1 at recalls 0 to .3, 2/3 at .4, .5 and .6, 0 beyond."""
    value = at_half([(A, 0.9), (FAR, 0.8), (B, 0.7)], [A, B, C])
    assert value == pytest.approx((4 * 1 + 3 * 2 / 3) / 11)


def test_order_of_scores_and_not_of_rows_counts() -> None:
    assert at_half([(FAR, 0.1), (A, 0.9)], [A]) == 1
    assert at_half([(FAR, 0.9), (A, 0.1)], [A]) == pytest.approx(0.5)


def test_a_second_box_on_the_same_object_is_wrong() -> None:
    # Right, wrong (taken already), right: precision 1 up to recall .5, 2/3 beyond.
    value = at_half([(A, 0.9), (A, 0.8), (B, 0.7)], [A, B])
    assert value == pytest.approx((6 * 1 + 5 * 2 / 3) / 11)


def test_difficult_boxes_neither_count_nor_make_wrong() -> None:
    assert at_half([(B, 0.9), (B, 0.8), (A, 0.7)], [A, B], 1) == 1
    assert at_half([(A, 0.9)], [A, B], 1) == 1  # B need not be found
    assert precision([(A, 0.9)], [A], 0) is None  # difficult ones alone


def test_an_overlap_of_exactly_the_threshold_does_not_count() -> None:
    assert at_half([(HALF, 0.9)], [A]) == 0
    assert at_half([([0, 0, 10, 5.01], 0.9)], [A]) == 1


def test_a_recall_of_exactly_a_tenth_counts() -> None:
    """Three of ten are found: recall .3 is reached, though 3 / 10 < 0.1 * 3 in floats."""
    boxes = [[20.0 * k, 0, 20.0 * k + 10, 10] for k in range(10)]
    value = at_half([(box, 0.9) for box in boxes[:3]], boxes)
    assert value == pytest.approx(4 / 11)


def test_images_share_one_ranking_and_classes_do_not_meet() -> None:
    labels = torch.tensor([0, 1])
    first = Found(torch.tensor([A, A]), labels, torch.tensor([0.9, 0.3]))
    second = Found(torch.tensor([FAR, B]), labels, torch.tensor([0.95, 0.2]))
    true = [
        Truth(torch.tensor([A]), torch.tensor([0]), torch.tensor([False])),
        Truth(torch.tensor([B]), torch.tensor([1]), torch.tensor([False])),
    ]
    result = voc11_precision([first, second], true, 3)
    assert result.of_class(0, 0.5) == pytest.approx(0.5)  # wrong at .95, then right
    assert result.of_class(1, 0.5) == pytest.approx(0.5)  # wrong at .3, then right
    assert result.of_class(2) is None
    assert result.mean() == pytest.approx(0.5)


def naive(rows: list[Row], boxes: list[list[float]], hard: list[bool], threshold: float) -> float:
    """The development kit's loop over found boxes, one image, one class."""
    taken: set[int] = set()
    right, wrong, points = 0, 0, []
    for box, _ in sorted(rows, key=lambda row: -row[1]):
        overlaps = [overlap(box, true) for true in boxes]
        best = max(range(len(boxes)), key=lambda k: overlaps[k]) if boxes else -1
        if best >= 0 and overlaps[best] > threshold:
            if hard[best]:
                continue
            if best in taken:
                wrong += 1
            else:
                right += 1
                taken.add(best)
        else:
            wrong += 1
        points.append((right, right / (right + wrong)))
    count = len(hard) - sum(hard)
    return sum(
        max((p for found, p in points if 10 * found >= tenth * count), default=0.0)
        for tenth in range(11)
    ) / 11  # fmt: skip


def overlap(a: list[float], b: list[float]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    inside = max(width, 0) * max(height, 0)
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inside
    return inside / both


coordinate = st.integers(0, 12)
box_of = st.tuples(coordinate, coordinate, st.integers(3, 9), st.integers(3, 9)).map(
    lambda n: [float(n[0]), float(n[1]), float(n[0] + n[2]), float(n[1] + n[3])]
)


@given(
    st.lists(box_of, max_size=8),
    st.lists(st.tuples(box_of, st.booleans()), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
)
def test_it_is_the_development_kits_loop(
    found: list[list[float]], true: list[tuple[list[float], bool]], random: object
) -> None:
    scores = [0.1 + 0.05 * k for k in range(len(found))]
    random.shuffle(scores)  # type: ignore[attr-defined]
    rows = list(zip(found, scores, strict=True))
    boxes, hard = [box for box, _ in true], [flag for _, flag in true]
    result = precision(rows, boxes, *[k for k, flag in enumerate(hard) if flag])
    if all(hard):
        assert result is None
        return
    assert result is not None
    for threshold, value in zip(THRESHOLDS, result, strict=True):
        assert value == pytest.approx(naive(rows, boxes, hard, threshold), abs=1e-6)
