"""Gathering over two processes: DPC's loss and gradients are those of one with all clips."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from nda.objectives.dense_predictive import dense_predictive
from nda.runtime.distributed import all_gather

SHAPE = (4, 2, 5, 2, 2)  # all clips: B, P, D, h, w
PATIENCE = 240  # seconds
Source = Literal["own", "all"]
SOURCES: tuple[Source, ...] = ("own", "all")


def inputs() -> list[Tensor]:
    """Predicted, target and negative cells of all clips, before the layer that is learned."""
    rng = torch.Generator().manual_seed(0)
    return [torch.randn(*SHAPE, generator=rng) for _ in range(3)]


def learned(
    parts: list[Tensor],
    source: Source,
    rank: int = 0,
    gather: Callable[[Tensor], Tensor] = all_gather,
) -> tuple[Tensor, Tensor]:
    """The recipe's way from cells to the loss; a layer (D, D) stands for the network."""
    layer = torch.eye(5).requires_grad_()
    predicted, target, negative = (torch.einsum("bpdhw,de->bpehw", x, layer) for x in parts)
    if source == "all":
        negative = gather(negative)
    first = rank * len(predicted)
    loss = dense_predictive(predicted, gather(target), negative, negatives_from=source, first=first)
    loss.backward()
    assert layer.grad is not None
    return loss.detach(), layer.grad


def work(rank: int, folder: str) -> None:
    """One of two processes, with half of the clips; leaves its losses and gradients."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=2)
    half = [x[2 * rank : 2 * rank + 2] for x in inputs()]
    for source in SOURCES:
        torch.save(learned(half, source, rank), Path(folder) / f"{source}-{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_learn_what_one_would(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work, args=(rank, str(tmp_path))) for rank in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
    assert [process.exitcode for process in processes] == [0, 0]
    for source in SOURCES:
        loss, gradient = learned(inputs(), source)
        found = [torch.load(tmp_path / f"{source}-{rank}.pt") for rank in (0, 1)]
        torch.testing.assert_close((found[0][0] + found[1][0]) / 2, loss)
        # DistributedDataParallel averages the gradients of the processes.
        torch.testing.assert_close((found[0][1] + found[1][1]) / 2, gradient)


def test_one_process_has_all_there_is() -> None:
    x = torch.ones(2, 3)
    assert all_gather(x) is x
