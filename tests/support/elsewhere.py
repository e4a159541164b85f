"""A device beside the processor on which nothing is computed, to see where tensors are made.

What forgets to say where it makes a tensor makes it on the processor, and is seen by that.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

ELSEWHERE = torch.device("meta")


class GeneratorElsewhere(torch.Generator):
    """Says that it is elsewhere; what is drawn there has no values."""

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return ELSEWHERE


class Made(TorchDispatchMode):
    """Records on which kinds of devices tensors are made, and which of them were drawn."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.everything: set[str] = set()
        self.drawn: set[str] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        made = {leaf.device.type for leaf in tree_leaves(result) if isinstance(leaf, Tensor)}
        self.everything |= made
        if func._schema.name.startswith("aten::rand"):
            self.drawn |= made
        return result


def made_by(use: Callable[[], object]) -> Made:
    """Where `use` makes its tensors."""
    with mock.patch.object(torch, "autocast", _autocast), Made() as made:
        use()
    return made


def _autocast(device_type: str, *args: Any, **options: Any) -> Any:
    """As torch's, which knows no precision of a device that computes nothing."""
    if device_type == ELSEWHERE.type:
        return contextlib.nullcontext()
    return torch.amp.autocast(device_type, *args, **options)
