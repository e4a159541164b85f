"""Any convolutional classification network of torchvision as the trunk of an `AnomalyMap`."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models.feature_extraction import create_feature_extractor

from nda.errors import ConfigError
from nda.networks.anomaly_map import STRIDES
from nda.networks.torchvision_encoder import TorchvisionEncoder

_SIDE = 64  # of the image that is sent through to see where maps of which size come out


class TorchvisionTrunk(nn.Module):
    """The last maps at strides 4, 8 and 16 of torchvision's network `name`.

    Weights come from the state dict in `weights`, or are random ones that follow from `seed`; all
    of them are learned further. Raises what `TorchvisionEncoder` raises, and `ConfigError` for a
    network without such maps, such as a vision transformer.
    """

    def __init__(self, name: str, weights: Path | None = None, *, seed: int = 0) -> None:
        super().__init__()
        encoder = TorchvisionEncoder(name, weights, seed=seed)
        found = last_maps(encoder.network)
        if any(stride not in found for stride in STRIDES):
            raise ConfigError(
                f"--backbone torchvision:{name} has no maps at 1/4, 1/8 and 1/16 of the image's "
                "side; give a convolutional network such as torchvision:resnet18."
            )
        taps = [found[stride] for stride in STRIDES]
        with warnings.catch_warnings():
            # Of layers that only training has, such as GoogLeNet's other heads: none is tapped.
            warnings.filterwarnings("ignore", "NOTE: The nodes obtained by tracing")
            self.network = create_feature_extractor(encoder.network, [tap for tap, _ in taps])
        self.channels = tuple(channels for _, channels in taps)
        self.taps = [tap for tap, _ in taps]
        self.register_buffer("mean", encoder.mean, persistent=False)
        self.register_buffer("std", encoder.std, persistent=False)
        self.train().requires_grad_(True)

    mean: Tensor
    std: Tensor

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = self.network(((images + 1) / 2 - self.mean) / self.std)
        return [maps[tap] for tap in self.taps]


def last_maps(network: nn.Module) -> dict[int, tuple[str, int]]:
    """Of each stride, the last module that gives a map of it, and how many channels that has."""
    found: dict[int, tuple[str, int]] = {}

    def note(name: str, output: object) -> None:
        if isinstance(output, Tensor) and output.dim() == 4 and _SIDE % output.shape[-1] == 0:
            found[_SIDE // output.shape[-1]] = (name, output.shape[1])

    hooks = [
        module.register_forward_hook(lambda _, __, output, name=name: note(name, output))
        for name, module in network.named_modules()
        if name
    ]
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(2, 3, _SIDE, _SIDE))
    except (RuntimeError, AssertionError):  # built for images of another size alone
        return {}
    finally:
        for hook in hooks:
            hook.remove()
    return found
