"""NDA-GAN: a GAN whose discriminator also learns what the data is not (paper, section 3, eq. 3).

This file is one step of training; what is trained stands in gan_build.py, what is measured of it
in gan_evaluation.py, and every setting in gan_config.py.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nda.data import to_float
from nda.objectives import adversarial, gradient_penalty
from nda.recipes.gan.evaluate import draw_samples, evaluate
from nda.recipes.gan.train import Batch, GanState, build

__all__ = ["build", "draw_samples", "evaluate", "step"]


def step(state: GanState, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
    """`d_steps` updates of the discriminator, each on its own images, then one of the generator."""
    size = state.config.batch_size
    logs: dict[str, Tensor] = {}
    for images, labels in zip(*(part.unflatten(0, (-1, size)) for part in batch), strict=True):
        logs = update_discriminator(state, to_float(images), labels, generator)
    logs |= update_generator(state, generator)
    state.ema.update(state.generator.module, state.step + 1)
    return logs


def update_discriminator(
    state: GanState, real: Tensor, labels: Tensor, draws: torch.Generator
) -> dict[str, Tensor]:
    """Eq. 3, the discriminator's side: real images against generated ones and negatives."""
    config, discriminator = state.config, state.discriminator
    if state.positive is not None:
        real = state.positive(real, generator=draws)
    with torch.no_grad():
        fake = state.generator(state.sampler.draw_latents(len(real), draws), labels)
        negative = make_negatives(state, real, draws)

    parts = [real, fake]
    if negative is not None and config.mixture == "weighted":
        parts = [real, fake, negative]
    elif negative is not None:
        mixed = adversarial.sample_mixture(
            fake, negative, fake_weight=config.fake_weight, generator=draws
        )
        parts = [real, mixed]
    if config.joint_forward:
        logits = discriminator(torch.cat(parts), labels.repeat(len(parts))).split(len(real))
    else:
        logits = tuple(discriminator(part, labels) for part in parts)

    loss_of_discriminator, _ = adversarial.LOSSES[config.objective]
    loss = loss_of_discriminator(*logits, fake_weight=config.fake_weight)
    logs = {"loss_d": loss}
    if config.gradient_penalty:
        penalty = penalty_between(state, parts, labels, draws)
        loss = loss + config.gradient_penalty * penalty
        logs["gradient_penalty"] = penalty
    state.optimizer_d.zero_grad()
    state.fabric.backward(loss)
    state.optimizer_d.step()
    second = "d_mixture" if negative is not None and len(parts) == 2 else "d_fake"
    names = ("d_real", second, "d_negative")
    return logs | {name: part.mean() for name, part in zip(names, logits, strict=False)}


def penalty_between(
    state: GanState, parts: list[Tensor], labels: Tensor, draws: torch.Generator
) -> Tensor:
    """The gradient penalty between real images and the mixture, the first and the other parts.

    The mixture is what the critic compares with the data, so its slope matters on the way from one
    to the other. Where its two parts are weighted, each image's partner is drawn: a generated image
    with probability λ, else a negative. That costs no more than the penalty of an ordinary GAN.
    """
    real, other = parts[:2]
    if len(parts) == 3:
        other = adversarial.sample_mixture(
            *parts[1:], fake_weight=state.config.fake_weight, generator=draws
        )
    critic = state.discriminator.module.forward  # plain: see gradient_penalty
    return gradient_penalty(lambda images: critic(images, labels), real, other, generator=draws)


def update_generator(state: GanState, draws: torch.Generator) -> dict[str, Tensor]:
    """Eq. 3, the generator's side: it sees no negatives."""
    # The plain network: its own gradients are not wanted, so processes need not exchange them.
    discriminator = state.discriminator.module.requires_grad_(False)
    count = state.config.batch_size
    labels = state.sampler.draw_labels(count, draws)
    fake = state.generator(state.sampler.draw_latents(count, draws), labels)
    with state.fabric.autocast():
        logits = discriminator(fake, labels).float()
    _, loss_of_generator = adversarial.LOSSES[state.config.objective]
    loss = loss_of_generator(logits)
    state.optimizer_g.zero_grad()
    state.fabric.backward(loss)
    state.optimizer_g.step()
    discriminator.requires_grad_(True)
    return {"loss_g": loss}


def make_negatives(state: GanState, real: Tensor, draws: torch.Generator) -> Tensor | None:
    """Negatives of a batch, shown under the labels of `real`; None in an ordinary GAN."""
    if state.other is not None:
        rows = torch.randint(len(state.other), (len(real),), generator=draws, device=real.device)
        return to_float(state.other[rows])
    return None if state.negative is None else state.negative(real, generator=draws)
