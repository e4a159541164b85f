"""Which samples of the training data each step of a run sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nda.data import EpochBatches
from nda.errors import LargeBatchError
from nda.training.config import RunConfig
from nda.validators import counted

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def batches_of_run(
    count: int, config: RunConfig, fabric: Fabric, *, heldout: int = 0
) -> EpochBatches:
    """Batches of `count` samples for this process of the run: every sample once an epoch.

    Raises `LargeBatchError` where a batch takes more; `heldout` is how many others the user gave.
    """
    try:
        return EpochBatches(
            count,
            config.batch_size,
            seed=config.seed,
            rank=fabric.global_rank,
            world_size=fabric.world_size,
        )
    except LargeBatchError as error:
        if not heldout:
            raise
        raise LargeBatchError(
            f"{error.reason} (training takes {count} of your "
            f"{counted(count + heldout, config.samples_are.removesuffix('s'))}, and the other "
            f"{heldout} are held out)",
            error.fits,
        ) from error
