from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda.data.images.load import ImageSet, load_splits
from nda.errors import ConfigError, DataError, ShapeError
from nda.evaluation.fidelity import classifier as classifier_module
from nda.evaluation.fidelity.classifier import (
    FeatureClassifier,
    FeatureNetwork,
    classifier_frechet,
    train_feature_classifier,
)
from nda.evaluation.fidelity.frechet import frechet_distance

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
BUDGET = 400  # images; five epochs of the 80 below


def two_classes(count: int, seed: int, size: int = 8) -> ImageSet:
    """Noise with a bright upper or a bright lower half; a mirrored image keeps its class."""
    g = torch.Generator().manual_seed(seed)
    images = torch.randint(128, (count, 3, size, size), generator=g, dtype=torch.uint8)
    labels = torch.arange(count) % 2
    images[labels == 0, :, : size // 2] += 128
    images[labels == 1, :, size // 2 :] += 128
    return ImageSet.of(images, labels, ("upper", "lower"))


def train(seed: int = 0, cache_path: Path | None = None, data_seed: int = 1) -> FeatureClassifier:
    return train_feature_classifier(
        two_classes(80, data_seed),
        two_classes(40, seed=2),
        seed=seed,
        budget=BUDGET,
        cache_path=cache_path,
    )


@pytest.fixture(scope="module")
def trained() -> FeatureClassifier:
    return train()


def test_learns_the_classes(trained: FeatureClassifier) -> None:
    heldout = two_classes(40, seed=2)
    assert trained.accuracy >= 0.95
    logits = trained.network.head(trained.features(heldout.images))
    assert (logits.argmax(1) == heldout.labels).double().mean().item() == trained.accuracy


def test_of_a_set_larger_than_the_budget_a_part_is_seen() -> None:
    rows, mirrored = classifier_module._draw_batches(5000, 1, 0, most=3)
    assert rows.shape == mirrored.shape == (3, classifier_module.BATCH)
    assert len(rows.unique()) == rows.numel()
    rows, _ = classifier_module._draw_batches(100, 4, 0, most=3)
    assert rows.shape == (4, 100)


def test_accuracy_is_taken_on_so_many_images_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier_module, "MOST_MEASURED", 3)
    assert train().accuracy * 3 == pytest.approx(round(train().accuracy * 3))


def test_follows_from_the_seed_alone(trained: FeatureClassifier) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    again = train()
    assert torch.equal(torch.get_rng_state(), before)
    assert again.fingerprint == trained.fingerprint
    assert again.accuracy == trained.accuracy
    images = two_classes(6, seed=3).images
    assert torch.equal(again.features(images), trained.features(images))
    assert train(seed=1).fingerprint != trained.fingerprint


@pytest.mark.parametrize("resolution", [8, 28, 32, 64, 96, 128])
def test_one_network_for_every_size(resolution: int) -> None:
    network = FeatureNetwork(resolution, classes=7).eval()
    x = torch.rand(2, 3, resolution, resolution) * 2 - 1
    features = network.features(x)
    assert features.shape == (2, 128)
    assert network(x).shape == (2, 7)
    moved = x.clone()
    moved[:, :, -1, -1] *= -1  # no corner is cut off
    assert not torch.equal(network.features(moved), features)


@given(count=st.integers(0, 9), batch_size=st.integers(1, 10), seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=25)
def test_features_do_not_depend_on_the_batch(count: int, batch_size: int, seed: int) -> None:
    classifier = FeatureClassifier(FeatureNetwork(8, 2).eval(), 0.5, "untrained")
    images = two_classes(count, seed).images
    features = classifier.features(images, batch_size=batch_size)
    alone = [classifier.features(image[None]) for image in images]
    assert features.dtype == torch.float32
    torch.testing.assert_close(features, torch.cat([torch.empty(0, 128), *alone]))


def test_every_run_on_the_same_data_measures_in_the_same_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cache" / "classifier.safetensors"
    first = train(cache_path=path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]

    monkeypatch.setattr(classifier_module, "_fit", lambda *_: pytest.fail("trained again"))
    second = train(cache_path=path)
    assert (second.fingerprint, second.accuracy) == (first.fingerprint, first.accuracy)
    images = two_classes(5, seed=4).images
    assert torch.equal(second.features(images), first.features(images))


def test_a_cache_of_other_data_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "classifier.safetensors"
    other = train(cache_path=path, data_seed=7)
    mine = train(cache_path=path)
    assert mine.fingerprint != other.fingerprint
    assert mine.fingerprint == train().fingerprint


def cut_short(content: bytes) -> bytes:
    return content[: len(content) // 2]


def one_weight_changed(content: bytes) -> bytes:
    return content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]


def something_else(content: bytes) -> bytes:
    return b"not a safetensors file"


@pytest.mark.parametrize("damage", [cut_short, one_weight_changed, something_else])
def test_a_damaged_cache_is_trained_anew(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "classifier.safetensors"
    whole = train(cache_path=path)
    content = path.read_bytes()
    assert callable(damage)
    path.write_bytes(damage(content))
    with pytest.warns(UserWarning, match=r"classifier.safetensors is damaged .* trained anew"):
        again = train(cache_path=path)
    assert again.fingerprint == whole.fingerprint
    assert path.read_bytes() == content


def test_the_distance_is_that_of_the_features(trained: FeatureClassifier) -> None:
    real, generated = two_classes(30, seed=8).images, two_classes(20, seed=9).images
    metric = classifier_frechet(trained, real, generated, {"split": "test", "ema": True})
    features = trained.features(real), trained.features(generated)
    assert metric.value == frechet_distance(*features)
    assert metric.name == "classifier_frechet"
    assert metric.title == "Classifier Fréchet distance"
    assert metric.better == "lower"
    assert metric.protocol == {
        "split": "test",
        "ema": True,
        "classifier": trained.fingerprint,
        "classifier_accuracy": trained.accuracy,
        "real_images": 30,
        "generated_images": 20,
    }


def test_a_missing_class_is_farther_than_other_samples(trained: FeatureClassifier) -> None:
    real, good = two_classes(60, seed=8).images, two_classes(60, seed=9)
    collapsed = good.images[good.labels == 0]

    def distance(generated: Tensor) -> float:
        return classifier_frechet(trained, real, generated, {}).value

    assert distance(real) < 1e-3 < distance(good.images) < 0.5 * distance(collapsed)


def test_refuses_images_of_another_size(trained: FeatureClassifier) -> None:
    real, generated = two_classes(4, seed=1).images, two_classes(4, seed=1, size=16).images
    with pytest.raises(ShapeError, match=r"Real images are \(3, 8, 8\).*\(3, 16, 16\)"):
        classifier_frechet(trained, real, generated, {})


def test_refuses_images_that_are_not_uint8(trained: FeatureClassifier) -> None:
    with pytest.raises(ShapeError, match=r"uint8 of shape \(N, 3, H, W\); got torch.float32"):
        trained.features(torch.zeros(2, 3, 8, 8))


def test_refuses_data_without_classes() -> None:
    images = two_classes(10, seed=1).images
    unlabelled = ImageSet.of(images)
    with pytest.raises(DataError, match="the training images have no classes"):
        train_feature_classifier(unlabelled, unlabelled)
    one = ImageSet.of(images, classes=("only",))
    with pytest.raises(DataError, match="the training images have 1 classes"):
        train_feature_classifier(one, one)


def test_refuses_a_class_that_has_no_images() -> None:
    empty = ImageSet.of(two_classes(10, seed=1).images, classes=("there", "empty"))
    with pytest.raises(DataError, match="to tell classes apart"):
        train_feature_classifier(empty, empty)


def test_refuses_to_go_unmeasured() -> None:
    data = two_classes(10, seed=1)
    nothing = ImageSet.of(data.images[:0], data.labels[:0], data.classes)
    with pytest.raises(DataError, match="held-out images, and there are none"):
        train_feature_classifier(data, nothing)


def test_refuses_splits_that_do_not_match() -> None:
    data = two_classes(10, seed=1)
    renamed = ImageSet.of(data.images, data.labels, ("left", "right"))
    for other in (renamed, two_classes(10, seed=1, size=16)):
        with pytest.raises(ShapeError, match="do not match training images"):
            train_feature_classifier(data, other)


def test_refuses_an_empty_budget() -> None:
    data = two_classes(10, seed=1)
    with pytest.raises(ConfigError, match="budget of the feature classifier is 0 images"):
        train_feature_classifier(data, data, budget=0)


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the real images are not here")
def test_learns_real_photos() -> None:
    splits = load_splits(str(SHARED / "cifar10_test_png_2000.zip"), holdout=0.2)
    classifier = train_feature_classifier(splits.train, splits.heldout, budget=8000)
    assert classifier.accuracy > 0.3  # chance is 0.1
