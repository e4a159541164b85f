"""Faster R-CNN of the kind "C4": one feature map for proposals and boxes (Ren et al., 2015).

As MoCo transfers to detection (He et al., 2020, appendix): stem to stage 3 of a ResNet yield the
map, stage 4 is the head of the boxes, with a batch norm behind it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nda.errors import CheckpointError
from nda.extras import needed
from nda.networks.resnet import build_encoder, feature_dim
from nda.runtime.seeding import seeded

with needed("nda.networks.faster_rcnn needs torchvision", "train"):
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.faster_rcnn import FasterRCNN, FastRCNNPredictor
    from torchvision.models.detection.transform import GeneralizedRCNNTransform
    from torchvision.models.resnet import ResNet
    from torchvision.ops import MultiScaleRoIAlign

RATIOS = (0.5, 1.0, 2.0)  # of an anchor's height to its width
ANCHORS = (32, 64, 128, 256, 512)  # pixels: square roots of their areas
LEAST_MATCH = 0.9  # share of the tensors that an encoder must bring
_HEAD = "layer4"
_COUNTER = "num_batches_tracked"  # younger than some files; nothing depends on it here


class C4Backbone(nn.Module):
    """Images `(B, 3, H, W)` to one map, `(B, C, H/16, W/16)` for a ResNet with the usual stem."""

    def __init__(self, encoder: ResNet, out_channels: int) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.conv1, self.bn1, self.maxpool = encoder.conv1, encoder.bn1, encoder.maxpool
        self.layer1, self.layer2, self.layer3 = encoder.layer1, encoder.layer2, encoder.layer3

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        return OrderedDict([("0", self.layer3(self.layer2(self.layer1(x))))])


class C4Head(nn.Module):
    """Cut-outs of the map, `(R, C, S, S)`, to features `(R, 2 C)`: stage 4, batch norm, mean."""

    def __init__(self, encoder: ResNet, channels: int) -> None:
        super().__init__()
        self.layer4 = encoder.layer4
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.layer4(x)).mean(dim=(2, 3))


class _AsTheyAre(GeneralizedRCNNTransform):  # type: ignore[misc]  # torchvision has no types
    """Puts images together to a batch without another resizing: who calls has resized them."""

    def resize(
        self, image: Tensor, target: dict[str, Tensor] | None = None
    ) -> tuple[Tensor, dict[str, Tensor] | None]:
        return image, target


def build_detector(
    name: str,
    classes: int,
    *,
    width: int = 64,
    seed: int = 0,
    anchors: Sequence[int] = ANCHORS,
    roi_size: int = 14,
    rois: int = 512,
    proposals: int = 2000,
) -> FasterRCNN:
    """A detector of `classes` kinds of objects on the ResNet of that name and width.

    In training mode it takes a list of images `(3, H, W)` in [-1, 1], of any sizes, and as many
    dicts of `boxes` `(n, 4)` and `labels` `(n,)` in 1..classes (0 is the background), and gives a
    dict of losses. In eval mode it gives dicts of `boxes`, `labels` and `scores`, at most 100 an
    image. Weights follow from `seed`.

    Args:
        name: one of `nda.networks.resnet.ENCODERS`; of `cifar_*` the map has a quarter of the side.
        classes: kinds of objects.
        width: channels of the stem.
        seed: of the weights.
        anchors: sizes in pixels, each taken at three ratios.
        roi_size: side of the cut-outs that the head sees, 14 as published.
        rois: cut-outs an image that the head is trained on.
        proposals: boxes an image that go from the first stage to the second in training, the best
            of six times as many; in eval mode half as many.
    """
    encoder = build_encoder(name, width=width, seed=seed)
    channels = feature_dim(name, width)
    with seeded(seed + 1):
        detector = FasterRCNN(
            C4Backbone(encoder, channels // 2),
            rpn_anchor_generator=AnchorGenerator((tuple(anchors),), (RATIOS,)),
            rpn_pre_nms_top_n_train=6 * proposals,
            rpn_pre_nms_top_n_test=3 * proposals,
            rpn_post_nms_top_n_train=proposals,
            rpn_post_nms_top_n_test=max(1, proposals // 2),
            box_roi_pool=MultiScaleRoIAlign(["0"], roi_size, 0),
            box_head=C4Head(encoder, channels),
            box_predictor=FastRCNNPredictor(channels, classes + 1),
            box_batch_size_per_image=rois,
        )
    detector.transform = _AsTheyAre(1, 1, image_mean=[0.0] * 3, image_std=[1.0] * 3)
    return detector


@dataclass(frozen=True)
class TakenOver:
    """Names of an encoder's tensors: those that a detector has now, and those that it has not.

    `rest` are both tensors of the detector that the encoder does not bring or has in another shape,
    and tensors of the encoder for which the detector has no place; counters of batches are in
    neither.
    """

    matched: tuple[str, ...]
    rest: tuple[str, ...]


def load_backbone(detector: nn.Module, weights: Mapping[str, Tensor], where: str) -> TakenOver:
    """Set stem and stages of a detector to those of an encoder with torchvision's names.

    `where` says in messages what the encoder is. Raises `CheckpointError` where less than 90 % of
    these tensors match in name and shape, and then changes nothing.
    """
    own = detector.state_dict()
    places = {name.split(".", 1)[1]: name for name in own if name.startswith("backbone.")}
    prefix = f"roi_heads.box_head.{_HEAD}."
    places |= {
        name.removeprefix("roi_heads.box_head."): name for name in own if name.startswith(prefix)
    }
    fitting = [n for n in places if n in weights and weights[n].shape == own[places[n]].shape]
    wanted = [name for name in places if not name.endswith(_COUNTER)]
    matched = tuple(name for name in wanted if name in set(fitting))
    rest = tuple(
        name
        for name in [*wanted, *(n for n in weights if n not in places)]
        if name not in set(matched) and not name.endswith(_COUNTER)
    )
    if len(matched) < LEAST_MATCH * len(wanted):
        more = f" and {len(rest) - 5} more" if len(rest) > 5 else ""
        raise CheckpointError(
            f"Of the {len(wanted)} tensors of the detector's backbone only {len(matched)} match "
            f"{where} in name and shape; missing or different are "
            f"{', '.join(rest[:5])}{more}. Give an encoder of the "
            "same network and width."
        )
    taken: dict[str, Any] = {places[name]: weights[name] for name in fitting}
    detector.load_state_dict(taken, strict=False)
    return TakenOver(matched, rest)
