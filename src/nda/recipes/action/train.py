"""Classification of actions on an encoder of videos (paper, section 5; Han et al., 2019).

It shows what the encoder of a dpc run is worth: the same training with one encoder or another.
What is measured stands in evaluate.py, every setting in config.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor

from nda.data.clips.batches import in_blocks
from nda.data.clips.clip_set import Clips
from nda.errors import DataError
from nda.networks.dpc import ActionClassifier
from nda.recipes.action.config import ActionConfig
from nda.recipes.encoders import NONE, EncoderOrigin, open_video_encoder
from nda.recipes.sources import clip_source
from nda.recipes.video.load import ClipState, batches_of, remarks, shape_of, views_of
from nda.training.run_folder import RunFolder

Batch = tuple[Tensor, Tensor]  # clips uint8 (B, F, 3, R, R) and labels (B,)


@dataclass(kw_only=True)
class ActionState(ClipState):
    """Everything that is trained, and what it is trained with."""

    config: ActionConfig
    validation: Clips | None  # kept from the training split
    test: Clips
    test_name: str
    origin: EncoderOrigin

    @property
    def saved(self) -> dict[str, Any]:
        return {
            "network": self.network.module,
            "optimizer": self.optimizer,
            "origin": self.origin,
        }

    def batch(self, step: int) -> Batch:
        rows, clips = self.batches(step)
        device = self.fabric.device
        return clips.to(device, non_blocking=True), self.train.labels[rows].to(device)


def build(config: ActionConfig, fabric: Fabric) -> ActionState:
    """Open videos and encoder, and make the classifier from the seed."""
    splits = clip_source(config).splits(config.holdout)
    if len(splits.train.classes) < 2:
        raise DataError(
            f"{config.data} has {len(splits.train.classes)} classes of videos; a classifier needs "
            "at least 2. Sort the videos into a folder for each class."
        )
    remarks(config, fabric, splits)
    train, validation = split_train_validation(config, splits.train)
    plain, origin = network_of(config, len(train.classes))
    if config.compile:
        plain.compile()
    network, optimizer = fabric.setup(plain, optimizer_of(plain, config))
    return ActionState(
        config=config,
        fabric=fabric,
        train=train,
        validation=validation,
        test=splits.heldout,
        test_name=splits.heldout_name,
        network=network,
        optimizer=optimizer,
        origin=origin,
        views=views_of(config),
        shape=shape_of(config),
        batches=batches_of(config, fabric, train),
    )


def split_train_validation(config: ActionConfig, videos: Clips) -> tuple[Clips, Clips | None]:
    """Videos to train on and, with a `holdout`, those to validate on."""
    if not config.holdout:
        return videos, None
    train, validation = videos.without_every(round(1 / config.holdout))
    left = torch.bincount(train.labels, minlength=len(videos.classes))
    if lost := [
        name for name, count in zip(videos.classes, left.tolist(), strict=True) if not count
    ]:
        raise DataError(
            f"{config.data} has no training video of class {lost[0]!r} left when --holdout "
            f"{config.holdout:g} of the recordings validate; give --holdout 0, or more videos."
        )
    return train, validation


def network_of(config: ActionConfig, classes: int) -> tuple[ActionClassifier, EncoderOrigin]:
    """The classifier, whose head is the same whatever the encoder.

    A run that has begun knows its network, whose weights are its own by now: the encoder's run may
    have been trained on, or thrown away.
    """
    kept = EncoderOrigin.kept_in(RunFolder(Path(config.out)))
    encoder, origin = open_video_encoder(
        NONE if kept else config.encoder,
        network=kept.network if kept else config.network,
        width=kept.width if kept else config.width,
        dropout=config.encoder_dropout,
        seed=config.seed,
    )
    torch.manual_seed(config.seed)
    plain = ActionClassifier(encoder, classes, dropout=config.dropout, frozen=config.frozen)
    return plain, kept or origin


def optimizer_of(plain: ActionClassifier, config: ActionConfig) -> torch.optim.Adam:
    """Adam over the head and, unless it is frozen, over the encoder at its own learning rate."""
    groups: list[dict[str, Any]] = [{"params": list(plain.head.parameters()), "start": config.lr}]
    if not config.frozen:
        encoder = list(plain.encoder.parameters())
        groups.append({"params": encoder, "start": config.rate_of_encoder})
    return torch.optim.Adam(groups, lr=config.lr, weight_decay=config.weight_decay, fused=True)


def step(state: ActionState, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
    """One update on a clip of each of some videos."""
    clips, labels = batch
    clips = state.views(clips, generator=rng)  # (B, F, 3, R, R) in [-1, 1]
    logits = state.network(in_blocks(clips, state.config.frames)).float()  # (B, K)
    loss = F.cross_entropy(logits, labels)

    share = lr_factor(state.step, state.config)
    for group in state.optimizer.param_groups:
        group["lr"] = share * group["start"]
    state.optimizer.zero_grad()
    state.fabric.backward(loss)
    state.optimizer.step()
    return {"loss": loss, "train_top1": (logits.argmax(dim=1) == labels).float().mean()}


def lr_factor(step: int, config: ActionConfig) -> float:
    """What is left of the learning rates at a step; a function of the step alone."""
    drops = (config.first_drop, config.second_drop)
    return float(0.1 ** sum(step >= drop * config.steps for drop in drops))
