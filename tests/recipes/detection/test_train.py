"""The detection recipe: whose weights it begins with, its step by hand, and a whole training."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from nda.data import to_float
from nda.errors import CheckpointError
from nda.networks.resnet import build_encoder
from nda.recipes import RECIPES
from nda.recipes.detection import train as detection
from nda.recipes.detection.evaluate import draw_samples, evaluate
from nda.recipes.detection.train import DetectionState, flipped, learning_rate, prepared
from nda.recipes.encoders import EncoderSource, Pretrained
from nda.training.checkpoint import load_checkpoint
from nda.training.launch import launch
from nda.training.run_folder import RunFolder
from nda.training.start import resume, start
from tests.support.tiny_detection import tiny_detection, write_voc, write_xml


@pytest.fixture(scope="module")
def voc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_voc(tmp_path_factory.mktemp("voc") / "voc")


def build(data: Path, **changes: Any) -> DetectionState:
    config = tiny_detection(data, **changes)
    config.check()
    return detection.build(config, launch(config))


def draws(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pretrained(name: str = "cifar_resnet18", width: int = 8) -> Pretrained:
    encoder = build_encoder(name, width=width, seed=99)
    return Pretrained(
        encoder, name, width, 32, EncoderSource("moco-jigsaw-0", "jigsaw", 700, "abc")
    )


def test_the_table_knows_it() -> None:
    assert RECIPES["detection"].recipe().step is detection.step


@pytest.mark.parametrize("network", ["resnet18", "cifar_resnet18"])
def test_a_step_trains_every_layer(voc: Path, network: str) -> None:
    state = build(voc, network=network)
    before = {n: p.detach().clone() for n, p in state.network.module.named_parameters()}
    logs = detection.step(state, state.batch(0), draws())
    assert set(logs) == {"loss", "loss_classifier", "loss_box_reg", "loss_objectness",
                         "loss_rpn_box_reg"}  # fmt: skip
    assert all(value.shape == () and value.isfinite() for value in logs.values())
    parts = [float(value) for name, value in logs.items() if name != "loss"]
    assert float(logs["loss"]) == pytest.approx(sum(parts), rel=1e-5)
    detection.step(state, state.batch(1), draws())  # the first moves by a thousandth of the rate
    after = dict(state.network.module.named_parameters())
    changed = [not torch.equal(before[name], after[name]) for name in before]
    assert sum(changed) > 0.95 * len(changed)


def test_the_update_is_sgd_with_decay_of_weights_alone(voc: Path) -> None:
    state = build(voc, warmup=0, weight_decay=0.1, lr=0.01)
    plain = copy.deepcopy(state.network.module)
    images, targets = prepared(state, state.batch(0), draws())
    torch.manual_seed(5)
    torch.stack(list(plain(images, targets).values())).sum().backward()
    torch.manual_seed(5)
    detection.step(state, state.batch(0), draws())
    for (name, mine), hand in zip(
        state.network.module.named_parameters(), plain.parameters(), strict=True
    ):
        decay = 0.1 if hand.dim() > 1 else 0.0
        assert hand.grad is not None
        expected = hand.detach() - 0.01 * (hand.grad + decay * hand.detach())
        torch.testing.assert_close(mine.detach(), expected, atol=1e-5, rtol=1e-4, msg=name)


def test_images_are_resized_mirrored_and_labels_begin_at_one(voc: Path) -> None:
    state = build(voc)
    batch = [state.batch(step)[0] for step in range(24)]
    images, targets = prepared(state, batch, draws())
    sides = {min(image.shape[1:]) for image in images}
    assert sides == {32, 40}
    mirrored = 0
    for (image, boxes, labels), seen, target in zip(batch, images, targets, strict=True):
        assert torch.equal(target["labels"], labels + 1)
        assert target["boxes"].shape == boxes.shape
        scale = seen.shape[2] / image.shape[2]
        left = float(boxes[0, 0]) * scale
        if abs(float(target["boxes"][0, 0]) - left) > 1e-3:
            mirrored += 1
            assert float(target["boxes"][0, 2]) == pytest.approx(seen.shape[2] - left, abs=1e-3)
    assert 4 < mirrored < 20
    still, around = prepared(build(voc, flip=False, train_sides="40"), batch[:1], draws())
    assert torch.equal(still[0], to_float(batch[0][0]))
    assert torch.equal(around[0]["boxes"], batch[0][1])


def test_a_mirrored_box_holds_what_it_held() -> None:
    image = torch.zeros(3, 8, 12)
    image[:, 2:5, 1:4] = 1
    seen, boxes = flipped(image, torch.tensor([[1.0, 2, 4, 5]]))
    assert boxes.tolist() == [[8, 2, 11, 5]]
    assert float(seen[:, 2:5, 8:11].sum()) == float(image.sum())


def test_the_learning_rate_rises_and_drops_twice() -> None:
    config = tiny_detection(Path("unused"), steps=24_000, warmup=100, lr=0.02)
    rates = {step: learning_rate(step, config) for step in (0, 50, 100, 17_999, 18_000, 22_001)}
    assert rates[0] == pytest.approx(2e-5)
    assert rates[50] == pytest.approx(0.02 * (0.001 + 0.999 / 2))
    assert rates[100] == rates[17_999] == 0.02
    assert rates[18_000] == pytest.approx(0.002)
    assert rates[22_001] == pytest.approx(0.0002)


def test_it_begins_with_the_encoders_weights_and_tells_of_them(
    voc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = pretrained()
    monkeypatch.setattr(detection, "open_encoder", lambda *_, **__: found)
    state = build(voc, encoder="runs/moco-jigsaw-0", network=None, width=None)
    own = state.network.module.state_dict()
    weights = found.network.state_dict()
    for key, value in weights.items():
        place = ("roi_heads.box_head." if key.startswith("layer4") else "backbone.") + key
        assert torch.equal(own[place], value), key
    assert state.small
    assert (state.origin.run, state.origin.negative, state.origin.step) == (
        "moco-jigsaw-0", "jigsaw", 700
    )  # fmt: skip
    assert (state.origin.matched, state.origin.rest) == (100, [])
    measured = {m.name: m for m in evaluate(state).metrics}
    assert measured["tensors_taken_over"].value == 100
    assert measured["tensors_taken_over"].protocol["encoder"] == "moco-jigsaw-0"


def test_random_weights_are_told_apart_from_taken_ones(voc: Path) -> None:
    state = build(voc)
    assert state.origin.run == "none"
    assert "tensors_taken_over" not in {m.name for m in evaluate(state).metrics}


def test_runs_without_a_moco_encoder_are_refused(voc: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("recipe: gan\n")
    with pytest.raises(CheckpointError, match="is a run of gan, which has no encoder"):
        build(voc, encoder=str(tmp_path))
    with pytest.raises(CheckpointError, match="is not a run folder"):
        build(voc, encoder=str(tmp_path / "nothing"))


def test_a_resumed_run_is_the_same_run_also_without_its_encoder(
    voc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detection, "open_encoder", lambda *_, **__: pretrained())
    changes = {"encoder": "runs/moco", "network": None, "width": None, "steps": 3}
    whole = start(RECIPES["detection"].recipe(), tiny_detection(voc, tmp_path / "whole", **changes))
    assert whole.train()
    part = start(RECIPES["detection"].recipe(), tiny_detection(voc, tmp_path / "part", **changes))
    part._one_step()
    part.save()

    def gone(*_: object, **__: object) -> Pretrained:
        raise CheckpointError("the encoder is gone")

    monkeypatch.setattr(detection, "open_encoder", gone)
    again = resume(
        RECIPES["detection"].recipe(), type(part.config), RunFolder.open(tmp_path / "part")
    )
    assert again.state.step == 1
    assert again.state.origin.run == "moco-jigsaw-0"
    assert again.train()
    mine, expected = (
        load_checkpoint(tmp_path / name / "checkpoints" / "latest")["state"]
        for name in ("part", "whole")
    )
    assert mine["origin"] == expected["origin"]
    for key, value in expected["network"].items():
        assert torch.equal(mine["network"][key], value), key
    for index, moments in expected["optimizer"]["state"].items():
        assert torch.equal(
            mine["optimizer"]["state"][index]["momentum_buffer"], moments["momentum_buffer"]
        )


def test_the_evaluation_names_what_it_could_not_measure(voc: Path, tmp_path: Path) -> None:
    data = write_voc(tmp_path / "voc", labels="disc\nbar\nmoon\n")
    write_xml(data, "train00", (50, 40), [("disc", (5, 5, 500, 30), False)])
    state = build(data, skip_broken=True)
    evaluation = evaluate(state)
    names = {metric.name for metric in evaluation.metrics}
    assert {"coco_ap", "coco_ap50", "coco_ap75", "voc_ap", "voc_ap50", "voc_ap75"} <= names
    assert "coco_ap_moon" not in names
    assert all(math.isfinite(metric.value) for metric in evaluation.metrics)
    assert evaluation.notes[1].startswith("AP of moon: no box in the test split")
    assert evaluation.notes[2].startswith("Split train: 1 box was left out (Annotations/train00")
    assert state.network.module.training


def test_pictures_are_drawn(voc: Path, tmp_path: Path) -> None:
    run = start(RECIPES["detection"].recipe(), tiny_detection(voc, tmp_path / "run", steps=1))
    draw_samples(run.state, run.folder)
    assert (run.folder.samples / "step-00000000.png").stat().st_size > 1000


@pytest.mark.slow
def test_it_learns_to_find_discs(tmp_path: Path) -> None:
    data = write_voc(tmp_path / "voc", train=24, test=8)
    state = build(
        data,
        steps=60,
        batch_size=6,
        lr=0.05,
        train_sides="64",
        longest_side=128,
        anchors="16,32,48",
        rois=16,
        proposals=40,
        warmup=10,
        classes="disc",
    )
    for step in range(60):
        torch.manual_seed(step)
        detection.step(state, state.batch(step), draws(step))
        state.step += 1
    values = {metric.name: metric.value for metric in evaluate(state).metrics}
    assert values["coco_ap50"] > 0.9
    assert values["voc_ap50"] > 0.9
