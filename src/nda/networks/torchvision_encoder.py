"""Classification networks of torchvision without their head: encoders of images.

Nothing is downloaded: weights come from a file, or are random.
"""

from __future__ import annotations

import difflib
import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import models

from nda.errors import CheckpointError, ConfigError
from nda.networks.pointwise import subsample_first
from nda.runtime.seeding import seeded

PREFIX = "torchvision:"
USUAL_SIZE = 224
SMALL_SIZE = 112  # half the usual side: a quarter of the work
_ONE_SIZE = ("vit_", "maxvit_")  # built for images of one size, USUAL_SIZE
_AUXILIARY = ("aux1", "aux2", "AuxLogits")  # heads for training only
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, for values in [0, 1]
_MOST_KEYS = 5  # named in a message
# Published DenseNet files name their layers as an older torchvision did.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.(?=[12]\.)")

Weights = dict[str, Tensor]


class TorchvisionEncoder(nn.Module):
    """Images `(B, 3, H, W)` in [-1, 1] to the features `(B, D)` that the head would see.

    Images are resized to `input_size` and normalised as for ImageNet. In eval mode, without
    gradients. The weights are those of the state dict in the file `weights`, of which the head may
    have any size, or random ones that follow from `seed`.

    Raises `ConfigError` for an unknown name or an input size that the network does not take, and
    `CheckpointError` for a file that cannot be read safely or does not fit the network.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        name: str,
        weights: Path | None = None,
        *,
        seed: int = 0,
        input_size: int | None = None,
    ) -> None:
        super().__init__()
        _check_name(name)
        self.input_size = _input_size(name, input_size)
        self.network, head = _without_head(name, seed, published_input=weights is not None)
        if weights is not None:
            _load(self.network, weights, name, (head, *_AUXILIARY))
        self.register_buffer("mean", torch.tensor(_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(3, 1, 1), persistent=False)
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        size = [self.input_size, self.input_size]
        if list(x.shape[-2:]) != size:
            x = F.interpolate(x, size, mode="bilinear", antialias=True)
        features: Tensor = self.network(((x + 1) / 2 - self.mean) / self.std)
        return features


def parse_model(text: str) -> tuple[str, Path | None]:
    """Name and weights file of `torchvision:NAME[:weights.pth]`."""
    name, _, weights = text.removeprefix(PREFIX).partition(":")
    return name, Path(weights) if weights else None


def encoder_names() -> list[str]:
    """The classification networks of torchvision."""
    names: list[str] = models.list_models(module=models)
    return names


def _check_name(name: str) -> None:
    if name not in encoder_names():
        near = difflib.get_close_matches(name.lower(), encoder_names(), n=1)
        hint = (
            f"did you mean {near[0]!r}?" if near else "give one such as 'resnet18' or 'vit_b_16'."
        )
        raise ConfigError(f"torchvision has no classification network {name!r}; {hint}")


def _input_size(name: str, wanted: int | None) -> int:
    if name.startswith(_ONE_SIZE):
        if wanted not in (None, USUAL_SIZE):
            raise ConfigError(
                f"input_size is {wanted}, but {name} takes images of {USUAL_SIZE} pixels only; "
                "leave the setting out."
            )
        return USUAL_SIZE
    size = SMALL_SIZE if wanted is None else wanted
    if size < 32:
        raise ConfigError(f"input_size is {size}; these networks need at least 32 pixels.")
    return size


def _without_head(name: str, seed: int, *, published_input: bool) -> tuple[nn.Module, str]:
    """The network with random weights and an identity for its head, and the head's name."""
    # Two of them would draw their weights slowly by default, and warn that they do; their published
    # weights expect inputs around 1/2.
    extra: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3"):
        extra = {"init_weights": True, "transform_input": published_input}
    with seeded(seed):
        network: nn.Module = models.get_model(name, weights=None, **extra)
    subsample_first(network)
    # The head is the last layer: linear, but in SqueezeNet a convolution before the pooling.
    head = [key for key, part in network.named_modules() if isinstance(part, nn.Linear)]
    if name.startswith("squeezenet"):
        head = ["classifier.1"]
    network.set_submodule(head[-1], nn.Identity())
    return network, head[-1]


def _load(network: nn.Module, path: Path, name: str, heads: tuple[str, ...]) -> None:
    """Take over the weights in a file; only those of the heads may be missing or too many."""
    weights = {_OLD_DENSENET.sub(r"\1", key): value for key, value in _read(path).items()}
    below = tuple(f"{head}." for head in heads)
    weights = {key: value for key, value in weights.items() if not key.startswith(below)}
    wanted = {k: v for k, v in network.state_dict().items() if not k.startswith(below)}
    # Counters of seen batches are younger than some files; nothing depends on them here.
    missing = [k for k in wanted if k not in weights and not k.endswith("num_batches_tracked")]
    unexpected = [key for key in weights if key not in wanted]
    shapes = [k for k, v in weights.items() if k in wanted and v.shape != wanted[k].shape]
    faults = [
        f"{len(keys)} {what} ({_some(keys)})"
        for what, keys in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", shapes),
        )
        if keys
    ]
    if faults:
        raise CheckpointError(
            f"{path} does not hold the weights of torchvision's {name}: {'; '.join(faults)}. Give "
            "the state dict of that network, with its names."
        )
    network.load_state_dict(weights, strict=False)


def _some(keys: list[str]) -> str:
    more = f" and {len(keys) - _MOST_KEYS} more" if len(keys) > _MOST_KEYS else ""
    return ", ".join(keys[:_MOST_KEYS]) + more


def _read(path: Path) -> Weights:
    """The state dict in a file of tensors; a file with pickled code is refused."""
    try:
        with warnings.catch_warnings():
            # Of a foreign pickle; that it is refused says enough.
            warnings.filterwarnings("ignore", "Detected pickle protocol")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(
            f"There is no weights file {path}. Give its path after the name of the network, or "
            "leave it out for random weights; nothing is downloaded."
        ) from error
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is damaged or holds pickled code, which is never run; only tensors are read. "
            "Save the network's state dict alone: torch.save(network.state_dict(), path)."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{path} is no readable weights file ({type(error).__name__}): it may be damaged or "
            "cut short. Fetch or save it anew."
        ) from error
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        holds = ", ".join(map(str, content))[:80] if isinstance(content, dict) else "no state dict"
        raise CheckpointError(
            f"{path} is no state dict, which maps names to tensors; it holds {holds}. "
            "Save the network's state dict alone: torch.save(network.state_dict(), path)."
        )
    return content
