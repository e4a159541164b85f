"""What an NDA-GAN is made of: its data, negatives, networks and optimizers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from nda.data import EpochBatches, ImageSet, to_float
from nda.data.images.source import Splits
from nda.data.reading.layout import class_names
from nda.errors import ConfigError, DataError
from nda.evaluation.counting.modes import refuse_no_modes
from nda.negatives import Negative, RandomApply, negative_from_name
from nda.networks.heads.structure import TwoHeads
from nda.networks.heads.third_class import ThreeClasses
from nda.objectives import shown_as_nulls
from nda.recipes.gan.config import GanConfig
from nda.recipes.gan.losses import Shown, loss_of_discriminator, loss_of_generator
from nda.recipes.gan.networks import build_networks
from nda.recipes.gan.penalties import penalties
from nda.recipes.gan.sampler import Sampler
from nda.recipes.gan.weight import Follower, scheduled_weight
from nda.recipes.matched import refuse_traceless
from nda.recipes.sources import image_source
from nda.runtime.seeding import generator_for
from nda.training.batches import batches_of_run, beside, drawn
from nda.training.ema import Ema

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Batch = tuple[Tensor, Tensor]  # uint8 images (B, 3, R, R) and their labels (B,)


@dataclass
class GanState:
    """Everything that is trained, and what it is trained with."""

    config: GanConfig
    fabric: Fabric
    splits: Splits
    data: str  # fingerprint of all images that are trained with
    other: Tensor | None  # real images that serve as negatives, uint8 (M, 3, R, R)
    generator: Any  # the networks as Fabric runs them; `.module` is the plain network
    discriminator: Any
    optimizer_g: Any
    optimizer_d: Any
    ema: Ema
    negative: Negative | None
    positive: nn.Module | None
    batches: EpochBatches
    images: Tensor  # the training images on the device, uint8 (N, 3, R, R)
    labels: Tensor  # their classes (N,), all 0 in an unconditional GAN
    follower: Follower | None  # sets λ, where that follows what is seen
    step: int = 0

    @property
    def told(self) -> list[str]:
        """What whoever begins the run should know of its data."""
        return self.splits.train.told

    @property
    def saved(self) -> dict[str, Any]:
        parts = {
            "generator": self.generator.module,
            **parts_of(self.discriminator.module),
            "optimizer_g": self.optimizer_g,
            "optimizer_d": self.optimizer_d,
            "ema": self.ema,
        }
        return parts | ({"fake_weight": self.follower} if self.follower else {})

    @property
    def fake_weight(self) -> float | Tensor:
        """λ at this moment."""
        return self.follower.weight if self.follower else scheduled_weight(self.config, self.step)

    def batch(self, step: int) -> Batch:
        """Fresh images for every update of the discriminator within the step."""
        updates = range(step * self.config.d_steps, (step + 1) * self.config.d_steps)
        rows = torch.cat([self.batches.indices(update) for update in updates])
        device = self.fabric.device
        return drawn(self.images, rows, device), drawn(self.labels, rows, device)

    @property
    def sampler(self) -> Sampler:
        """Draws images, with labels as frequent as in the training data."""
        return Sampler(self.ema.module, self.config.latent_dim, self.labels, self.config.seed)


def build(config: GanConfig, fabric: Fabric) -> GanState:
    """Load the data, make the networks from the seed and hand them to Fabric."""
    splits = load_training_data(config)
    if config.count_modes:
        for images in (splits.train, splits.heldout):
            refuse_no_modes(images)
    other = load_negative_data(config, splits.train)
    first = splits.train.images[: config.batch_size]
    generator, discriminator = build_networks(config, splits.train)
    ema = Ema(generator, decay=config.ema_decay, start=config.ema_start)
    ema.module.to(fabric.device)
    run_g, optimizer_g = set_up(generator, config.lr_g, config, fabric)
    run_d, optimizer_d = set_up(discriminator, config.lr_d, config, fabric)
    return GanState(
        config=config,
        fabric=fabric,
        splits=splits,
        data=splits.train.fingerprint + (other.fingerprint if other else ""),
        other=beside(other.images, fabric.device) if other else None,
        generator=run_g,
        discriminator=run_d,
        optimizer_g=optimizer_g,
        optimizer_d=optimizer_d,
        ema=ema,
        negative=transform_of(config, first),
        positive=positive_of(config, first),
        batches=batches_of_run(splits.train.images, config, fabric, heldout=len(splits.heldout)),
        images=beside(splits.train.images, fabric.device),
        labels=(splits.train.labels * config.conditional).to(fabric.device),
        follower=Follower(config.batch_size, fabric)
        if config.fake_weight_schedule == "follow"
        else None,
    )


def parts_of(discriminator: nn.Module) -> dict[str, nn.Module]:
    """The discriminator as every run has it, and what stands beside it under another name."""
    if isinstance(discriminator, TwoHeads):
        return {"discriminator": discriminator.discriminator, "structure_head": discriminator.head}
    if isinstance(discriminator, ThreeClasses):
        return {
            "discriminator": discriminator.discriminator,
            "negative_class": discriminator.negative,
        }
    return {"discriminator": discriminator}


def set_up(network: nn.Module, lr: float, config: GanConfig, fabric: Fabric) -> tuple[Any, Any]:
    """The network and its Adam as Fabric runs them."""
    optimizer = torch.optim.Adam(
        network.parameters(), lr=lr, betas=(config.beta1, config.beta2), eps=config.eps
    )
    if config.compile:
        network.compile()
    return fabric.setup(network, optimizer)


def load_training_data(config: GanConfig) -> Splits:
    """The images to train on and those held out, at least 2 of which are measured with."""
    splits = image_source(config).splits(config.holdout)
    if len(splits.heldout) < 2:
        raise DataError(
            f"{config.data} leaves {len(splits.heldout)} image held out, and measuring needs 2; "
            "give a larger --holdout, or more data."
        )
    return splits


def load_negative_data(config: GanConfig, train: ImageSet) -> ImageSet | None:
    """The second data source, at the size of the first."""
    if config.negative != "data":
        return None
    source = replace(
        image_source(config),
        path=config.negative_data or config.data,
        resolution=train.images.shape[-1],
        classes=class_names(config.negative_classes),
    )
    other = source.load()
    if not config.negative_data and set(other.classes) & set(train.classes):
        raise ConfigError(
            f"Class {min(set(other.classes) & set(train.classes))} is both data and negative; "
            "give --classes and --negative_classes that have none in common."
        )
    return other


def transform_of(config: GanConfig, images: Tensor) -> Negative | None:
    """The transform that makes negatives, if the run has one; refuses images it cannot take."""
    if config.negative in ("none", "data"):
        return None
    negative = negative_from_name(config.negative)
    negative.check(images)
    refuse_traceless(
        config, negative, to_float(images), generator_for(config.seed, purpose="trace")
    )
    return negative


def positive_of(config: GanConfig, images: Tensor) -> RandomApply | None:
    """The transform that serves as ordinary augmentation, likewise."""
    if config.positives in (None, "none"):
        return None
    transform = negative_from_name(config.positives)
    transform.check(images)
    return RandomApply(transform, p=config.positive_probability)


def step(state: GanState, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
    """`d_steps` updates of the discriminator, each on its own images, then one of the generator."""
    size = state.config.batch_size
    logs: dict[str, Tensor] = {}
    for images, labels in zip(*(part.unflatten(0, (-1, size)) for part in batch), strict=True):
        logs = update_discriminator(state, to_float(images), labels, rng)
    logs |= update_generator(state, rng)
    state.ema.update(state.generator.module, state.step + 1)
    return logs


def update_discriminator(
    state: GanState, real: Tensor, labels: Tensor, rng: torch.Generator
) -> dict[str, Tensor]:
    """The discriminator's side, by the objective, and the penalties on its slopes."""
    config = state.config
    real = augmented(state, real, rng)
    with torch.no_grad():
        fake = state.generator(state.sampler.draw_latents(len(real), rng), labels)
        negative, null = make_negatives(state, real, rng)
        if config.matched == "shown" and null is not None:
            share = config.matched_probability
            real, null = shown_as_nulls(real, null, probability=share, generator=rng), None

    shown, weight = Shown(real, fake, negative, null, labels), state.fake_weight
    loss, logs, others = loss_of_discriminator(
        config, state.discriminator, shown, weight, state.follower, rng
    )
    if config.fake_weight_schedule != "constant":
        logs["fake_weight"] = torch.as_tensor(weight, device=state.fabric.device)
    if state.follower is not None:
        logs |= state.follower.logs
    penalty, more = penalties(config, state.discriminator, shown, others, weight, rng)
    loss, logs = loss + penalty, logs | more
    state.optimizer_d.zero_grad()
    state.fabric.backward(loss)
    state.optimizer_d.step()
    return logs


def update_generator(state: GanState, rng: torch.Generator) -> dict[str, Tensor]:
    """The generator's side: it sees no negatives, but a structure head may judge its images.

    A relativistic objective holds them against real images of the same classes, shown alike.
    """
    # The plain network: its own gradients are not wanted, so processes need not exchange them.
    discriminator = state.discriminator.module.requires_grad_(False)
    config, count = state.config, state.config.batch_size
    rows = torch.randint(len(state.labels), (count,), generator=rng, device=state.labels.device)
    labels = state.labels[rows]
    fake = state.generator(state.sampler.draw_latents(count, rng), labels)
    real = None
    if config.objective == "relativistic":
        some = to_float(drawn(state.images, rows, rows.device))
        real = as_shown(state, augmented(state, some, rng), rng)
    loss, logs = loss_of_generator(
        config, state.fabric, discriminator, fake, labels, weight=state.fake_weight, real=real
    )
    state.optimizer_g.zero_grad()
    state.fabric.backward(loss)
    state.optimizer_g.step()
    discriminator.requires_grad_(True)
    return logs


def augmented(state: GanState, real: Tensor, rng: torch.Generator) -> Tensor:
    """Real images as both networks are shown them."""
    if state.positive is None:
        return real
    changed: Tensor = state.positive(real, generator=rng)
    return changed


def as_shown(state: GanState, real: Tensor, rng: torch.Generator) -> Tensor:
    """Real images, some of them as their nulls where the discriminator sees them so."""
    if state.config.matched != "shown":
        return real
    _, null = make_negatives(state, real, rng)
    assert null is not None  # see check_matched
    return shown_as_nulls(real, null, probability=state.config.matched_probability, generator=rng)


def make_negatives(
    state: GanState, real: Tensor, rng: torch.Generator
) -> tuple[Tensor | None, Tensor | None]:
    """Negatives of a batch, shown under the labels of `real`, and where they are used their nulls.

    None in place of both in an ordinary GAN; images from elsewhere are of no image here, and have
    no nulls.
    """
    if state.other is not None:
        rows = torch.randint(len(state.other), (len(real),), generator=rng, device=real.device)
        return to_float(drawn(state.other, rows, real.device)), None
    if state.negative is None:
        return None, None
    params = state.negative.draw(real, rng)
    wanted = state.config.structure_head or state.config.matched != "none"
    null = state.negative.null(real, params) if wanted else None
    return state.negative.replay(real, params), null
