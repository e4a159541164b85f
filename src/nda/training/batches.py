"""Which samples of the training data each step of a run sees."""

from __future__ import annotations

from collections.abc import Sized
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nda.data import EpochBatches
from nda.data.reading.on_demand import OnDemand
from nda.errors import LargeBatchError
from nda.training.config import RunConfig
from nda.validators import counted

if TYPE_CHECKING:
    from lightning_fabric import Fabric


_MOST = 1 / 2  # of a card's free memory that training data may take


def beside(samples: Tensor, device: torch.device) -> Tensor:
    """The samples on a device, or where they are, if a card has no room or none holds them."""
    if isinstance(samples, OnDemand):
        return samples
    if device.type == "cuda" and samples.nbytes > _MOST * torch.cuda.mem_get_info(device)[0]:
        return samples
    return samples.to(device)


def drawn(samples: Tensor, rows: Tensor, device: torch.device) -> Tensor:
    """The samples `rows` on a device, wherever they lie."""
    found = samples[rows.to(samples.device, non_blocking=samples.is_cuda)]
    return found.to(device, non_blocking=True)


def batches_of_run(
    samples: Sized, config: RunConfig, fabric: Fabric, *, heldout: int = 0
) -> EpochBatches:
    """Batches of the samples for this process of the run: every sample once an epoch.

    Those that are decoded on demand are so ahead of the steps that take them. Raises
    `LargeBatchError` where a batch takes more; `heldout` is how many others the user gave.
    """
    try:
        return EpochBatches(
            len(samples),
            config.batch_size,
            seed=config.seed,
            rank=fabric.global_rank,
            world_size=fabric.world_size,
            announce=samples.prepare if isinstance(samples, OnDemand) else None,
        )
    except LargeBatchError as error:
        if not heldout:
            raise
        count = len(samples)
        raise LargeBatchError(
            f"{error.reason} (training takes {count} of your "
            f"{counted(count + heldout, config.samples_are.removesuffix('s'))}, and the other "
            f"{heldout} are held out)",
            error.fits,
        ) from error
