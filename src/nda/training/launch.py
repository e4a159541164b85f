"""From settings to processes and devices, on Lightning Fabric."""

from __future__ import annotations

import inspect
import os
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch.nn.parallel import DistributedDataParallel

from nda.errors import DeviceError
from nda.runtime.devices import choose_device
from nda.training.config import RunConfig
from nda.training.watch import watch_children, watch_parent
from nda.validators import counted

# torch 2.13 gave the option another name.
_RENAMED = "forward_sync_buffers" in inspect.signature(DistributedDataParallel).parameters

_OWN_BUFFERS: dict[str, Any] = {"forward_sync_buffers" if _RENAMED else "broadcast_buffers": False}

# What starts processes: a variable that tells it, one with their number, its words for both counts.
_STARTERS = {
    "torchrun": ("TORCHELASTIC_RUN_ID", "WORLD_SIZE", "--nproc_per_node", "--nnodes"),
    "srun": ("SLURM_PROCID", "SLURM_NTASKS", "--ntasks-per-node", "--nodes"),
}


def launch(config: RunConfig) -> Fabric:
    """A launched Fabric for the device, the precision and the number of processes asked for.

    With several devices this process becomes the first one and starts the others. Raises
    `DeviceError` where a device is asked for and absent.
    """
    device = choose_device(config.device)
    one_card = ":" in config.device
    if one_card and config.processes > 1:
        raise DeviceError(
            f"--device {config.device} is a single card; give --device cuda with "
            f"--devices {config.devices} and --num_nodes {config.num_nodes}."
        )
    if config.precision == "16-mixed" and device.type != "cuda":
        raise DeviceError(
            f"--precision 16-mixed needs a CUDA device, not {device.type}; give bf16-mixed or "
            "32-true."
        )
    if device.type == "cuda" and config.devices > torch.cuda.device_count():
        raise DeviceError(
            f"--devices {config.devices} were asked for and {torch.cuda.device_count()} CUDA "
            "devices are here; lower --devices."
        )
    _refuse_misfit(config)
    fabric = Fabric(
        accelerator=device.type,
        devices=[device.index] if one_card else config.devices,
        num_nodes=config.num_nodes,
        # Spectral and batch norm keep buffers; each process keeps its own, so that two forwards
        # before one backward (real, then fake) stay valid.
        strategy=DDPStrategy(**_OWN_BUFFERS) if config.processes > 1 else "auto",
        precision=config.precision,
    )
    if config.processes > 1:
        go_on = f"If a checkpoint was written, go on from it with: nda resume {config.out}"
        processes = getattr(fabric.strategy.launcher, "procs", None)  # those that this one starts
        if os.environ.get("LOCAL_RANK", "0") != "0":
            watch_parent(go_on)
        elif processes is not None:
            watch_children(processes, go_on)
    fabric.launch()
    return fabric


def _refuse_misfit(config: RunConfig) -> None:
    """Refuse settings that what starts the processes does not fit: they would wait forever."""
    tasks = int(os.environ.get("SLURM_NTASKS", "1"))
    if tasks > 1 and "SLURM_NTASKS_PER_NODE" not in os.environ:  # Fabric takes no other way
        raise DeviceError(
            f"SLURM was asked for {tasks} tasks by --ntasks; ask by --ntasks-per-node, or for one."
        )
    if config.processes == 1:
        return
    for name, (mark, count, devices, nodes) in _STARTERS.items():
        if mark not in os.environ:
            continue
        if int(os.environ[count]) != config.processes:
            raise DeviceError(
                f"{name} started {counted(int(os.environ[count]), 'process', 'processes')}, but "
                f"--devices {config.devices} and --num_nodes {config.num_nodes} make "
                f"{config.processes}. Let --devices be its {devices}, --num_nodes its {nodes}."
            )
        return
    if config.num_nodes > 1:
        raise DeviceError(
            f"--num_nodes {config.num_nodes} needs nda on each of {config.num_nodes} machines, "
            "started by torchrun or srun. Put it in front, or leave --num_nodes out."
        )
