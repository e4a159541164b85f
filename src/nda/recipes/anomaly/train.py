"""Anomaly detection: a network that knows normal images, from normal images alone.

The paper's detector is the discriminator of a GAN (section 5). Here there is no generator: the
network learns normal images against negatives made of them, place by place where they have a
place. With another method it is fitted to a backbone's features, in a run of one step.
What is measured of it stands in evaluate.py, every setting in config.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor, nn

from nda.data import EpochBatches, ImageSet, to_float
from nda.data.images.textures import give_textures
from nda.evaluation.outliers.detector import build_network
from nda.negatives import Negative, RandomApply, negative_from_name
from nda.networks.pretrained.fitted import build_fitted
from nda.objectives import consistency, shown_as_nulls
from nda.recipes.anomaly.config import AnomalyConfig
from nda.recipes.anomaly.method import FITTED_AT_ONCE, Method, channels_last, method_for
from nda.recipes.anomaly.normal import Normal, load_normal, promised_rate, told_of_rate
from nda.recipes.anomaly.templates import Templates, load_templates, told_of_fit
from nda.recipes.matched import refuse_traceless
from nda.runtime.seeding import generator_for
from nda.training.batches import batches_of_run, beside, drawn


@dataclass
class AnomalyState:
    """Everything that is trained, and what it is trained with."""

    config: AnomalyConfig
    fabric: Fabric
    normal: Normal  # images to train on, and to calibrate on
    false_alarm_rate: float  # that the calibration promises
    network: Any  # as Fabric runs it; `module` is the plain network
    optimizer: Any  # None where the network is fitted at once
    negative: Negative
    positive: nn.Module | None
    batches: EpochBatches | None  # likewise
    images: Tensor  # the training images on the device, uint8 (N, 3, R, R)
    method: Method  # the run's, or what follows from its images
    textures: str = ""  # a digest of those that negatives are made with
    templates: Templates | None = None  # that images are compared with
    step: int = 0

    @property
    def train(self) -> ImageSet:
        return self.normal.train

    @property
    def calibration(self) -> ImageSet:
        return self.normal.calibration

    @property
    def data(self) -> str:
        templates = self.templates.fingerprint if self.templates else ""
        return self.train.fingerprint + self.calibration.fingerprint + self.textures + templates

    @property
    def module(self) -> Any:
        return self.network.module if self.config.learned else self.network

    @property
    def told(self) -> list[str]:
        """What whoever begins the run should know of its data."""
        return [
            *self.train.told,
            *self.method.told,
            *(told_of_fit(self.templates, self.train) if self.templates else []),
            *told_of_rate(self.config, self.normal),
        ]

    @property
    def saved(self) -> dict[str, Any]:
        if self.optimizer is None:
            return {"network": self.module}
        return {"network": self.module, "optimizer": self.optimizer}

    def batch(self, step: int) -> Tensor:
        """Normal images of a step, uint8 (B, 3, R, R); all where the network is fitted at once."""
        if self.batches is None:
            return self.images
        return drawn(self.images, self.batches.indices(step), self.fabric.device)


def build(config: AnomalyConfig, fabric: Fabric) -> AnomalyState:
    """Load the normal images, keep some to calibrate on, make the network from the seed."""
    normal = load_normal(config)
    train = normal.train
    rate = promised_rate(config, normal)
    negative = negative_from_name(config.negative)
    textures = give_textures(config.texture, [negative], train.images.shape[-1])
    first = train.images[: config.batch_size]
    negative.check(first)
    refuse_traceless(config, negative, to_float(first), generator_for(config.seed, purpose="trace"))
    templates = load_templates(config)
    method = method_for(config, train.images)
    network, optimizer = build_learner(config, fabric, method.name, normal, templates)
    return AnomalyState(
        config=config,
        fabric=fabric,
        normal=normal,
        false_alarm_rate=rate,
        network=network,
        optimizer=optimizer,
        negative=negative,
        positive=positive_of(config, train.images),
        batches=batches_of_run(train.images, config, fabric, heldout=normal.kept_out)
        if config.learned
        else None,
        images=beside(train.images, fabric.device)
        if config.learned
        else train.images.to(fabric.device),
        method=method,
        textures=textures,
        templates=templates,
    )


def build_learner(
    config: AnomalyConfig,
    fabric: Fabric,
    method: str,
    normal: Normal,
    templates: Templates | None = None,
) -> tuple[Any, Any]:
    """The network and its optimizer, which is None where it is fitted at once."""
    assert config.backbone is not None
    assert config.resolution is not None
    if not config.learned:
        fitted = build_fitted(
            method,
            config.backbone,
            config.resolution,
            len(normal.train),
            published=True,
            owners=normal.owners,
            templates=len(templates.names) if templates else 0,
        )
        if templates is not None:
            fitted.trunk.registration.templates.copy_(templates.images)
        return fitted.to(fabric.device), None
    plain = build_network(config.backbone, config.width, seed=config.seed, published=True)
    if config.compile:
        plain.compile()
    adam = torch.optim.AdamW(plain.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    return fabric.setup(plain, adam)


def positive_of(config: AnomalyConfig, images: Tensor) -> RandomApply | None:
    """The transform that serves as ordinary augmentation; refuses images it cannot take."""
    if config.positives == "none":
        return None
    transform = negative_from_name(config.positives)
    transform.check(images)
    return RandomApply(transform, p=config.positive_probability)


def step(state: AnomalyState, batch: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
    """One update of the network; a method that is fitted at once takes all images."""
    if state.config.learned:
        return update(state, batch, rng)
    state.module.fit(channels_last(to_float(part)) for part in batch.split(FITTED_AT_ONCE))
    return {}


def update(state: AnomalyState, batch: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
    """Every place of a normal image is normal, the places of a negative are not."""
    normal = to_float(batch)  # (B, 3, R, R)
    if state.positive is not None:
        normal = state.positive(normal, generator=rng)
    loss, logs = loss_of(state, normal, rng)

    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(state.step, state.config)
    state.optimizer.zero_grad()
    state.fabric.backward(loss)
    state.optimizer.step()
    return logs


def loss_of(
    state: AnomalyState, normal: Tensor, rng: torch.Generator
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of a batch of normal images (B, 3, R, R) in [-1, 1], and what is logged."""
    config, negative = state.config, state.negative
    params = negative.draw(normal, rng)
    mask = negative.mask(normal, params)  # (B, 1, R, R)
    parts = [normal, negative.replay(normal, params)]
    if config.matched == "shown":
        null = negative.null(normal, params)
        parts[0] = shown_as_nulls(
            normal, null, probability=config.matched_probability, generator=rng
        )
    elif config.matched == "consistency":
        parts.append(negative.null(normal, params))

    # In one forward, so that batch-norm statistics cannot tell the parts apart.
    logits = state.network(torch.cat(parts)).float()  # (2 B or 3 B, R / 4, R / 4)
    of_normal, of_negative, *of_null = logits.chunk(len(parts))
    target = F.adaptive_avg_pool2d(mask, logits.shape[-2:]).squeeze(1)
    loss = F.binary_cross_entropy_with_logits(
        torch.cat([of_normal, of_negative]), torch.cat([torch.zeros_like(target), target])
    )
    logs = {"loss": loss}
    for null_logits in of_null:
        logs["loss_matched"] = consistency(of_normal, null_logits)
        loss = loss + config.matched_weight * logs["loss_matched"]
    logs["highest_normal"] = of_normal.detach().flatten(1).amax(dim=1).mean()
    logs["highest_negative"] = of_negative.detach().flatten(1).amax(dim=1).mean()
    return loss, logs


def learning_rate(step: int, config: AnomalyConfig) -> float:
    """A rise over the first tenth of the steps, then half a cosine down to zero at the last.

    A function of the step alone: a run that is given more steps goes on along the new curve.
    """
    done, rise = (step + 1) / (config.steps + 1), 0.1
    if done < rise:
        return config.lr * done / rise
    return config.lr * 0.5 * (1 + math.cos(math.pi * (done - rise) / (1 - rise)))
