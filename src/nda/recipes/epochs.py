"""Which samples of the training data each step of a run sees."""

from __future__ import annotations

from lightning_fabric import Fabric

from nda.data import EpochBatches
from nda.training.config import RunConfig


def batches_of_run(count: int, config: RunConfig, fabric: Fabric) -> EpochBatches:
    """Batches of `count` samples for this process of the run: every sample once an epoch."""
    return EpochBatches(
        count,
        config.batch_size,
        seed=config.seed,
        rank=fabric.global_rank,
        world_size=fabric.world_size,
    )
