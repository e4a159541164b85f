"""Numerosity containment: a GAN that shall draw a given number of objects (paper, Appendix A).

The real images show exactly so many objects, the negatives more or fewer. The training is that of
the GAN recipe, on one folder of the data against others (gan/train.py has the step, read it first).
What is measured of it, the numbers of objects in what it draws, stands in evaluate.py, every
setting in config.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from nda.data.images.counted import counts_in
from nda.errors import ConfigError, DataError
from nda.recipes.gan import train as gan
from nda.recipes.gan.train import Batch, GanState
from nda.recipes.numerosity.config import NumerosityConfig
from nda.recipes.numerosity.counter import counts_to_learn


@dataclass
class NumerosityState:
    """The GAN that is trained, and which numbers of objects are right and wrong for it."""

    config: NumerosityConfig
    gan: GanState
    negative_counts: list[int]  # none in an ordinary GAN

    @property
    def step(self) -> int:
        return self.gan.step

    @step.setter
    def step(self, step: int) -> None:
        self.gan.step = step

    @property
    def data(self) -> str:
        return self.gan.data

    @property
    def saved(self) -> dict[str, Any]:
        return self.gan.saved

    def batch(self, step: int) -> Batch:
        return self.gan.batch(step)


def build(config: NumerosityConfig, fabric: Fabric) -> NumerosityState:
    """Find the folders of the right and of the wrong counts, and make the GAN of them."""
    present = counts_in(config.data)
    if config.right_count not in present:
        raise DataError(
            f"right_count is {config.right_count}, and {config.data} has images of "
            f"{in_words(present)} objects; give one of these with --right_count."
        )
    negatives = find_negatives(config, present) if config.negative != "none" else []
    if config.counter == "network":
        counts_to_learn(config)  # what it lacks shall show now, not after the training
    return NumerosityState(config, gan.build(config.as_gan(negatives), fabric), negatives)


def find_negatives(config: NumerosityConfig, present: list[int]) -> list[int]:
    """The counts that serve as negatives, all of which have images."""
    where = config.negative_data or config.data
    if config.negative_data:
        present = counts_in(where)
    wanted = config.wanted_counts
    if wanted is None:
        wanted = [count for count in present if count != config.right_count]
    missing = [count for count in wanted if count not in present]
    if missing:
        raise ConfigError(
            f"negative_counts is {config.negative_counts}, and {where} has images of "
            f"{in_words(present)} objects, none of {missing[0]}; leave it out of them."
        )
    if not wanted:
        raise DataError(
            f"{where} has no images of another number of objects than {config.right_count} to "
            "serve as negatives; add some, or train an ordinary GAN with --negative none."
        )
    return wanted


def in_words(counts: list[int]) -> str:
    """`4`, `4 and 5`, `4, 5 and 7`."""
    *first, last = map(str, counts)
    return f"{', '.join(first)} and {last}" if first else last


def step(state: NumerosityState, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
    """`d_steps` updates of the critic against the mixture, then one of the generator."""
    return gan.step(state.gan, batch, rng)
