from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nda.data.images.image_set import to_float
from nda.errors import ConfigError, ShapeError, TrainingError
from nda.evaluation.fidelity.gap import discriminator_gap, discriminator_gaps
from nda.evaluation.record import Histogram, Metric
from nda.negatives import negative_from_name
from nda.runtime.seeding import generator_for


class Darker(nn.Module):
    """A negative without chance, so that a loop over images can follow it."""

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        return 0.5 * x - 0.5


def some_images(count: int, seed: int = 0) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 3, 8, 8), generator=g, dtype=torch.uint8)


def brightness(x: Tensor, labels: Tensor) -> Tensor:
    return x.mean(dim=(1, 2, 3)) * (1 + labels)


def smoothness(x: Tensor, labels: Tensor) -> Tensor:
    return -(x[:, :, :, 1:] - x[:, :, :, :-1]).abs().mean(dim=(1, 2, 3))


def gap_of(images: Tensor, **changes: Any) -> tuple[dict[str, Metric], Histogram]:
    arguments: dict[str, Any] = {
        "score": brightness,
        "labels": torch.zeros(len(images), dtype=torch.int64),
        "negative": Darker(),
        "negative_name": "darker",
        "generator": torch.Generator().manual_seed(0),
        "protocol": {"split": "test"},
        "batch_size": 4,
    }
    metrics, histogram = discriminator_gap(images=images, **arguments | changes)
    return {metric.name: metric for metric in metrics}, histogram


@given(count=st.integers(2, 20), batch_size=st.integers(2, 24), seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=25)
def test_agrees_with_a_loop_over_images(count: int, batch_size: int, seed: int) -> None:
    images = some_images(count, seed)
    labels = torch.arange(count) % 3
    metrics, histogram = gap_of(images, labels=labels, batch_size=batch_size)
    gaps, real, negatives = [], [], []
    for image, label in zip(to_float(images), labels.tolist(), strict=True):
        real.append(image.mean().item() * (1 + label))
        negatives.append((0.5 * image - 0.5).mean().item() * (1 + label))
        gaps.append(real[-1] - negatives[-1])
    mean = sum(gaps) / count
    spread = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / count)
    assert metrics["gap_darker"].value == pytest.approx(mean, abs=1e-6)
    assert metrics["gap_std_darker"].value == pytest.approx(spread, abs=1e-6)
    share = sum(gap > 0 for gap in gaps) / count
    assert metrics["gap_positive_darker"].value == pytest.approx(share)
    assert histogram.edges[0] == pytest.approx(min(real + negatives), abs=1e-6)
    assert histogram.edges[-1] == pytest.approx(max(real + negatives), abs=1e-6)
    assert {label: sum(counts) for label, counts in histogram.series.items()} == {
        "real": count,
        "negative": count,
    }


def test_the_histogram_counts_each_side_in_common_bins() -> None:
    images = torch.tensor([0, 255]).to(torch.uint8).view(2, 1, 1, 1).expand(2, 3, 8, 8)
    _, histogram = gap_of(images)  # real at -1 and 1, negatives at -1 and 0
    assert len(histogram.edges) == 61
    assert histogram.series["real"] == [1] + [0] * 58 + [1]
    assert histogram.series["negative"] == [1] + [0] * 29 + [1] + [0] * 29


def test_a_discriminator_that_sees_the_negative_has_a_gap() -> None:
    """A picture with one edge is smooth, its jigsaw has more edges; the mean sees no difference."""
    ramp = torch.linspace(0, 255, 8).to(torch.uint8).expand(10, 3, 8, 8)
    jigsaw = negative_from_name("jigsaw")
    seeing, _ = gap_of(ramp, score=smoothness, negative=jigsaw, negative_name="jigsaw")
    assert seeing["gap_jigsaw"].value > 0
    assert seeing["gap_positive_jigsaw"].value > 0.5
    blind, _ = gap_of(some_images(10), negative=jigsaw, negative_name="jigsaw")
    assert blind["gap_jigsaw"].value == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("count", "sizes"), [(9, [4, 5]), (8, [4, 4]), (3, [3]), (10, [4, 4, 2])])
def test_no_image_is_left_without_a_partner(count: int, sizes: list[int]) -> None:
    seen = []

    def score(x: Tensor, labels: Tensor) -> Tensor:
        seen.append(len(x))
        return brightness(x, labels)

    metrics, _ = gap_of(
        some_images(count),
        score=score,
        negative=negative_from_name("stitch"),
        negative_name="stitch",
    )
    assert seen[::2] == sizes  # real images; their negatives in between
    assert seen[1::2] == sizes
    assert metrics["gap_stitch"].protocol["real_images"] == count


def test_the_generator_decides_the_negatives() -> None:
    def gap(seed: int) -> float:
        metrics, _ = gap_of(
            some_images(12),
            score=smoothness,
            negative=negative_from_name("jigsaw"),
            generator=torch.Generator().manual_seed(seed),
        )
        return metrics["gap_darker"].value

    assert gap(1) == gap(1)
    assert gap(1) != gap(2)


def test_no_gradient_is_recorded() -> None:
    weight = torch.ones((), requires_grad=True)

    def score(x: Tensor, labels: Tensor) -> Tensor:
        logits = brightness(x, labels) * weight
        assert not logits.requires_grad
        return logits

    metrics, _ = gap_of(some_images(6), score=score)
    assert metrics["gap_darker"].value != 0


def test_what_is_reported_says_how_it_was_measured() -> None:
    metrics, histogram = gap_of(some_images(6))
    expected = {"split": "test", "negative": "darker", "real_images": 6}
    assert histogram.protocol == expected
    assert [metric.protocol for metric in metrics.values()] == [expected] * 3
    assert [metric.better for metric in metrics.values()] == ["higher", "", "higher"]
    assert histogram.axis == "discriminator output D(x)"


def test_a_constant_discriminator_still_gives_a_histogram() -> None:
    metrics, histogram = gap_of(some_images(5), score=lambda x, labels: torch.full((len(x),), 3.0))
    assert metrics["gap_darker"].value == 0
    assert metrics["gap_positive_darker"].value == 0
    assert histogram.edges[0] < 3 < histogram.edges[-1]
    assert sum(histogram.series["real"]) == 5


def test_refuses_a_single_image() -> None:
    with pytest.raises(ShapeError, match=r"at least 2 held-out images and one label each; got 1"):
        gap_of(some_images(1))


def test_refuses_labels_of_other_images() -> None:
    with pytest.raises(ShapeError, match=r"got 4 images and labels of shape \(3,\)"):
        gap_of(some_images(4), labels=torch.zeros(3, dtype=torch.int64))


def test_refuses_a_batch_of_one() -> None:
    with pytest.raises(ConfigError, match=r"batch size of the discriminator gap is 1"):
        gap_of(some_images(4), batch_size=1)


def test_refuses_patch_logits() -> None:
    with pytest.raises(ShapeError, match=r"one logit an image, shape \(4,\).*\(4, 1, 8, 8\)"):
        gap_of(some_images(4), score=lambda x, labels: x[:, :1])


def test_refuses_a_diverged_discriminator() -> None:
    with pytest.raises(TrainingError, match="the run has diverged"):
        gap_of(some_images(4), score=lambda x, labels: torch.full((len(x),), torch.nan))


def test_several_negatives_are_measured_each_as_if_alone() -> None:
    images, labels = some_images(9), torch.arange(9)
    names = ["stitch", "jigsaw"]
    metrics, histograms = discriminator_gaps(
        smoothness, images, labels, names, seed=5, protocol={"split": "test"}
    )
    wanted = []
    for name, histogram in zip(names, histograms, strict=True):
        alone, same = gap_of(
            images,
            score=smoothness,
            negative=negative_from_name(name),
            negative_name=name,
            generator=generator_for(5, purpose="gap"),
            batch_size=250,
        )
        wanted += list(alone.values())
        assert histogram == same
    assert metrics == wanted
