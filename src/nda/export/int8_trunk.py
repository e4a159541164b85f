"""EfficientNet-Lite0 with convolutions of 8-bit numbers, by ONNX Runtime's own quantiser.

Only the backbone is rounded, and by itself: distances are squares and differences of its features,
of which 8 bits would leave little.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from nda.data import to_uint8
from nda.export.detector import onnx_graph, onnx_runtime

RANGES = 128  # images that ranges are taken from: what is outside is clipped
_OF_TRUNK = ["Conv", "Clip", "Add"]  # Clip is ReLU6
_AT_ONCE = 8


class Int8Trunk(nn.Module):
    """In the place of a trunk: images `(B, 3, S, S)` in [-1, 1] to the maps of its `model`.

    ONNX Runtime computes it on the processor. Copies share it, as nothing of it ever changes.
    """

    def __init__(self, model: Any, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.model, self.channels = model, channels
        self.session = onnx_runtime().InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        # A network's parameters say where it computes.
        self.nothing = nn.Parameter(torch.zeros(0), requires_grad=False)

    def forward(self, images: Tensor) -> list[Tensor]:
        found = self.session.run(None, {"images": to_uint8(images).numpy()})
        return [torch.from_numpy(level) for level in found]

    def __deepcopy__(self, memo: dict[int, Any]) -> Int8Trunk:
        return self


def int8_trunk(trunk: nn.Module, images: Tensor) -> Int8Trunk:
    """A trunk with ranges from normal images uint8 `(N, 3, S, S)`, rounded channel by channel."""
    onnx_runtime()  # before others import it
    import onnx
    from onnxruntime import quantization

    whole = _Whole(copy.deepcopy(trunk).cpu().to(memory_format=torch.contiguous_format))
    channels: tuple[int, ...] = trunk.channels  # type: ignore[assignment]  # of a Trunk
    names = map_names(len(channels))
    with TemporaryDirectory() as folder, _without_advice():
        path = Path(folder) / "trunk.onnx"
        quantization.quantize_static(
            onnx_graph(whole, images[:2], ["images"], names),
            path,
            _Batches(images),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            # Weights of 7 bits: two products of 8 overflow the 16 bits that processors without VNNI
            # add them in, and scores there would be others than those calibrated.
            reduce_range=True,
            op_types_to_quantize=_OF_TRUNK,
        )
        return Int8Trunk(onnx.load(path), channels)


def map_names(count: int) -> list[str]:
    """What the maps are called between the trunk and what follows."""
    return [f"map{level}" for level in range(count)]


class _Whole(nn.Module):
    """A trunk that takes uint8 images, as detectors do: its graph becomes their first half."""

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk.eval()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.trunk(images.float() / 127.5 - 1))


class _Batches:
    """Images as the quantiser asks for them."""

    def __init__(self, images: Tensor) -> None:
        self.parts = iter(images.split(_AT_ONCE))

    def get_next(self) -> dict[str, Any] | None:
        part = next(self.parts, None)
        return None if part is None else {"images": part.numpy()}


@contextmanager
def _without_advice() -> Iterator[None]:
    """Without the quantiser's word on its preparations, which an exported graph has had."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
