"""NDA-Pix2Pix: translation whose discriminator also learns what targets are not (section 5).

This file is one step of training; what is trained stands in pix2pix_build.py, what is measured of
it in pix2pix_evaluation.py, how images are translated in pix2pix_translation.py, and every setting
in pix2pix_config.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from nda.data import to_float
from nda.data.pairs.jitter import jitter_pairs
from nda.objectives import adversarial, gradient_penalty
from nda.recipes.pix2pix.config import Pix2PixConfig
from nda.recipes.pix2pix.evaluate import draw_samples, evaluate
from nda.recipes.pix2pix.train import Batch, Pix2PixState, build

__all__ = ["build", "draw_samples", "evaluate", "step"]


def step(state: Pix2PixState, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
    """One update of the discriminator, then one of the generator on the same translations."""
    for optimizer in (state.optimizer_g, state.optimizer_d):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(state.step, state.config)
    rows, *images = batch
    condition, real = prepared(state, images[0], images[1], generator)
    fake = state.generator(condition)
    pairs = [(condition, real), (condition, fake.detach())]
    if state.negative is not None:
        pairs.append(make_negatives(state, rows, condition, real, generator))
    logs = update_discriminator(state, pairs, generator)
    return logs | update_generator(state, condition, real, fake)


def update_discriminator(
    state: Pix2PixState, pairs: Sequence[tuple[Tensor, Tensor]], draws: torch.Generator
) -> dict[str, Tensor]:
    """Eq. 3 of real, generated and negative pairs; halved as published, to learn more slowly."""
    config, discriminator = state.config, state.discriminator
    # One after the other, as published: in one forward, batch norm would mix them.
    logits = [discriminator(*pair) for pair in pairs]
    loss_of_discriminator, _ = adversarial.LOSSES[config.objective]
    loss = 0.5 * loss_of_discriminator(*logits, fake_weight=config.fake_weight)
    logs = {"loss_d": loss}
    if config.gradient_penalty:
        (condition, real), (_, fake), *_ = pairs
        critic = discriminator.module.forward  # plain: see gradient_penalty
        penalty = gradient_penalty(
            lambda images: critic(condition, images), real, fake, generator=draws
        )
        loss = loss + config.gradient_penalty * penalty
        logs["gradient_penalty"] = penalty
    state.optimizer_d.zero_grad()
    state.fabric.backward(loss)
    state.optimizer_d.step()
    names = ("d_real", "d_fake", "d_negative")
    return logs | {name: part.mean() for name, part in zip(names, logits, strict=False)}


def update_generator(
    state: Pix2PixState, condition: Tensor, real: Tensor, fake: Tensor
) -> dict[str, Tensor]:
    """The adversarial loss and the weighted mean absolute error; it sees no negatives."""
    # The plain network: its own gradients are not wanted, so processes need not exchange them.
    discriminator = state.discriminator.module.requires_grad_(False)
    with state.fabric.autocast():
        logits = discriminator(condition, fake).float()
    _, loss_of_generator = adversarial.LOSSES[state.config.objective]
    loss, l1 = loss_of_generator(logits), F.l1_loss(fake, real)
    state.optimizer_g.zero_grad()
    state.fabric.backward(loss + state.config.l1_weight * l1)
    state.optimizer_g.step()
    discriminator.requires_grad_(True)
    return {"loss_g": loss, "l1": l1}


def make_negatives(
    state: Pix2PixState,
    rows: Tensor,
    condition: Tensor,
    real: Tensor,
    draws: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Negative pairs: the targets made negative, their inputs kept.

    With `negative_pair` "both" the input is that of another pair of the training set, made negative
    by the same draw. Where a batch is too small for images to be mixed, another target serves.
    """
    assert state.negative is not None
    count, both = len(real), state.config.negative_pair == "both"
    if both or state.lends_partner:
        # Steps of 1 to N - 1 in the training set: never the pair itself.
        steps = torch.randint(
            1, len(state.inputs), rows.shape, generator=draws, device=draws.device
        )
        others = (rows + steps.to(rows.device)) % len(state.inputs)
        other, its_target = prepared(state, state.inputs[others], state.targets[others], draws)
        if state.lends_partner:
            real = torch.cat([real, its_target])
    params = state.negative.draw(real, draws)
    negative = state.negative.replay(real, params)[:count]
    if not both:
        return condition, negative
    mismatched = torch.cat([other, condition]) if state.lends_partner else other
    return state.negative.replay(mismatched, params)[:count], negative


def prepared(
    state: Pix2PixState, inputs: Tensor, targets: Tensor, draws: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Stored pairs as the networks take them, in [-1, 1], jittered where the run says so."""
    condition, real = to_float(inputs), to_float(targets)
    if not state.config.jitter:
        return condition, real
    smooth = state.palette is None
    if state.config.direction == "photo_to_labels":
        return jitter_pairs(condition, real, draws, smooth_labels=smooth)
    real, condition = jitter_pairs(real, condition, draws, smooth_labels=smooth)
    return condition, real


def learning_rate(step: int, config: Pix2PixConfig) -> float:
    """Constant, then falling evenly to 0 after the last step; a function of the step alone."""
    begin = config.lr_decay_from * config.steps
    if step < begin:
        return config.lr
    return config.lr * (config.steps - step) / (config.steps - begin)
