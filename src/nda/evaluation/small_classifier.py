"""A small classifier that figures need: trained in one cycle of the learning rate, then kept.

The network and what is known of it follow from data, seed and budget alone, which are its origin.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nda.data.images.image_set import to_float
from nda.errors import ConfigError
from nda.runtime.files import StrPath, write_atomically
from nda.runtime.progress import tracked
from nda.runtime.sealed import load_tensors, save_tensors
from nda.runtime.seeding import seeded

Network = TypeVar("Network", bound=nn.Module)
Facts = dict[str, Any]  # what is known of a trained network, as JSON holds it


@dataclass(frozen=True)
class Training(Generic[Network]):
    """How one kind of classifier is made: `what` it is called, and under which `key` it is kept.

    `measure` finds its `facts`. Of a kept one `verify` finds some of them again, which must be the
    same: they show that it is what was kept.
    """

    what: str
    key: str
    facts: tuple[str, ...]
    build: Callable[[], Network]
    fit: Callable[[Network], None]
    measure: Callable[[Network], Facts]
    verify: Callable[[Network], Facts]

    def result(
        self,
        origin: str,
        *,
        seed: int,
        device: torch.device | str,
        cache_path: StrPath | None,
    ) -> tuple[Network, Facts]:
        """The network and its facts: those kept at `cache_path` if they are of this origin.

        Others are replaced, damaged ones with a warning.
        """
        path = None if cache_path is None else Path(cache_path)
        if path is not None and path.is_file():
            kept = self._load(path, self._initial(seed, device), origin)
            if kept is not None:
                return kept
        network = self._initial(seed, device)
        self.fit(network)
        facts = self.measure(network)
        if path is not None:
            self._save(path, network, origin, facts)
        return network, facts

    def _initial(self, seed: int, device: torch.device | str) -> Network:
        with seeded(seed):
            network = self.build()
        return network.to(device)

    def _save(self, path: Path, network: Network, origin: str, facts: Facts) -> None:
        weights = {k: v.cpu().contiguous() for k, v in network.state_dict().items()}
        content = save_tensors(weights, self.key, json.dumps({"origin": origin, **facts}))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda file: file.write(content))

    def _load(self, path: Path, network: Network, origin: str) -> tuple[Network, Facts] | None:
        try:
            tensors, metadata = load_tensors(path, (self.key,))
            facts = json.loads(metadata[self.key])
            if facts.pop("origin") != origin:
                return None
            network.load_state_dict(tensors)
            network.eval().requires_grad_(False)
            known = {name: facts[name] for name in self.facts}
            for name, value in self.verify(network).items():
                if known[name] != value:
                    raise ValueError(f"its {name} is not what was kept")
            return network, known
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
            warnings.warn(
                f"{path} is damaged ({error}); the {self.what} is trained anew.", stacklevel=4
            )
            return None


def refuse_no_budget(budget: int, what: str) -> None:
    """Refuse to learn from no images at all (`ConfigError`)."""
    if budget < 1:
        raise ConfigError(f"The budget of the {what} is {budget} images; give 1 or more.")


def fit_one_cycle(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.OneCycleLR,
    batches: Iterator[tuple[Tensor, Tensor]],
    steps: int,
    what: str,
) -> None:
    """Train on that many batches, images (B, 3, H, W) in [-1, 1] and labels (B,), then freeze."""
    network.train()
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        for _ in tracked(range(steps), f"training the {what}"):
            x, labels = next(batches)
            loss = F.cross_entropy(network(x), labels)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    network.eval().requires_grad_(False)


def float_parts(network: nn.Module, images: Tensor, size: int = 256) -> Iterator[Tensor]:
    """uint8 images (N, 3, H, W) in parts as the network takes them: in [-1, 1], on its device."""
    device = next(network.parameters()).device
    return (to_float(part.to(device)) for part in torch.split(images, size) if len(part))


@torch.no_grad()
def guesses(network: nn.Module, images: Tensor) -> Tensor:
    """The most likely class of each image uint8 (N, 3, H, W): int64 (N,) on the CPU."""
    parts = [network(x).argmax(dim=1).cpu() for x in float_parts(network, images)]
    return torch.cat([torch.empty(0, dtype=torch.int64), *parts])
