"""A discriminator as detector: its scores, what stands beside them, and what is said of them."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from nda.data import to_float
from nda.data.corruptions import corrupt
from nda.data.images.jpeg import jpeg_pass
from nda.data.images.outlier_sets import load_outlier_set, some_of
from nda.errors import ConfigError, DataError, TrainingError
from nda.evaluation.outliers.auroc import measure_outliers
from nda.evaluation.record import Evaluation, Metric
from nda.recipes.gan import outliers as gan_outliers
from nda.recipes.gan.outliers import evaluate_outliers, outlier_scores
from nda.recipes.gan.train import GanState
from nda.runtime.seeding import generator_for
from tests.conftest import write_split
from tests.support.tiny_gan import build, tiny


@pytest.fixture(scope="module")
def state(image_folder: Path) -> GanState:
    return build(tiny(image_folder))


@pytest.fixture(scope="module")
def bright(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zip-less set of another kind and size: 12 bright grey pictures of 48 x 40."""
    folder = tmp_path_factory.mktemp("sets") / "bright"
    folder.mkdir()
    for index in range(12):
        draws = np.random.default_rng(index)
        pixels = draws.integers(200, 256, (40, 48)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return folder


def by_name(evaluation: Evaluation) -> dict[str, Metric]:
    return {metric.name: metric for metric in evaluation.metrics}


class Brightness(nn.Module):
    """Believes in dark images: D(x) is minus their mean."""

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        return -x.mean(dim=(1, 2, 3)) - 0.0 * labels


def believing(state: GanState, discriminator: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "discriminator", type("Wrapped", (), {"module": discriminator})())


def test_the_score_is_minus_the_output_of_the_discriminator(state: GanState) -> None:
    images = state.splits.heldout.images[:7]
    discriminator = state.discriminator.module
    before = {name: value.clone() for name, value in discriminator.state_dict().items()}
    found = outlier_scores(state, images, discriminator, size=3)
    with torch.no_grad():
        expected = discriminator.eval()(to_float(images), torch.zeros(7, dtype=torch.long))
    discriminator.train()
    assert torch.allclose(found, -expected, atol=1e-5)
    after = discriminator.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert discriminator.training


def test_a_conditional_discriminator_is_asked_about_every_class(image_folder: Path) -> None:
    state = build(tiny(image_folder, conditional=True))
    images = state.splits.heldout.images[:5]
    discriminator = state.discriminator.module.eval()
    with torch.no_grad():
        each = [discriminator(to_float(images), torch.full((5,), label)) for label in (0, 1)]
    assert not torch.allclose(*each)
    found = outlier_scores(state, images, discriminator)
    assert torch.allclose(found, -torch.maximum(*each), atol=1e-5)
    evaluation = evaluate_outliers(state, sets={"same": f"{image_folder}"})
    score = by_name(evaluation)["ood_same_discriminator_auroc"].protocol["score"]
    assert score == "minus the largest D(x, y) over all classes y, discriminator in evaluation mode"


@pytest.mark.parametrize(
    ("changes", "kind", "row"),
    [
        ({"structure_head": 1.0}, "structure_head", "its structure head"),
        ({"objective": "three_class"}, "negative_class", "its negative class"),
    ],
)
def test_the_output_that_was_shown_negatives_scores_too(
    image_folder: Path, changes: dict[str, Any], kind: str, row: str
) -> None:
    state = build(tiny(image_folder, negative="jigsaw:seam=feather", **changes))
    dark = str(image_folder / "train" / "dark")
    metrics = by_name(evaluate_outliers(state, sets={"dark": dark}, jpeg=0))
    score = metrics["ood_dark_discriminator_auroc"]
    taught = metrics[f"ood_dark_{kind}_auroc"]
    assert taught.row == row
    assert taught.protocol["score"] == (
        f"minus the output of the {kind.replace('_', ' ')}, which alone was shown negatives"
    )
    discriminator = state.discriminator.module.eval()
    images = to_float(load_outlier_set("dark", dark, resolution=32).images)
    heldout = to_float(state.splits.heldout.images)
    with torch.no_grad():
        if kind == "structure_head":
            inside, outside = (discriminator(x, structure=True)[1] for x in (heldout, images))
        else:
            inside, outside = (discriminator.no_negative(x) for x in (heldout, images))
    discriminator.train()
    assert taught.value == measure_outliers(-inside, -outside).auroc
    assert taught.value != score.value


def test_bright_images_are_found_by_a_discriminator_that_expects_dark_ones(
    state: GanState, bright: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    believing(state, Brightness(), monkeypatch)
    found = by_name(evaluate_outliers(state, sets={"bright": str(bright)}))
    assert found["ood_bright_discriminator_auroc"].value == 1.0
    assert found["ood_bright_discriminator_fpr95_id_positive"].value == 0.0
    assert {f"ood_bright_{kind}_auroc" for kind in ("msp", "energy", "knn")} < found.keys()


def test_every_image_goes_through_the_same_pass(
    state: GanState, bright: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    believing(state, Brightness(), monkeypatch)
    evaluation = evaluate_outliers(state, sets={"bright": str(bright)}, samples=9)
    pixels = some_of(state.splits.heldout.images, 9)
    inside = to_float(jpeg_pass(pixels)).mean(dim=(1, 2, 3))
    (histogram,) = evaluation.histograms
    assert histogram.edges[0] == pytest.approx(float(inside.min()), abs=1e-5)
    assert sum(histogram.series["held-out images"]) == 9
    protocol = evaluation.metrics[0].protocol
    assert protocol["compression"] == (
        "every image, those of the data too, through one JPEG pass (quality 75, 4:2:0) after "
        "resizing and corruption, so that none differs by its compression"
    )
    raw = evaluate_outliers(state, sets={"bright": str(bright)}, samples=9, jpeg=0)
    assert raw.histograms[0].edges[0] == pytest.approx(
        float(to_float(pixels).mean(dim=(1, 2, 3)).min()), abs=1e-5
    )
    assert "told apart by its compression alone" in str(raw.metrics[0].protocol["compression"])


def test_compression_is_a_shortcut_until_all_are_compressed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A detector that looks at fine colour alone, which 4:2:0 JPEG takes from every picture."""

    class Lossless(nn.Module):
        def forward(self, x: Tensor, labels: Tensor) -> Tensor:
            colour = x[:, 0] - x[:, 1]
            return -colour.diff(dim=-1).abs().mean(dim=(1, 2)) - 0.0 * labels

    for split, label, index in product(("train", "test"), ("a", "b"), range(15)):
        draws = np.random.default_rng([len(split), ord(label), index])
        coarse = Image.fromarray(draws.integers(0, 256, (4, 4, 3)).astype(np.uint8))
        smooth = np.asarray(coarse.resize((32, 32), Image.Resampling.BICUBIC)).astype(np.int64)
        grain = draws.integers(-12, 13, smooth.shape)
        picture = Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8))
        for kind, ending in (("lossless", "png"), ("compressed", "jpg")):
            folder = tmp_path / kind / split / label
            folder.mkdir(parents=True, exist_ok=True)
            picture.save(folder / f"{index}.{ending}", quality=75)
    state = build(tiny(tmp_path / "compressed"))
    believing(state, Lossless(), monkeypatch)
    same_pictures = {"lossless": str(tmp_path / "lossless")}
    raw = by_name(evaluate_outliers(state, sets=same_pictures, jpeg=0))
    levelled = by_name(evaluate_outliers(state, sets=same_pictures))
    assert raw["ood_lossless_discriminator_auroc"].value > 0.9
    assert 0.25 < levelled["ood_lossless_discriminator_auroc"].value < 0.75
    assert "warning" not in levelled["ood_lossless_discriminator_auroc"].protocol


def test_the_protocol_says_where_the_images_are_from(state: GanState, bright: Path) -> None:
    evaluation = evaluate_outliers(state, sets={"bright": str(bright)}, samples=10)
    protocol = by_name(evaluation)["ood_bright_discriminator_auroc"].protocol
    expected = {
        "split": "test split",
        "set": "bright",
        "size": "48 x 40 and the like, resized and centre-cropped to 32 x 32",
        "also_in_training": 0,
        "also_held_out": 0,
        "in_distribution_images": 10,
        "out_of_distribution_images": 10,
        "base_rate": 0.5,
        "score": "-D(x), discriminator in evaluation mode",
    }
    assert expected.items() <= protocol.items()
    assert not any(str(bright.parent) in str(value) for value in protocol.values())
    knn = by_name(evaluation)["ood_bright_knn_auroc"].protocol
    assert "training image, k = 40, in" in str(knn["score"])  # there are no 50


def test_the_data_itself_is_warned_of_by_name(state: GanState, image_folder: Path) -> None:
    evaluation = evaluate_outliers(state, sets={"mine": str(image_folder)})
    metric = by_name(evaluation)["ood_mine_discriminator_auroc"]
    assert "Out-of-distribution mine" in metric.table
    assert metric.protocol["warning"] == (
        "0 of its 20 images are training images of this run and 20 are held-out ones, pixel for "
        "pixel: this set is the data itself, and its AUROC belongs near .5"
    )
    assert metric.value == 0.5


def test_shared_images_are_counted(
    state: GanState, image_folder: Path, bright: Path, tmp_path: Path
) -> None:
    for index, path in enumerate(sorted((image_folder / "train").rglob("*.png"))[:3]):
        (tmp_path / f"shared{index}.png").write_bytes(path.read_bytes())
    for path in bright.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    evaluation = evaluate_outliers(state, sets={"mixed": str(tmp_path)})
    protocol = evaluation.metrics[0].protocol
    assert (protocol["also_in_training"], protocol["also_held_out"]) == (3, 0)
    assert "they draw the figures towards those of chance" in str(protocol["warning"])


def test_a_collapsed_discriminator_is_named(
    state: GanState, bright: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Constant(nn.Module):
        def forward(self, x: Tensor, labels: Tensor) -> Tensor:
            return torch.full((len(x),), 0.14)

    believing(state, Constant(), monkeypatch)
    evaluation = evaluate_outliers(state, sets={"bright": str(bright)})
    assert evaluation.metrics[0].protocol["warning"] == (
        "the discriminator has collapsed: it gives 20 held-out images 1 different scores, and its "
        "figures mean nothing"
    )


def test_a_diverged_discriminator_is_refused(
    state: GanState, bright: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor, labels: Tensor) -> Tensor:
            return x.mean(dim=(1, 2, 3)) / 0 * 0

    believing(state, Broken(), monkeypatch)
    with pytest.raises(TrainingError) as caught:
        evaluate_outliers(state, sets={"bright": str(bright)})
    assert str(caught.value) == (
        "The discriminator's output is not finite, so it cannot score images: the run has "
        "diverged. Evaluate an earlier checkpoint."
    )


def test_without_classes_there_are_no_baselines(bright: Path, tmp_path: Path) -> None:
    write_split(tmp_path / "data", 12)
    flat = tmp_path / "flat"
    flat.mkdir()
    for index, path in enumerate((tmp_path / "data").rglob("*.png")):
        path.rename(flat / f"{index}.png")
    state = build(tiny(flat))
    evaluation = evaluate_outliers(state, sets={"bright": str(bright)})
    assert {metric.row for metric in evaluation.metrics} == {"this discriminator"}
    assert evaluation.metrics[0].protocol["baselines"] == (
        "none: the images have no two classes to tell apart"
    )


def test_a_wrong_path_is_found_before_anything_else(
    state: GanState, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unwanted(*_: Any) -> None:
        raise AssertionError("nothing should be scored")

    monkeypatch.setattr(gan_outliers, "Scorer", unwanted)
    with pytest.raises(DataError, match=r"^--ood dtd: There is no nowhere\.zip"):
        evaluate_outliers(state, sets={"dtd": "nowhere.zip"})
    with pytest.raises(DataError, match=r"gaussian_noise\.npy"):
        evaluate_outliers(state, sets={}, corruptions="nowhere")


@pytest.fixture
def two_corruptions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gan_outliers, "CORRUPTIONS", ("brightness", "contrast"))
    monkeypatch.setattr(gan_outliers, "SEVERITIES", (1, 5))


@pytest.mark.usefixtures("two_corruptions")
def test_corruptions_of_the_same_pictures(state: GanState, monkeypatch: pytest.MonkeyPatch) -> None:
    believing(state, Brightness(), monkeypatch)
    evaluation = evaluate_outliers(state, sets={}, corruptions="made", samples=15)
    found = by_name(evaluation)
    clean = some_of(state.splits.heldout.images, 15)
    for severity in (1, 5):
        rng = generator_for(0, step=severity, purpose="brightness")
        brighter = corrupt(clean, "brightness", severity, generator=rng)
        expected = measure_outliers(
            *(to_float(jpeg_pass(each)).mean(dim=(1, 2, 3)) for each in (clean, brighter))
        )
        metric = found[f"corrupted_brightness_{severity}_discriminator_auroc"]
        assert metric.value == expected.auroc > 0.5
    assert "corrupted_brightness_5_knn_auroc" in found
    assert "corrupted_brightness_1_knn_auroc" not in found
    protocol = found["corrupted_mean_5_discriminator_auroc"].protocol
    assert protocol["pictures"] == "the same ones, clean and corrupted"
    assert "CIFAR-10-C's constants" in str(protocol["corruptions"])
    assert protocol["images"] == 15
    assert "through one JPEG pass" in str(protocol["compression"])
    again = evaluate_outliers(state, sets={}, corruptions="made", samples=15)
    assert again == evaluation


@pytest.mark.usefixtures("two_corruptions")
def test_corruptions_from_the_published_files(
    state: GanState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = (50_000, 32, 32, 3)
    for name, level in (("brightness", 250), ("contrast", 128)):
        array = np.lib.format.open_memmap(
            tmp_path / f"{name}.npy", mode="w+", dtype=np.uint8, shape=shape
        )
        array[40_000:] = level  # severity 5; the others stay black
        array.flush()
    believing(state, Brightness(), monkeypatch)
    evaluation = evaluate_outliers(state, sets={}, corruptions=str(tmp_path), samples=6)
    found = by_name(evaluation)
    assert found["corrupted_brightness_5_discriminator_auroc"].value == 1.0
    assert found["corrupted_brightness_1_discriminator_auroc"].value == 0.0
    inside = to_float(jpeg_pass(some_of(state.splits.heldout.images, 6))).mean(dim=(1, 2, 3))
    grey = to_float(jpeg_pass(torch.full((6, 3, 32, 32), 128).byte())).mean(dim=(1, 2, 3))
    expected = measure_outliers(inside, grey).auroc
    assert found["corrupted_contrast_5_discriminator_auroc"].value == expected
    metric = found["corrupted_mean_5_discriminator_auroc"]
    assert "the published CIFAR-10-C" in metric.table
    assert metric.protocol["pictures"] == (
        "clean ones of the run's held-out images, corrupted ones of the CIFAR-10 test set"
    )


def test_published_files_are_refused_at_another_size(image_folder: Path) -> None:
    state = build(tiny(image_folder, resolution=16, network="dcgan"))
    with pytest.raises(ConfigError) as caught:
        evaluate_outliers(state, sets={}, corruptions="CIFAR-10-C")
    assert str(caught.value) == (
        "The files of CIFAR-10-C hold images of 32 x 32 pixels, and this run's are 16 x 16. Give "
        "'--corruptions made' to corrupt the run's own images."
    )
