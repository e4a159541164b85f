"""Cosines of features against loops over images, and that their intervals hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nda.data.images.image_set import to_float
from nda.errors import ConfigError, DataError, ShapeError
from nda.evaluation.features import structure
from nda.evaluation.features.structure import ordinary_view, structure_similarity
from nda.evaluation.intervals import wilson_interval
from nda.evaluation.record import Histogram, Metric
from nda.negatives import negative_from_name

Encode = Callable[[Tensor], Tensor]


class Darker(nn.Module):
    """A negative without chance, so that a loop over images can follow it."""

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        return 0.5 * x - 0.5


class Noisy(nn.Module):
    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        return x + 0.5 * torch.randn(x.shape, generator=generator)


class Recorder:
    """An encoder that keeps what it was shown: mean, spread and one pixel of each image."""

    def __init__(self) -> None:
        self.shown: list[Tensor] = []

    def __call__(self, x: Tensor) -> Tensor:
        self.shown.append(x)
        pixels = x.flatten(1)
        return torch.stack([pixels.mean(1), pixels.std(1), pixels[:, 0]], dim=1)


def some_images(count: int, seed: int = 0, side: int = 8) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 3, side, side), generator=g, dtype=torch.uint8)


def some_clips(count: int, frames: int = 3) -> Tensor:
    return some_images(count * frames).unflatten(0, (count, frames))


def measured(
    images: Tensor, encode: Encode | None = None, seed: int = 0, **changes: Any
) -> tuple[dict[str, Metric], dict[str, Histogram]]:
    arguments: dict[str, Any] = {
        "negatives": {"darker": Darker()},
        "generator": torch.Generator().manual_seed(seed),
        "protocol": {"split": "test"},
        "batch_size": 4,
    }
    metrics, histograms = structure_similarity(encode or Recorder(), images, **arguments | changes)
    return {each.name: each for each in metrics}, {each.name: each for each in histograms}


def cosine(a: list[float], b: list[float]) -> float:
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(y * y for y in b))


def mean_and_error(values: list[float]) -> tuple[float, float, float]:
    """Mean, standard deviation and standard error of the mean."""
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return mean, deviation, deviation / math.sqrt(len(values))


@given(count=st.integers(4, 12), batch_size=st.integers(2, 14), seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=15)
def test_agrees_with_a_loop_over_images(count: int, batch_size: int, seed: int) -> None:
    images, encoder = some_images(count, seed), Recorder()
    metrics, histograms = measured(images, encoder, seed, batch_size=batch_size)
    # In this order: the images, two views of each, and the negatives.
    shown = torch.cat(encoder.shown)
    assert torch.equal(shown[:count], to_float(images))
    real, first, second, negative = (Recorder()(x).tolist() for x in shown.split(count))
    assert negative == Recorder()(Darker()(to_float(images))).tolist()

    own = [cosine(*pair) for pair in zip(real, negative, strict=True)]
    views = [cosine(*pair) for pair in zip(first, second, strict=True)]
    for name, values in (("darker", own), ("two_views", views)):
        mean, deviation, error = mean_and_error(values)
        assert metrics[f"cosine_{name}"].value == pytest.approx(mean, abs=1e-6)
        interval = [mean - 1.96 * error, mean + 1.96 * error]
        assert metrics[f"cosine_{name}"].interval == pytest.approx(interval, abs=1e-6)
        assert metrics[f"cosine_std_{name}"].value == pytest.approx(deviation, abs=1e-6)
    nearer = sum(a > b for a, b in zip(own, views, strict=True))
    assert metrics["nearer_darker"].value == pytest.approx(nearer / count)
    assert metrics["nearer_darker"].interval == pytest.approx(wilson_interval(nearer, count))
    assert {k: sum(v) for k, v in histograms["cosine_darker"].series.items()} == {
        "negative": count,
        "two views": count,
        "different images": count // 2,
    }


def test_pairs_are_of_different_images_and_hold_each_image_once() -> None:
    """Of four images there are three ways to make two pairs; all occur, and nothing else."""
    images = some_images(4)
    features = Recorder()(to_float(images)).tolist()
    negatives = Recorder()(Darker()(to_float(images))).tolist()
    own = [1 - cosine(*pair) for pair in zip(features, negatives, strict=True)]
    expected = {}
    for pairs in (((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))):
        other = [1 - cosine(features[a], features[b]) for a, b in pairs]
        ratio = sum(own) / 2 / sum(other)
        units = [(own[a] + own[b]) / 2 - ratio * o for (a, b), o in zip(pairs, other, strict=True)]
        error = mean_and_error(units)[1] / math.sqrt(2) / (sum(other) / 2)
        key = round(1 - sum(other) / 2, 5)
        expected[key] = (ratio, [ratio - 1.96 * error, ratio + 1.96 * error])
    found = set()
    for seed in range(20):
        metrics, _ = measured(images, seed=seed)
        key = round(metrics["cosine_different_images"].value, 5)
        ratio, interval = expected[key]
        assert metrics["distance_darker"].value == pytest.approx(ratio, rel=1e-5)
        assert metrics["distance_darker"].interval == pytest.approx(interval, rel=1e-4)
        found.add(key)
    assert found == set(expected)


def test_intervals_of_the_distance_are_as_wide_as_it_varies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Over new images each time, the distance spreads as its interval says."""
    # Views take time and play no part.
    monkeypatch.setattr(structure, "ordinary_view", lambda images, generator: images)

    def encode(x: Tensor) -> Tensor:
        return x.flatten(1) + 1

    ratios, errors = [], []
    for seed in range(150):
        images = some_images(24, seed, side=2)
        metrics, _ = measured(images, encode, seed, negatives={"noisy": Noisy()})
        distance = metrics["distance_noisy"]
        assert distance.interval is not None
        ratios.append(distance.value)
        errors.append((distance.interval[1] - distance.value) / 1.96)
    spread = mean_and_error(ratios)[1]
    assert 0.75 < spread / (sum(errors) / len(errors)) < 1.25


def test_an_encoder_that_sees_places_sees_a_jigsaw_and_one_that_pools_does_not() -> None:
    images = some_images(80)
    jigsaw = {"jigsaw": negative_from_name("jigsaw")}
    seeing, _ = measured(images, lambda x: x.flatten(1), negatives=jigsaw)
    # Noise in another place is other noise; of a quarter each, 20 in the 23 orders stay in place.
    assert seeing["cosine_jigsaw"].value == pytest.approx(20 / 23 / 4, abs=0.07)
    assert seeing["distance_jigsaw"].value == pytest.approx(1 - 20 / 23 / 4, abs=0.1)
    blind, _ = measured(images, lambda x: x.mean(dim=(2, 3)) + 1, negatives=jigsaw)
    assert blind["cosine_jigsaw"].value == pytest.approx(1)
    assert blind["distance_jigsaw"].value == pytest.approx(0, abs=1e-4)
    assert blind["nearer_jigsaw"].value == 1


def test_a_negatives_figures_do_not_depend_on_the_others() -> None:
    images, names = some_images(10), ("mixup", "jigsaw", "stitch")
    together, _ = measured(images, negatives={n: negative_from_name(n) for n in names})
    for name in names:
        alone, _ = measured(images, negatives={name: negative_from_name(name)})
        for metric in ("cosine", "distance", "nearer"):
            assert alone[f"{metric}_{name}"] == together[f"{metric}_{name}"]


def test_the_generator_decides() -> None:
    def figures(seed: int) -> list[float]:
        metrics, _ = measured(some_images(10), seed=seed, negatives={"noisy": Noisy()})
        return [metric.value for metric in metrics.values()]

    assert figures(1) == figures(1)
    assert figures(1) != figures(2)


@pytest.mark.parametrize(("count", "sizes"), [(9, [5, 4]), (8, [4, 4]), (5, [5]), (7, [7])])
def test_no_image_is_left_without_a_partner(count: int, sizes: list[int]) -> None:
    encoder = Recorder()
    measured(some_images(count), encoder, negatives={"stitch": negative_from_name("stitch")})
    assert [len(x) for x in encoder.shown] == 4 * sizes


def test_an_encoder_that_has_collapsed_has_no_distances() -> None:
    metrics, histograms = measured(some_images(6), lambda x: torch.ones(len(x), 3))
    assert metrics["cosine_darker"].value == pytest.approx(1)
    assert metrics["cosine_different_images"].value == pytest.approx(1)
    assert not [name for name in metrics if name.startswith("distance")]
    assert sum(histograms["cosine_darker"].series["negative"]) == 6


def test_what_is_reported_says_how_it_was_measured() -> None:
    metrics, histograms = measured(some_images(7))
    expected = {
        "split": "test",
        "images": 7,
        "views": "random resized crop of 0.2 to 1 of the area, flip half the time",
        "pairs_of_different_images": 3,
    }
    assert all(metric.protocol == expected for metric in metrics.values())
    assert histograms["cosine_darker"].protocol == expected | {"negative": "darker"}
    assert len(histograms["cosine_darker"].edges) == 61


def test_no_gradient_is_recorded() -> None:
    weight = torch.ones((), requires_grad=True)

    def encode(x: Tensor) -> Tensor:
        features = x.flatten(1) * weight
        assert not features.requires_grad
        return features

    measured(some_images(4), encode)


def test_views_are_crops_of_a_fifth_to_all_half_of_them_flipped() -> None:
    """On an image whose red says the column and green the row, a view tells its own crop."""
    side = 64
    ramp = torch.arange(side, dtype=torch.uint8) * 4
    image = torch.stack([ramp.expand(side, side), ramp[:, None].expand(side, side)])
    images = torch.cat([image, image[:1]]).expand(200, 3, side, side)
    views = ordinary_view(images, torch.Generator().manual_seed(0)).float()
    assert views.shape == images.shape
    # The centres of the outermost pixels lie half a pixel inside the crop.
    width = (views[:, 0, 32, -1] - views[:, 0, 32, 0]) / (4 * (side - 1))
    height = (views[:, 1, -1, 32] - views[:, 1, 0, 32]) / (4 * (side - 1))
    area = (width.abs() * height).tolist()
    assert 0.15 < min(area) < 0.3
    assert 0.9 < max(area) <= 1.05
    aspect = (width.abs() / height).log().abs()
    assert float(aspect.max()) < math.log(4 / 3) + 0.1
    assert 70 < int((width < 0).sum()) < 130


def test_views_leave_the_global_generator_as_it_was() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    images, draws = some_images(3), torch.Generator().manual_seed(0)
    views = [ordinary_view(images, draws) for _ in range(2)]
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(*views)
    torch.manual_seed(4)
    again = torch.Generator().manual_seed(0)
    assert all(torch.equal(view, ordinary_view(images, again)) for view in views)


def test_all_frames_of_a_clip_have_the_same_view() -> None:
    images = some_images(5, side=16)
    clips = images[:, None].expand(5, 4, 3, 16, 16).contiguous()
    views = ordinary_view(clips, torch.Generator().manual_seed(0))
    assert views.shape == clips.shape
    assert torch.equal(views, views[:, :1].expand_as(views))
    # They are drawn as those of the images are.
    assert torch.equal(views[:, 0], ordinary_view(images, torch.Generator().manual_seed(0)))


def test_clips_are_measured_as_what_they_are_called() -> None:
    clips, encoder = some_clips(6), Recorder()
    metrics, histograms = measured(clips, encoder, of="video")
    assert torch.equal(torch.cat(encoder.shown)[:6], to_float(clips))
    own = Recorder()(to_float(clips)), Recorder()(Darker()(to_float(clips)))
    expected = [cosine(*pair) for pair in zip(*(x.tolist() for x in own), strict=True)]
    assert metrics["cosine_darker"].value == pytest.approx(sum(expected) / 6, abs=1e-6)
    assert metrics["cosine_darker"].title == "Mean cosine of a video and its darker"
    assert metrics["cosine_different_videos"].title == "Mean cosine of two different videos"
    assert metrics["cosine_darker"].protocol["videos"] == 6
    assert metrics["cosine_darker"].protocol["pairs_of_different_videos"] == 3
    assert not [name for name in metrics if "image" in name + metrics[name].title]
    assert set(histograms["cosine_darker"].series) == {"negative", "two views", "different videos"}


def test_bins_are_the_same_for_all() -> None:
    negatives = {name: negative_from_name(name) for name in ("jigsaw", "mixup")}
    _, histograms = measured(some_images(8), negatives=negatives)
    assert histograms["cosine_jigsaw"].edges == histograms["cosine_mixup"].edges
    assert all(a < b for a, b in pairwise(histograms["cosine_mixup"].edges))


@pytest.mark.parametrize(
    "images",
    [
        some_images(3),
        some_images(4).float(),
        some_images(4)[:, :1],
        some_images(4)[0],
        some_clips(3),
    ],
)
def test_refuses_other_images(images: Tensor) -> None:
    with pytest.raises(
        ShapeError,
        match=r"4 or more images, uint8 of shape \(N, 3, H, W\), or clips \(N, F, 3, H, W\); got",
    ):
        measured(images)


def test_refuses_a_batch_of_one() -> None:
    with pytest.raises(ConfigError, match=r"The batch size is 1; it must be 2 or more"):
        measured(some_images(4), batch_size=1)


def test_refuses_features_with_places() -> None:
    with pytest.raises(ShapeError, match=r"shape \(4, D\) for 4 images; it gave \(4, 3, 8, 8\)"):
        measured(some_images(4), lambda x: x)


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.0])
def test_refuses_features_without_a_direction(value: float) -> None:
    with pytest.raises(DataError, match=r"4 of 4 images have features that are not finite or all"):
        measured(some_images(4), lambda x: torch.full((len(x), 5), value))
