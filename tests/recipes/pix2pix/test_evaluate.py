"""What is measured of a pix2pix run, and that translations depend on seed and image alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from nda.data import to_float
from nda.data.pairs.palette import load_palette
from nda.errors import CheckpointError
from nda.networks.pix2pix import Generator
from nda.recipes.pix2pix.evaluate import draw_samples, evaluate, label_figures
from nda.recipes.pix2pix.translate import generator_of, translate
from nda.training.run_folder import RunFolder
from tests.support.tiny_pix2pix import build, tiny_pix2pix, write_street


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_street(tmp_path_factory.mktemp("street") / "pairs")


def some_images(count: int = 3) -> Tensor:
    rng = torch.Generator().manual_seed(7)
    return torch.randint(0, 256, (count, 3, 64, 64), generator=rng, dtype=torch.uint8)


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_a_translation_depends_on_seed_and_name_alone(norm: str) -> None:
    torch.manual_seed(0)
    network = Generator(64, width=4, norm="batch" if norm == "batch" else "instance").eval()
    images, names = some_images(), ["a", "b", "c"]
    torch.manual_seed(5)
    before = torch.rand(1)
    torch.manual_seed(5)
    whole = translate(network, images, names, seed=1)
    assert torch.equal(torch.rand(1), before)  # the global generator is as it was
    assert not network.training
    assert torch.equal(translate(network, images[1:2], ["b"], seed=1), whole[1:2])
    assert torch.equal(translate(network, images.flip(0), names[::-1], seed=1), whole.flip(0))
    assert not torch.equal(translate(network, images, names, seed=2), whole)
    assert not torch.equal(translate(network, images, ["x", "b", "c"], seed=1)[0], whole[0])
    assert translate(network, images[:0], [], seed=1).shape == (0, 3, 64, 64)


def test_the_figures_of_a_run_are_all_there(street: Path) -> None:
    state = build(tiny_pix2pix(street, negative="stitch"))
    evaluation = evaluate(state)
    metrics = {metric.name: metric for metric in evaluation.metrics}
    for name in ("pixel_accuracy", "class_accuracy", "mean_iou", "l1", "iou_road"):
        assert 0 <= metrics[name].value <= 1
    assert metrics["pixel_accuracy"].protocol["images"] == 4
    assert metrics["pixel_accuracy"].protocol["split"] == "test split"
    assert metrics["pixel_accuracy"].protocol["unlabelled_pixels"] == (
        "left out in truth, wrong as prediction"
    )
    assert {"gap_jigsaw", "gap_stitch"} <= metrics.keys()
    assert [histogram.name for histogram in evaluation.histograms] == ["gap_stitch", "gap_jigsaw"]
    assert evaluation.notes == [
        "8 pairs of split train are taken to train on and 4 of split test to measure on; passed "
        "over: files of endings that are not read (.txt 1)."
    ]


def test_what_was_left_out_is_said_at_once_and_beside_the_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_street(tmp_path / "street")
    (data / "test" / "labels" / "002.png").write_bytes(b"no image")
    state = build(tiny_pix2pix(data, skip_broken=True))
    note = "test split: 1 pair was left out, as a file could not be read: 002: "
    assert f"nda: {note}" in capsys.readouterr().err
    evaluation = evaluate(state)
    assert evaluation.metrics[0].protocol["images"] == 3
    assert evaluation.notes[1].startswith(note)


def test_the_error_and_the_gap_are_those_of_a_loop(street: Path) -> None:
    state = build(tiny_pix2pix(street, direction="labels_to_photo", norm="batch"))
    evaluation = evaluate(state)
    metrics = {metric.name: metric.value for metric in evaluation.metrics}
    heldout = state.splits.heldout
    outputs = translate(state.generator.module, heldout.labels, heldout.names, seed=0)
    errors = [
        abs(a - b) / 255
        for a, b in zip(outputs.flatten().tolist(), heldout.photos.flatten().tolist(), strict=True)
    ]
    assert metrics["l1"] == pytest.approx(sum(errors) / len(errors))
    network = state.discriminator.module
    with torch.no_grad():
        scores = [
            network(to_float(label[None]), to_float(photo[None])).mean()
            for label, photo in zip(heldout.labels, heldout.photos, strict=True)
        ]
    (histogram,) = evaluation.histograms
    assert sum(histogram.series["real"]) == 4
    assert min(scores) >= histogram.edges[0] - 1e-6
    assert max(scores) <= histogram.edges[-1] + 1e-6


def test_outputs_without_label_colours_get_no_label_figures(street: Path) -> None:
    for changes, reason in (
        ({"direction": "labels_to_photo"}, "the outputs are photographs, which have no label"),
        ({"palette": "none"}, "the targets are pictures without a palette"),
    ):
        evaluation = evaluate(build(tiny_pix2pix(street, **changes)))
        assert len(evaluation.notes) == 2
        assert reason in evaluation.notes[1]
        names = {metric.name for metric in evaluation.metrics}
        assert "l1" in names
        assert not {"pixel_accuracy", "mean_iou"} & names


def test_a_perfect_translation_scores_one_and_absent_classes_are_noted(street: Path) -> None:
    state = build(tiny_pix2pix(street))
    palette = load_palette("camvid")
    notes: list[str] = []
    truths = state.splits.heldout.labels
    figures = label_figures(truths, truths, palette, {}, notes)
    assert [metric.value for metric in figures[:3]] == [1.0, 1.0, 1.0]
    (note,) = notes
    assert note.startswith("Figures of Building, Pole, Pavement, SignSymbol, Fence, Car, Ped")
    assert "no pixel of the held-out labels is of such a class" in note


@pytest.mark.parametrize("pair", ["target", "both"])
def test_samples_are_pictures_to_look_at_and_to_compare(
    street: Path, tmp_path: Path, pair: str
) -> None:
    state = build(tiny_pix2pix(street, negative_pair=pair))
    folder = RunFolder(tmp_path)
    draw_samples(state, folder)
    assert {path.name for path in folder.samples.iterdir()} == {
        "step-00000000.png",
        "input.png",
        "output-00000000.png",
        "truth.png",
        "negatives.png",
    }
    photos = np.asarray(Image.open(folder.samples / "input.png")).reshape(4, 64, 64, 3)
    expected = state.splits.heldout.photos.permute(0, 2, 3, 1).numpy()
    assert np.array_equal(photos, expected)
    rows = {"target": 3, "both": 4}[pair]
    negatives = np.asarray(Image.open(folder.samples / "negatives.png"))
    assert len(negatives) == rows * (64 + 4) + 4


def test_another_recipes_checkpoint_holds_no_generator() -> None:
    with pytest.raises(CheckpointError, match="The checkpoint of RUN does not hold the generator"):
        generator_of({"config": {"width": 2}, "state": {}}, "RUN")
    wrong = {"config": {"resolution": 64, "width": 2, "norm": "batch"}, "state": {"generator": {}}}
    with pytest.raises(CheckpointError, match="The checkpoint of RUN does not hold the generator"):
        generator_of(wrong, "RUN")
