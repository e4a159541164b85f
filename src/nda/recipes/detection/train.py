"""Transfer to detection: Faster R-CNN C4 on the encoder of a moco run (paper, section 5).

MoCo's recipe: every layer is trained, batch norm as well. What is measured of it stands in
detection_evaluation.py, every setting in detection_config.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from nda.data import EpochBatches, to_float
from nda.data.boxes.decode import resized
from nda.data.boxes.load import BoxSplits, load_boxes
from nda.data.reading.layout import class_names
from nda.evaluation.boxes.average_precision import require_coco
from nda.networks.faster_rcnn import build_detector, load_backbone
from nda.recipes.detection.config import SMALL, DetectionConfig
from nda.recipes.encoders import EncoderSource, open_encoder
from nda.training.batches import batches_of_run
from nda.training.run_folder import RunFolder

MOMENTUM = 0.9
Batch = list[tuple[Tensor, Tensor, Tensor]]  # image, boxes and labels of each image


@dataclass
class DetectorOrigin(EncoderSource):
    """Where the weights at step 0 came from; kept in checkpoints, so that the run stands alone."""

    name: str  # of the network, one of nda.networks.resnet.ENCODERS
    width: int
    matched: int = 0  # tensors taken over
    rest: list[str] = field(default_factory=list)  # names of those that were not


@dataclass
class DetectionState:
    """Everything that is trained, and what it is trained with."""

    config: DetectionConfig
    fabric: Fabric
    splits: BoxSplits
    network: Any  # as Fabric runs it; `.module` is the plain detector
    optimizer: Any
    origin: DetectorOrigin
    batches: EpochBatches
    step: int = 0

    @property
    def told(self) -> list[str]:
        """What whoever begins the run should know of its data."""
        return [self.splits.taken]

    @property
    def data(self) -> str:
        return self.splits.train.fingerprint

    @property
    def saved(self) -> dict[str, Any]:
        return {"network": self.network.module, "optimizer": self.optimizer, "origin": self.origin}

    @property
    def small(self) -> bool:
        """Whether the encoder is one of small images."""
        return self.origin.name.startswith(SMALL)

    def batch(self, step: int) -> Batch:
        """Images of a step, uint8 (3, H, W), with their boxes (n, 4) and labels (n,)."""
        train, device = self.splits.train, self.fabric.device
        return [
            (train.images[i].to(device), train.boxes[i].to(device), train.labels[i].to(device))
            for i in self.batches.indices(step).tolist()
        ]


def build(config: DetectionConfig, fabric: Fabric) -> DetectionState:
    """Load images and boxes, build the detector from the seed, take the encoder's weights over."""
    require_coco()  # not only when the training is done
    splits = load_boxes(
        config.data,
        train_split=config.train_split,
        test_split=config.test_split,
        longest=config.resolution,
        classes=class_names(config.classes),
        skip_broken=config.skip_broken,
        bit_depth=config.bit_depth,
    )
    origin, weights = origin_of(config)
    small = origin.name.startswith(SMALL)
    plain = build_detector(
        origin.name,
        len(splits.train.classes),
        width=origin.width,
        seed=config.seed,
        anchors=config.anchor_sizes(small),
        roi_size=config.roi_size,
        rois=config.rois,
        proposals=config.proposals,
    )
    if weights is not None:
        taken = load_backbone(plain, weights, f"the encoder in {config.encoder}")
        origin.matched, origin.rest = len(taken.matched), list(taken.rest)
    network, optimizer = fabric.setup(plain, sgd(plain, config))
    return DetectionState(
        config=config,
        fabric=fabric,
        splits=splits,
        network=network,
        optimizer=optimizer,
        origin=origin,
        batches=batches_of_run(splits.train, config, fabric, heldout=len(splits.test)),
    )


def origin_of(config: DetectionConfig) -> tuple[DetectorOrigin, Mapping[str, Tensor] | None]:
    """Where the weights come from, and the weights; none of these for a run that has begun.

    Such a run has weights of its own: the encoder's may have been trained on, or thrown away.
    """
    if kept := DetectorOrigin.kept_in(RunFolder(Path(config.out))):
        return kept, None
    found = open_encoder(
        config.encoder, network=config.network, width=config.width, seed=config.seed
    )
    origin = DetectorOrigin(**found.origin.state_dict(), name=found.name, width=found.width)
    return origin, found.network.state_dict()


def sgd(network: nn.Module, config: DetectionConfig) -> torch.optim.SGD:
    """SGD that lets norms and biases be without decay."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    return torch.optim.SGD(
        [
            {"params": [p for p in parameters if p.dim() > 1], "weight_decay": config.weight_decay},
            {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
        ],
        lr=config.lr,
        momentum=MOMENTUM,
    )


def step(state: DetectionState, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
    """One update on the four losses of Faster R-CNN, equally weighted."""
    images, targets = prepared(state, batch, rng)
    # Anchors and cut-outs are sampled by the global generator, which the engine seeds at each step.
    losses: dict[str, Tensor] = state.network(images, targets)
    loss = torch.stack(list(losses.values())).sum()
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(state.step, state.config)
    state.optimizer.zero_grad()
    state.fabric.backward(loss)
    state.optimizer.step()
    return {"loss": loss.detach(), **{name: part.detach() for name, part in losses.items()}}


def prepared(
    state: DetectionState, batch: Batch, rng: torch.Generator
) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    """Images in [-1, 1] at sizes that are drawn, half of them mirrored, and their boxes alike."""
    config, device = state.config, rng.device
    sides = config.sides(state.small)
    drawn = torch.randint(len(sides), (len(batch),), generator=rng, device=device).tolist()
    mirrored = (torch.rand(len(batch), generator=rng, device=device) < 0.5).tolist()
    images, targets = [], []
    longest = config.longest(state.small)
    for (image, boxes, labels), which, mirror in zip(batch, drawn, mirrored, strict=True):
        seen, around = resized(to_float(image), boxes, shorter=sides[which], longest=longest)
        if config.flip and mirror:
            seen, around = flipped(seen, around)
        images.append(seen)
        targets.append({"boxes": around, "labels": labels + 1})  # 0 is the background
    return images, targets


def flipped(image: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Image `(3, H, W)` and boxes `(n, 4)` with left and right exchanged."""
    left, top, right, bottom = boxes.unbind(1)
    width = image.shape[-1]
    return image.flip(-1), torch.stack([width - right, top, width - left, bottom], dim=1)


def learning_rate(step: int, config: DetectionConfig) -> float:
    """A linear rise from a thousandth, then a tenth and a hundredth; of the step alone."""
    rate = config.lr
    for drop in (config.first_drop, config.second_drop):
        if step >= drop * config.steps:
            rate *= 0.1
    if step < config.warmup:
        rate *= 1e-3 + (1 - 1e-3) * step / config.warmup
    return rate
