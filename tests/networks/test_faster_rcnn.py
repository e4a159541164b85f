"""Faster R-CNN C4: its shapes, whose weights it has, and what it refuses to take over."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from nda.errors import CheckpointError
from nda.networks.faster_rcnn import RATIOS, TakenOver, build_detector, load_backbone
from nda.networks.resnet import build_encoder

SMALL = {"width": 8, "anchors": (8, 16), "roi_size": 7, "rois": 8, "proposals": 20}


def detector(name: str = "resnet18", **changes: object) -> Any:
    return build_detector(name, 3, **(SMALL | changes))  # type: ignore[arg-type]


def example() -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    rng = torch.Generator().manual_seed(0)
    images = [torch.rand(3, h, w, generator=rng) * 2 - 1 for h, w in ((40, 60), (48, 32))]
    boxes = [torch.tensor([[5.0, 5, 25, 30], [30, 10, 50, 20]]), torch.zeros(0, 4)]
    labels = [torch.tensor([1, 3]), torch.zeros(0, dtype=torch.int64)]
    return images, [{"boxes": b, "labels": n} for b, n in zip(boxes, labels, strict=True)]


@pytest.mark.parametrize(
    ("name", "stride", "channels"),
    [("resnet18", 16, 32), ("cifar_resnet18", 4, 32), ("resnet50", 16, 128)],
)
def test_the_map_is_that_of_stage_3_and_the_head_is_stage_4(
    name: str, stride: int, channels: int
) -> None:
    network = detector(name).eval()
    encoder = build_encoder(name, width=8).eval()
    image = torch.rand(2, 3, 64, 96) * 2 - 1
    with torch.inference_mode():
        found = network.backbone(image)["0"]
        assert found.shape == (2, channels, 64 // stride, 96 // stride)
        plain = encoder.maxpool(encoder.relu(encoder.bn1(encoder.conv1(image))))
        plain = encoder.layer3(encoder.layer2(encoder.layer1(plain)))
        torch.testing.assert_close(found, plain)
        features = network.roi_heads.box_head(found)
        expected = network.roi_heads.box_head.norm(encoder.layer4(plain)).mean(dim=(2, 3))
        torch.testing.assert_close(features, expected)
        assert features.shape == (2, 2 * channels)


def test_it_learns_from_images_of_any_size_also_without_boxes() -> None:
    network = detector().train()
    losses = network(*example())
    assert set(losses) == {"loss_classifier", "loss_box_reg", "loss_objectness", "loss_rpn_box_reg"}
    torch.stack(list(losses.values())).sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_images_are_seen_as_they_are_given() -> None:
    network = detector().eval()
    images, _ = example()
    batch, _ = network.transform(images)
    assert batch.image_sizes == [(40, 60), (48, 32)]
    assert torch.equal(batch.tensors[0, :, :40, :60], images[0])
    with torch.inference_mode():
        found = network(images)
    assert len(found) == 2
    for image, each in zip(images, found, strict=True):
        right, bottom = image.shape[2], image.shape[1]
        limit = torch.tensor([right, bottom, right, bottom])
        assert ((each["boxes"] >= 0) & (each["boxes"] <= limit)).all()


def test_anchors_are_the_sizes_at_three_ratios() -> None:
    network = detector(anchors=(8, 32))
    cells = network.rpn.anchor_generator.cell_anchors[0]
    widths, heights = cells[:, 2] - cells[:, 0], cells[:, 3] - cells[:, 1]
    assert len(cells) == 2 * len(RATIOS)
    torch.testing.assert_close((widths * heights).sqrt().sort().values,
                               torch.tensor([8.0, 8, 8, 32, 32, 32]), atol=2, rtol=0)  # fmt: skip


def test_weights_follow_from_the_seed_and_leave_the_callers_state_alone() -> None:
    before = torch.random.get_rng_state()
    first, again, other = detector(seed=1), detector(seed=1), detector(seed=2)
    assert torch.equal(before, torch.random.get_rng_state())
    for (name, mine), (_, theirs) in zip(
        first.state_dict().items(), again.state_dict().items(), strict=True
    ):
        assert torch.equal(mine, theirs), name
    name = "roi_heads.box_predictor.cls_score.weight"
    assert not torch.equal(first.state_dict()[name], other.state_dict()[name])


@pytest.mark.parametrize("name", ["resnet18", "cifar_resnet18"])
def test_an_encoder_is_taken_over_completely(name: str) -> None:
    network, encoder = detector(name), build_encoder(name, width=8, seed=7)
    with torch.no_grad():
        for buffer in encoder.buffers():
            buffer.add_(3)
    taken = load_backbone(network, encoder.state_dict(), "the encoder")
    own = network.state_dict()
    weights = encoder.state_dict()
    assert taken.rest == ()
    assert len(taken.matched) == sum("num_batches" not in key for key in weights)
    for key, value in weights.items():
        place = ("roi_heads.box_head." if key.startswith("layer4") else "backbone.") + key
        assert torch.equal(own[place], value), key


def test_what_does_not_match_is_listed_while_it_is_little() -> None:
    network = detector()
    weights = dict(build_encoder("resnet18", width=8, seed=7).state_dict())
    del weights["conv1.weight"]
    weights["fc.bias"] = torch.zeros(3)
    weights["layer1.0.conv1.weight"] = torch.zeros(1)
    before = network.state_dict()["backbone.conv1.weight"].clone()
    taken = load_backbone(network, weights, "the encoder")
    assert isinstance(taken, TakenOver)
    assert taken.rest == ("conv1.weight", "layer1.0.conv1.weight", "fc.bias")
    assert torch.equal(network.state_dict()["backbone.conv1.weight"], before)


def test_files_without_counters_of_batches_are_taken_over_too() -> None:
    weights = build_encoder("resnet18", width=8).state_dict()
    kept = {key: value for key, value in weights.items() if "num_batches" not in key}
    assert load_backbone(detector(), kept, "the encoder").rest == ()


def test_less_than_nine_tenths_is_refused_and_changes_nothing() -> None:
    network = detector()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    message = (
        r"Of the 100 tensors of the detector's backbone only 0 match the encoder in RUN in name "
        r"and shape; missing or different are conv1.weight, bn1.weight, .* and 9\d more"
    )
    with pytest.raises(CheckpointError, match=message):
        load_backbone(
            network, build_encoder("resnet18", width=16).state_dict(), "the encoder in RUN"
        )
    weights = dict(build_encoder("resnet18", width=8, seed=5).state_dict())
    lost = [key for key in weights if "num_batches" not in key][:11]
    for key in lost:
        del weights[key]
    with pytest.raises(CheckpointError, match="only 89 match"):
        load_backbone(network, weights, "the encoder")
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key]), key
