"""A run folder as moco leaves it, without its training: for whatever builds on an encoder.

It lies beside conftest.py, so that tests of every folder find it.
"""

from __future__ import annotations

from pathlib import Path

import torch
import yaml
from torch import nn
from torchvision.models.resnet import ResNet

from nda.networks.resnet import build_encoder
from nda.recipes.moco.config import MocoConfig
from nda.training.checkpoint import save_checkpoint
from nda.training.run_folder import RunFolder


def write_encoder_run(
    folder: Path,
    name: str = "cifar_resnet18",
    width: int = 4,
    resolution: int = 16,
    *,
    step: int = 7,
    seed: int = 1,
) -> Path:
    """Config and checkpoint of an encoder whose batch norms have statistics of their own."""
    config = MocoConfig(
        data="unused",
        out=str(folder),
        network=name,  # type: ignore[arg-type]
        width=width,
        resolution=resolution,
    )
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config.as_dict(), sort_keys=False))
    encoder = seasoned_encoder(name, width, seed)
    content = {"config": config.as_dict(), "state": {"encoder": encoder.state_dict()}}
    save_checkpoint(RunFolder(folder).checkpoints, step, content, keep=1)
    return folder


def seasoned_encoder(name: str, width: int, seed: int) -> ResNet:
    """An encoder as if trained: no batch norm of it is the identity."""
    encoder = build_encoder(name, width=width, seed=seed)
    rng = torch.Generator().manual_seed(seed)
    for part in encoder.modules():
        if isinstance(part, nn.BatchNorm2d):
            for tensor, low, high in (
                (part.running_mean, -0.2, 0.2),
                (part.running_var, 0.5, 1.5),
                (part.weight.data, 0.5, 1.5),
                (part.bias.data, -0.2, 0.2),
            ):
                assert tensor is not None
                tensor.uniform_(low, high, generator=rng)
    return encoder
