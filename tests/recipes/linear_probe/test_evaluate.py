"""Figures of a linear probe: which layer counts, what stands in the tables, what is proven."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nda.evaluation.record import Evaluation
from nda.recipes.linear_probe import evaluate as linear_probe_evaluation
from nda.recipes.linear_probe import train as linear_probe
from nda.recipes.linear_probe.evaluate import EncoderChangedError, draw_samples, evaluate
from nda.recipes.linear_probe.train import LinearProbeState
from nda.training.run_folder import RunFolder
from tests.recipes.linear_probe.test_train import build
from tests.support.made_encoder import write_encoder_run


@pytest.fixture
def state(image_folder: Path, tmp_path: Path) -> LinearProbeState:
    return build(image_folder, write_encoder_run(tmp_path / "moco"))


def value(found: Evaluation, name: str) -> float:
    return next(metric.value for metric in found.metrics if metric.name == name)


def fix_answers(state: LinearProbeState, answers: list[int]) -> None:
    """Layers that give every image the same class, each its own."""
    with torch.no_grad():
        state.heads.module.weight.zero_()
        for layer, answer in enumerate(answers):
            state.heads.module.bias[layer] = torch.eye(2)[answer]


def test_the_layer_is_chosen_on_the_validation_part_alone(state: LinearProbeState) -> None:
    # Validation: all of class 1. Test: all of class 0, which would choose the other layers.
    state.validation.labels.fill_(1)
    state.test.labels.fill_(0)
    fix_answers(state, [0, 1, 0])
    found = evaluate(state)
    assert value(found, "learning_rate") == 1
    assert value(found, "linear_top1") == 0
    assert [value(found, f"validation_lr_{rate}") for rate in ("0.1", "1", "30")] == [0, 1, 0]


def test_of_equal_rates_the_lowest_is_taken(state: LinearProbeState) -> None:
    fix_answers(state, [0, 0, 0])
    assert value(evaluate(state), "learning_rate") == pytest.approx(0.1)


def test_figures_are_counted_over_the_test_split(state: LinearProbeState) -> None:
    fix_answers(state, [1, 1, 1])
    state.test.labels.copy_(torch.tensor([0] * 5 + [1] * 15))
    found = evaluate(state)
    top1 = next(metric for metric in found.metrics if metric.name == "linear_top1")
    assert top1.value == 0.75
    assert top1.interval == pytest.approx([0.5313, 0.8881], abs=1e-3)  # Wilson's, by hand
    assert top1.protocol["split"] == "test split"
    assert (top1.protocol["images"], top1.protocol["trained_on"]) == (20, 30)
    assert value(found, "confusion_dark_light") == 1
    assert value(found, "confusion_light_light") == 1
    assert value(found, "confusion_dark_dark") == 0
    assert 0 <= value(found, "knn_top1") <= 1


def test_bright_and_dark_images_are_told_apart_by_a_random_encoder(state: LinearProbeState) -> None:
    for number in range(40):
        linear_probe.step(state, state.batch(number), torch.Generator())
    found = evaluate(state)
    assert value(found, "linear_top1") > 0.9


def test_an_encoder_that_changed_is_our_fault(state: LinearProbeState) -> None:
    statistics = state.encoder.network.bn1.running_mean
    assert statistics is not None
    statistics[0] += 1e-4
    with pytest.raises(EncoderChangedError, match="the encoder's weights changed during linear"):
        evaluate(state)


def test_an_encoder_in_training_mode_is_our_fault(state: LinearProbeState) -> None:
    state.encoder.network.layer1.train()
    with pytest.raises(EncoderChangedError, match="has left eval mode"):
        evaluate(state)


def test_pictures_of_features_are_drawn_once(state: LinearProbeState, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    state.step = 1
    draw_samples(state, folder)
    assert not folder.samples.exists()
    state.step = 0
    draw_samples(state, folder)
    assert {path.name for path in folder.samples.iterdir()} == {"features.png", "neighbours.png"}


def test_the_logits_of_all_layers_and_classes_are_held_some_at_a_time(
    state: LinearProbeState, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = linear_probe_evaluation.predictions(state, "test")
    sizes: list[int] = []
    state.heads.module.register_forward_hook(lambda _, given, out: sizes.append(out.numel()))
    monkeypatch.setattr(linear_probe_evaluation, "_LOGITS", 20)
    assert torch.equal(linear_probe_evaluation.predictions(state, "test"), whole)
    assert max(sizes) <= 20
    assert sum(sizes) == 3 * 20 * 2
