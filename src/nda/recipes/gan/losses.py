"""What both networks of a GAN minimise, and what of it is logged.

Negatives enter in one of two ways. In the mixture of the paper's eq. 3 they share the loss with
generated images, so that a quarter of it is left for these. Beside it, a structure head learns
them from the discriminator's features, and the adversarial game is that of the plain GAN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from nda.objectives import adversarial
from nda.objectives.structure import structure_d, structure_g
from nda.recipes.gan.config import GanConfig

Logs = dict[str, Tensor]


@dataclass(frozen=True)
class Shown:
    """The images of one update of the discriminator, each part `(B, 3, R, R)` in [-1, 1]."""

    real: Tensor
    fake: Tensor
    negative: Tensor | None
    null: Tensor | None  # the real images, treated as the negatives were, structure kept
    labels: Tensor  # (B,), under which every part is shown


def against_mixture(
    config: GanConfig, discriminator: Any, shown: Shown, rng: torch.Generator
) -> tuple[Tensor, Logs, list[Tensor]]:
    """Eq. 3: the loss, its logs, and the one or two parts that the mixture is given as."""
    real, fake, negative = shown.real, shown.fake, shown.negative
    others, second = [fake], "d_fake"
    if negative is not None and config.mixture == "weighted":
        others = [fake, negative]
    elif negative is not None:
        others, second = [adversarial.sample_mixture(
            fake, negative, fake_weight=config.fake_weight, generator=rng
        )], "d_mixture"  # fmt: skip
    parts = [real, *others]
    if config.joint_forward:
        logits = discriminator(torch.cat(parts), shown.labels.repeat(len(parts))).split(len(real))
    else:
        logits = tuple(discriminator(part, shown.labels) for part in parts)
    loss_of_discriminator, _ = adversarial.LOSSES[config.objective]
    loss = loss_of_discriminator(*logits, fake_weight=config.fake_weight)
    names = ("d_real", second, "d_negative")
    means = {name: part.mean() for name, part in zip(names, logits, strict=False)}
    return loss, {"loss_d": loss, **means}, others


def beside_structure(
    config: GanConfig, discriminator: Any, shown: Shown
) -> tuple[Tensor, Logs, list[Tensor]]:
    """The plain GAN's loss plus μ times the structure head's; its logs; the generated images.

    Logged is also the share of nulls that the head scores above the negatives of the same images,
    or of the real images where negatives come from elsewhere.
    """
    given = [shown.real, shown.fake, shown.negative, shown.null]
    parts = [part for part in given if part is not None]
    if config.joint_forward:
        images, labels = torch.cat(parts), shown.labels.repeat(len(parts))
        of_heads = discriminator(images, labels, structure=True)
        logits, whole = (one.split(len(shown.real)) for one in of_heads)
    else:
        pairs = [discriminator(part, shown.labels, structure=True) for part in parts]
        logits, whole = zip(*pairs, strict=True)
    loss_of_discriminator, _ = adversarial.LOSSES[config.objective]
    adversarial_loss = loss_of_discriminator(*logits[:2])
    real, _, negative, *null = whole
    structure_loss = structure_d(real, negative, *null)
    logs = {
        "loss_d": adversarial_loss,
        "loss_structure": structure_loss,
        "d_real": logits[0].mean(),
        "d_fake": logits[1].mean(),
        "structure_right": ((null[0] if null else real) > negative).float().mean(),
    }
    return adversarial_loss + config.structure_head * structure_loss, logs, [shown.fake]


def loss_of_generator(
    config: GanConfig, fabric: Fabric, discriminator: Any, fake: Tensor, labels: Tensor
) -> tuple[Tensor, Logs]:
    """The adversarial loss of generated images plus, where asked for, ν times the head's."""
    _, adversarial_g = adversarial.LOSSES[config.objective]
    if not config.structure_generator:
        with fabric.autocast():
            logits = discriminator(fake, labels).float()
        loss = adversarial_g(logits)
        return loss, {"loss_g": loss}
    with fabric.autocast():
        logits, whole = discriminator(fake, labels, structure=True)
    loss, structure_loss = adversarial_g(logits.float()), structure_g(whole.float())
    logs = {"loss_g": loss, "loss_structure_g": structure_loss}
    return loss + config.structure_generator * structure_loss, logs
