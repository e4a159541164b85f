"""What both networks of a GAN minimise, and what of it is logged.

Negatives enter in one of four ways. In the mixture of the paper's eq. 3 they share the loss with
generated images. Beside it, a structure head learns them from the discriminator's features; or they
are a third class of it; or each is held against the image that it was made of. In these three the
adversarial game is that of the plain GAN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nda.objectives import adversarial
from nda.objectives.matched import consistency
from nda.objectives.relativistic import relativistic_d, relativistic_g
from nda.objectives.structure import structure_d, structure_g
from nda.objectives.three_class import no_negative, three_class_d
from nda.recipes.gan.config import GanConfig
from nda.recipes.gan.weight import Follower

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Logs = dict[str, Tensor]
Learned = tuple[Tensor, Logs, list[Tensor]]  # the loss, its logs, what real images are held against

# Losses of the discriminator and of the generator, by their name in the settings.
LOSSES: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor]]] = {
    **adversarial.LOSSES,
    "prior_corrected": (adversarial.logistic_d, adversarial.prior_corrected_g),
    # Real against generated is one output of the network: of it, `three_class_g` is `logistic_g`.
    "three_class": (three_class_d, adversarial.logistic_g),
    "relativistic": (relativistic_d, relativistic_g),
}


@dataclass(frozen=True)
class Shown:
    """The images of one update of the discriminator, each part `(B, 3, R, R)` in [-1, 1]."""

    real: Tensor
    fake: Tensor
    negative: Tensor | None
    null: Tensor | None  # the real images, treated as the negatives were, structure kept
    labels: Tensor  # (B,), under which every part is shown

    @property
    def parts(self) -> list[Tensor]:
        """Those that there are, in this order."""
        given = (self.real, self.fake, self.negative, self.null)
        return [part for part in given if part is not None]


def loss_of_discriminator(
    config: GanConfig,
    discriminator: Any,
    shown: Shown,
    weight: float | Tensor,
    follower: Follower | None,
    rng: torch.Generator,
) -> Learned:
    """The loss of one update, its logs, and the one or two parts that real images are held against.

    `weight` is λ; a `follower` is told what was seen.
    """
    if config.structure_head:
        return beside_structure(config, discriminator, shown)
    if config.objective == "three_class":
        return of_three_classes(config, discriminator, shown)
    if config.objective == "relativistic":
        return of_pairs(config, discriminator, shown)
    return against_mixture(config, discriminator, shown, weight, follower, rng)


def against_mixture(
    config: GanConfig,
    discriminator: Any,
    shown: Shown,
    weight: float | Tensor,
    follower: Follower | None,
    rng: torch.Generator,
) -> Learned:
    """Eq. 3; where there are nulls, real images and these are held to the same output."""
    real, fake, negative = shown.real, shown.fake, shown.negative
    others, second = [fake], "d_fake"
    if negative is not None and config.mixture == "weighted":
        others = [fake, negative]
    elif negative is not None:
        others, second = [adversarial.sample_mixture(
            fake, negative, fake_weight=weight, generator=rng
        )], "d_mixture"  # fmt: skip
    held = [] if shown.null is None else [shown.null]
    logits = outputs_of(config, discriminator, [real, *others, *held], shown.labels)
    compared = logits[: 1 + len(others)]
    loss_d, _ = LOSSES[config.objective]
    loss = loss_d(*compared, fake_weight=weight)
    if follower is not None:
        follower.see(*compared)
    names = ("d_real", second, "d_negative")
    logs = {name: part.mean() for name, part in zip(names, compared, strict=False)}
    logs = {"loss_d": loss, **logs}
    if held:
        loss = loss + held_alike(config, logits[0], logits[-1], logs)
    return loss, logs, others


def held_alike(config: GanConfig, of_real: Tensor, of_null: Tensor, logs: Logs) -> Tensor:
    """What it costs that images and their nulls get unlike outputs `(B,)`; logged, too."""
    logs["loss_matched"] = consistency(of_real, of_null)
    return config.matched_weight * logs["loss_matched"]


def of_three_classes(config: GanConfig, discriminator: Any, shown: Shown) -> Learned:
    """Cross entropy of three classes; of outputs, real against generated is logged.

    Beside it the share of images that are less of a negative than their own one. Where there are
    nulls, images and these are held to be as little of a negative; the generator's game, real
    against generated, knows no nulls.
    """
    logits = outputs_of(config, discriminator, shown.parts, shown.labels, classes=True)
    real, fake, negative, *null = logits
    loss = three_class_d(real, fake, negative, negative_weight=config.negative_weight)
    means = {
        name: (part[:, 0] - part[:, 1]).mean()
        for name, part in zip(("d_real", "d_fake", "d_negative"), logits, strict=False)
    }
    right = (no_negative(real) > no_negative(negative)).float().mean()
    logs = {"loss_d": loss, **means, "right_negative": right}
    if null:
        loss = loss + held_alike(config, no_negative(real), no_negative(null[0]), logs)
    return loss, logs, [shown.fake]


def of_pairs(config: GanConfig, discriminator: Any, shown: Shown) -> Learned:
    """Each image against a generated one and against its own negative; as high as its null."""
    logits = outputs_of(config, discriminator, shown.parts, shown.labels)
    compared = logits[:3]
    loss = relativistic_d(*compared, negative_weight=config.negative_weight)
    names = ("d_real", "d_fake", "d_negative")
    logs = {"loss_d": loss}
    logs |= {name: part.mean() for name, part in zip(names, compared, strict=False)}
    if shown.null is not None:
        loss = loss + held_alike(config, logits[0], logits[-1], logs)
    return loss, logs, [shown.fake]


def beside_structure(config: GanConfig, discriminator: Any, shown: Shown) -> Learned:
    """The plain GAN's loss plus μ times the structure head's.

    Logged is also the share of nulls that the head scores above the negatives of the same images,
    or of the real images where negatives come from elsewhere.
    """
    parts = shown.parts
    if config.joint_forward:
        images, labels = torch.cat(parts), shown.labels.repeat(len(parts))
        of_heads = discriminator(images, labels, structure=True)
        logits, whole = (one.split(len(shown.real)) for one in of_heads)
    else:
        pairs = [discriminator(part, shown.labels, structure=True) for part in parts]
        logits, whole = zip(*pairs, strict=True)
    loss_d, _ = LOSSES[config.objective]
    adversarial_loss = loss_d(*logits[:2])
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


def outputs_of(
    config: GanConfig, discriminator: Any, parts: list[Tensor], labels: Tensor, **asked: bool
) -> tuple[Tensor, ...]:
    """What the discriminator gives for each part, in one forward or one a part."""
    if not config.joint_forward:
        return tuple(discriminator(part, labels, **asked) for part in parts)
    together = discriminator(torch.cat(parts), labels.repeat(len(parts)), **asked)
    parted: tuple[Tensor, ...] = together.split(len(labels))
    return parted


def loss_of_generator(
    config: GanConfig,
    fabric: Fabric,
    discriminator: Any,
    fake: Tensor,
    labels: Tensor,
    *,
    weight: float | Tensor,
    real: Tensor | None,
) -> tuple[Tensor, Logs]:
    """The adversarial loss of generated images plus, where asked for, ν times the head's.

    `weight` is λ; `real` are images to hold them against, one each, if the objective does that.
    """
    asked = {"structure": True} if config.structure_generator else {}
    with fabric.autocast():
        outputs = discriminator(fake, labels, **asked)
        with torch.no_grad():
            of_real = None if real is None else discriminator(real, labels).float()
    logits, whole = outputs if config.structure_generator else (outputs, None)
    _, loss_g = LOSSES[config.objective]
    beside: dict[str, Any] = {} if of_real is None else {"real": of_real}
    if config.objective == "prior_corrected":
        beside = {"fake_weight": weight}
    loss = loss_g(logits.float(), **beside)
    if whole is None:
        return loss, {"loss_g": loss}
    structure_loss = structure_g(whole.float())
    logs = {"loss_g": loss, "loss_structure_g": structure_loss}
    return loss + config.structure_generator * structure_loss, logs
