"""Linear evaluation of an encoder, as published: frozen features and one linear layer.

A layer for each learning rate is trained on the same batches. What is measured of them stands in
evaluate.py, every setting in config.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor, nn

from nda.data import EpochBatches, ImageSet, to_float
from nda.data.augment.crops import crop_and_flip
from nda.data.images.copies import copy_groups
from nda.errors import CheckpointError, DataError
from nda.evaluation.features.extract import extract_features
from nda.networks.heads.linear import LinearHeads
from nda.recipes.encoders import Pretrained, open_encoder
from nda.recipes.linear_probe.config import LinearProbeConfig
from nda.recipes.sources import image_source
from nda.training.batches import batches_of_run, beside, drawn


@dataclass
class LinearProbeState:
    """The frozen encoder, the images in three parts, and the layers that are trained."""

    config: LinearProbeConfig
    fabric: Fabric
    encoder: Pretrained
    train: ImageSet
    validation: ImageSet  # of the training images; chooses the learning rate
    test: ImageSet
    test_name: str
    heads: Any  # as Fabric runs them; `.module` is the plain network
    optimizer: Any
    batches: EpochBatches
    inputs: Tensor  # features (N, D) on the device; with --augment the images, uint8
    labels: Tensor  # (N,)
    rates: Tensor  # (L,), of the layers
    kept: dict[str, Tensor] = field(default_factory=dict)  # features of whole parts, by name
    step: int = 0

    @property
    def data(self) -> str:
        return self.train.fingerprint + self.validation.fingerprint + self.test.fingerprint

    @property
    def told(self) -> list[str]:
        """What whoever begins the run should know of its data."""
        return self.train.told

    @property
    def saved(self) -> dict[str, Any]:
        return {
            "heads": self.heads.module,
            "optimizer": self.optimizer,
            "encoder": EncoderMark(self.encoder),
        }

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Features (B, D), or images uint8 (B, 3, R, R), and labels (B,) of a step."""
        rows, device = self.batches.indices(step), self.fabric.device
        return drawn(self.inputs, rows, device), drawn(self.labels, rows, device)

    def features(self, part: str) -> Tensor:
        """Features (N, D) of the plain images of `train`, `validation` or `test`, on the CPU."""
        if part not in self.kept:
            images: ImageSet = getattr(self, part)
            self.kept[part] = extract_features(
                self.encoder.network, images.images, device=self.fabric.device
            )
        return self.kept[part]


@dataclass
class EncoderMark:
    """What a checkpoint keeps of the encoder: enough to refuse another one."""

    encoder: Pretrained

    def state_dict(self) -> dict[str, Any]:
        return {"digest": self.encoder.origin.digest}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        origin = self.encoder.origin
        if state["digest"] != origin.digest:
            raise CheckpointError(
                f"The encoder {origin.run} (step {origin.step}) is not the one that the probe was "
                "trained on: it has been trained further, or replaced. Probe it in a new run."
            )


def build(config: LinearProbeConfig, fabric: Fabric) -> LinearProbeState:
    """Open the encoder, load the images at its resolution, make the layers from the seed."""
    encoder = open_encoder(
        config.encoder, network=config.network, width=config.width, seed=config.seed
    )
    train, validation, test, test_name = load_parts(config, config.resolution or encoder.resolution)
    encoder.network.to(fabric.device)
    if config.compile:
        encoder.network.compile()
    inputs, kept = train.images, {}
    if not config.augment:
        inputs = extract_features(encoder.network, train.images, device=fabric.device)
        kept["train"] = inputs
    size = extract_features(encoder.network, train.images[:1], device=fabric.device).shape[1]
    plain = LinearHeads(len(config.rates), size, len(train.classes), seed=config.seed)
    # The learning rates stand in the loss (see `step`), so that one optimizer serves all.
    heads, optimizer = fabric.setup(plain, torch.optim.SGD(plain.parameters(), 1.0, momentum=0.9))
    return LinearProbeState(
        config=config,
        fabric=fabric,
        encoder=encoder,
        train=train,
        validation=validation,
        test=test,
        test_name=test_name,
        heads=heads,
        optimizer=optimizer,
        batches=batches_of_run(inputs, config, fabric),
        inputs=beside(inputs, fabric.device),
        labels=train.labels.to(fabric.device),
        rates=torch.tensor(config.rates, device=fabric.device),
        kept=kept,
    )


def load_parts(
    config: LinearProbeConfig, resolution: int | None
) -> tuple[ImageSet, ImageSet, ImageSet, str]:
    """Images to train on, to choose the learning rate by, and to test on; and what the last are."""
    splits = replace(image_source(config), resolution=resolution).splits(config.holdout)
    every = splits.train
    if len(every.classes) < 2:
        raise DataError(
            f"{config.data} has {len(every.classes) or 'no'} class folders, and a linear probe "
            "learns to tell classes apart. Sort the images into one folder a class, as in "
            "train/cat/1.png."
        )
    if splits.heldout.classes != every.classes:
        raise DataError(
            f"{config.data}: the {splits.heldout_name} has {len(splits.heldout.classes) or 'no'} "
            f"class folders, where the training images have {len(every.classes)}. Sort its images "
            "into folders of the same names."
        )
    if absent := set(range(len(every.classes))) - set(every.labels.tolist()):
        raise DataError(
            f"{config.data} has no training image of class {every.classes[min(absent)]!r}, which "
            "the test images show. Add some, or name the others in --classes."
        )
    # Evenly spread, beginning with the first; copies stay together.
    groups = copy_groups(every.images)
    reached = (torch.arange(-1, int(groups.max()) + 1).double() * config.validation).floor()
    kept = (reached.diff() > 0)[groups]
    train = replace(every.only(~kept), notes=every.notes, taken=every.taken)
    return train, every.only(kept), splits.heldout, splits.heldout_name


def step(
    state: LinearProbeState, batch: tuple[Tensor, Tensor], rng: torch.Generator
) -> dict[str, Tensor]:
    """One update of every layer, each by its own learning rate."""
    inputs, labels = batch
    features = augmented(state, inputs, rng) if state.config.augment else inputs
    logits = state.heads(features)  # (L, B, C)
    losses = F.cross_entropy(logits.flatten(0, 1), labels.repeat(len(logits)), reduction="none")
    losses = losses.view(len(logits), -1).mean(dim=1)  # (L,)

    for group in state.optimizer.param_groups:
        group["lr"] = decay(state.step, state.config)
    state.optimizer.zero_grad()
    # A gradient times its rate, then a step of length 1: SGD at that rate, also with momentum,
    # which is linear in the gradients. No layer sees the loss of another.
    state.fabric.backward((losses * state.rates).sum())
    state.optimizer.step()
    detached = losses.detach()
    names = [f"loss_lr_{rate:g}" for rate in state.config.rates]
    return dict(zip(names, detached, strict=True))


@torch.no_grad()
def augmented(state: LinearProbeState, images: Tensor, rng: torch.Generator) -> Tensor:
    """Frozen features (B, D) of a crop of each image, half of them mirrored."""
    network: nn.Module = state.encoder.network
    x = crop_and_flip(to_float(images), scale=(state.config.crop_low, 1.0), generator=rng)
    with state.fabric.autocast():
        return network(x.contiguous(memory_format=torch.channels_last)).float()


def decay(step: int, config: LinearProbeConfig) -> float:
    """What the learning rates are multiplied by: a function of the step alone."""
    done = step / config.steps
    if config.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    return 0.1 ** ((done >= 0.6) + (done >= 0.8))
