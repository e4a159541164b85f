"""What NDA-Pix2Pix is made of: its pairs, negatives, networks and optimizers."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from nda.data import EpochBatches
from nda.data.pairs.load import Pairs, PairSource, PairSplits, load_pairs
from nda.data.pairs.palette import Palette, load_palette
from nda.errors import ShapeError
from nda.negatives import Negative, negative_from_name
from nda.networks.pix2pix import Generator, PatchDiscriminator
from nda.recipes.pix2pix.config import Pix2PixConfig
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
            print(f"nda: {note}", file=sys.stderr)
    inputs, targets = directed(splits.train, config)
    negative, lends_partner = negative_of(config, targets)
    torch.manual_seed(config.seed)
    generator = Generator(int(config.resolution or 0), width=config.width, norm=config.norm)
    discriminator = PatchDiscriminator(width=config.width, norm=config.norm, patch=config.patch)
    run_g, optimizer_g = set_up(generator, config, fabric)
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
        batches=batches_of_run(len(splits.train), config, fabric, heldout=len(splits.heldout)),
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
    return [
        f"{where}: {note}"
        for where, pairs in (
            ("training pairs", splits.train),
            (splits.heldout_name, splits.heldout),
        )
        for note in pairs.notes
    ]


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
