"""What NDA-Pix2Pix is made of: its pairs, negatives, networks and optimizers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor

from nda.data import EpochBatches, to_float
from nda.data.pairs.jitter import jitter_pairs
from nda.data.pairs.load import Pairs, PairSource, PairSplits, load_pairs
from nda.data.pairs.palette import Palette, load_palette
from nda.errors import ShapeError
from nda.negatives import Negative, negative_from_name
from nda.networks.pix2pix import Generator, PatchDiscriminator
from nda.objectives import adversarial, gradient_penalty
from nda.recipes.pix2pix.config import Pix2PixConfig
from nda.runtime.notes import tell
from nda.training.batches import batches_of_run

Batch = tuple[Tensor, Tensor, Tensor]  # rows (B,), inputs and targets uint8 (B, 3, R, R)


@dataclass
class Pix2PixState:
    """Everything that is trained, and what it is trained with."""

    config: Pix2PixConfig
    fabric: Fabric
    splits: PairSplits
    palette: Palette | None
    data: str  # fingerprint of the pairs and their palette
    generator: Any  # the networks as Fabric runs them; `.module` is the plain network
    discriminator: Any
    optimizer_g: Any
    optimizer_d: Any
    negative: Negative | None
    lends_partner: bool  # whether a batch is too small for the negative to mix its images
    batches: EpochBatches
    inputs: Tensor  # of the training pairs, on the device, uint8 (N, 3, R, R)
    targets: Tensor
    step: int = 0

    @property
    def saved(self) -> dict[str, Any]:
        return {
            "generator": self.generator.module,
            "discriminator": self.discriminator.module,
            "optimizer_g": self.optimizer_g,
            "optimizer_d": self.optimizer_d,
        }

    def batch(self, step: int) -> Batch:
        rows = self.batches.indices(step).to(self.inputs.device, non_blocking=True)
        return rows, self.inputs[rows], self.targets[rows]


def build(config: Pix2PixConfig, fabric: Fabric) -> Pix2PixState:
    """Load the pairs, make the networks from the seed and hand them to Fabric."""
    palette = load_palette(str(config.palette)) if config.palette != "none" else None
    splits = load_training_pairs(config, palette)
    if fabric.is_global_zero:
        for note in remarks(splits):
            tell(note)
    inputs, targets = directed(splits.train, config)
    negative, lends_partner = negative_of(config, targets)
    torch.manual_seed(config.seed)
    rng = Generator(int(config.resolution or 0), width=config.width, norm=config.norm)
    discriminator = PatchDiscriminator(width=config.width, norm=config.norm, patch=config.patch)
    run_g, optimizer_g = set_up(rng, config, fabric)
    run_d, optimizer_d = set_up(discriminator, config, fabric)
    return Pix2PixState(
        config=config,
        fabric=fabric,
        splits=splits,
        palette=palette,
        data=fingerprint(splits, palette),
        generator=run_g,
        discriminator=run_d,
        optimizer_g=optimizer_g,
        optimizer_d=optimizer_d,
        negative=negative,
        lends_partner=lends_partner,
        batches=batches_of_run(splits.train, config, fabric, heldout=len(splits.heldout)),
        inputs=inputs.to(fabric.device),
        targets=targets.to(fabric.device),
    )


def load_training_pairs(config: Pix2PixConfig, palette: Palette | None) -> PairSplits:
    source = PairSource(
        config.data,
        config.inputs,
        config.targets,
        config.target_data,
        config.side_by_side,
        palette,
        config.palette_tolerance,
    )
    return load_pairs(
        source,
        resolution=int(config.resolution or 0),
        holdout=config.holdout,
        skip_broken=config.skip_broken,
        bit_depth=config.bit_depth,
    )


def remarks(splits: PairSplits) -> list[str]:
    """What a reader of the run's figures must know of its pairs, a sentence each."""
    noted = (("training pairs", splits.train), (splits.heldout_name, splits.heldout))
    return [splits.taken, *(f"{where}: {note}" for where, pairs in noted for note in pairs.notes)]


def directed(pairs: Pairs, config: Pix2PixConfig) -> tuple[Tensor, Tensor]:
    """What is translated, and into what: uint8 `(N, 3, R, R)` each."""
    if config.direction == "photo_to_labels":
        return pairs.photos, pairs.labels
    return pairs.labels, pairs.photos


def negative_of(config: Pix2PixConfig, targets: Tensor) -> tuple[Negative | None, bool]:
    """The negative, and whether a lone target needs another one beside it to be mixed with.

    Refuses targets that the negative cannot be made of.
    """
    if config.negative == "none":
        return None, False
    negative = negative_from_name(config.negative)
    negative.check(targets[:2])
    try:
        negative.check(targets[: config.batch_size])
    except ShapeError:
        return negative, True
    return negative, False


def set_up(
    network: Generator | PatchDiscriminator, config: Pix2PixConfig, fabric: Fabric
) -> tuple[Any, Any]:
    """The network and its Adam as Fabric runs them."""
    betas = (config.beta1, config.beta2)
    # Fused: a tenth less time a step on a processor, where small networks wait for the optimizer.
    adam = torch.optim.Adam(network.parameters(), lr=config.lr, betas=betas, fused=True)
    if config.compile:
        network.compile()
    return fabric.setup(network, adam)


def fingerprint(splits: PairSplits, palette: Palette | None) -> str:
    """Digest of the pairs that are trained on, and of what their colours mean."""
    text = splits.train.fingerprint + repr(palette)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def step(state: Pix2PixState, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
    """One update of the discriminator, then one of the generator on the same translations."""
    for optimizer in (state.optimizer_g, state.optimizer_d):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(state.step, state.config)
    rows, *images = batch
    condition, real = prepared(state, images[0], images[1], rng)
    fake = state.generator(condition)
    pairs = [(condition, real), (condition, fake.detach())]
    if state.negative is not None:
        pairs.append(make_negatives(state, rows, condition, real, rng))
    logs = update_discriminator(state, pairs, rng)
    return logs | update_generator(state, condition, real, fake)


def update_discriminator(
    state: Pix2PixState, pairs: Sequence[tuple[Tensor, Tensor]], rng: torch.Generator
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
            lambda images: critic(condition, images), real, fake, generator=rng
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
    rng: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Negative pairs: the targets made negative, their inputs kept.

    With `negative_pair` "both" the input is that of another pair of the training set, made negative
    by the same draw. Where a batch is too small for images to be mixed, another target serves.
    """
    assert state.negative is not None
    count, both = len(real), state.config.negative_pair == "both"
    if both or state.lends_partner:
        # Steps of 1 to N - 1 in the training set: never the pair itself.
        steps = torch.randint(1, len(state.inputs), rows.shape, generator=rng, device=rng.device)
        others = (rows + steps.to(rows.device)) % len(state.inputs)
        other, its_target = prepared(state, state.inputs[others], state.targets[others], rng)
        if state.lends_partner:
            real = torch.cat([real, its_target])
    params = state.negative.draw(real, rng)
    negative = state.negative.replay(real, params)[:count]
    if not both:
        return condition, negative
    mismatched = torch.cat([other, condition]) if state.lends_partner else other
    return state.negative.replay(mismatched, params)[:count], negative


def prepared(
    state: Pix2PixState, inputs: Tensor, targets: Tensor, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Stored pairs as the networks take them, in [-1, 1], jittered where the run says so."""
    condition, real = to_float(inputs), to_float(targets)
    if not state.config.jitter:
        return condition, real
    smooth = state.palette is None
    if state.config.direction == "photo_to_labels":
        return jitter_pairs(condition, real, rng, smooth_labels=smooth)
    real, condition = jitter_pairs(real, condition, rng, smooth_labels=smooth)
    return condition, real


def learning_rate(step: int, config: Pix2PixConfig) -> float:
    """Constant, then falling evenly to 0 after the last step; a function of the step alone."""
    begin = config.lr_decay_from * config.steps
    if step < begin:
        return config.lr
    return config.lr * (config.steps - step) / (config.steps - begin)
