"""Floating-point operations and memory kept for gradients, while they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class Operations(TorchDispatchMode):
    """Counts those of matrix products and convolutions, a multiplication and an addition as two.

    torch's own counter asks for the modules too, which it cannot under `autograd.grad`.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        count: Callable[..., int] | None = flop_registry.get(func.overloadpacket)
        if count is not None:
            self.total += count(*args, **(kwargs or {}), out_val=result)
        return result


@contextmanager
def exchanged() -> Iterator[list[int]]:
    """How many numbers each step of an optimizer changes: what processes then add up first."""
    found: list[int] = []

    def stepped(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        groups = optimizer.param_groups
        found.append(sum(p.numel() for group in groups for p in group["params"]))

    handle = register_optimizer_step_post_hook(stepped)
    try:
        yield found
    finally:
        handle.remove()


@dataclass
class Kept:
    """Bytes that backward passes wait for: at most, each storage once."""

    live: dict[int, tuple[int, int]] = field(default_factory=dict)  # how often, and bytes
    now: int = 0
    most: int = 0

    def hooks(self) -> saved_tensors_hooks:
        return saved_tensors_hooks(lambda value: Holder(self, value), lambda held: held.value)

    def add(self, place: int, size: int) -> None:
        times, _ = self.live.get(place, (0, size))
        self.live[place] = times + 1, size
        self.now += 0 if times else size
        self.most = max(self.most, self.now)

    def drop(self, place: int) -> None:
        times, size = self.live.pop(place)
        if times > 1:
            self.live[place] = times - 1, size
        else:
            self.now -= size


class Holder:
    """A value for as long as the graph has it."""

    def __init__(self, kept: Kept, value: Tensor) -> None:
        storage = value.untyped_storage()
        self.kept, self.value, self.place = kept, value, storage.data_ptr()
        kept.add(self.place, storage.nbytes())

    def __del__(self) -> None:
        self.kept.drop(self.place)
