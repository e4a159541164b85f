"""Train a global and a local probe against each negative and score held-out images with them.

The probes learn images and their nulls (`Negative.null`) against negatives, and are judged by nulls
against negatives: what both are treated alike in gives neither away.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from nda.data.batches import EpochBatches
from nda.data.images.image_set import to_float
from nda.errors import ConfigError, ShapeError
from nda.negatives import Negative
from nda.networks.probes import GlobalProbe, LocalProbe
from nda.runtime.seeding import generator_for, key, seeded

BATCH = 64  # images of a step at most, the latter half as their nulls, beside as many negatives
FEWEST = 32  # images to learn from
_RATE = 2e-3  # highest learning rate
_WARM = 0.2  # share of the steps in which the rate rises
_PART = 250  # images scored at a time


@dataclass(frozen=True)
class ProbeScores:
    """Scores `(n,)` of the nulls of n held-out images and of their negatives, for which they are
    high. Where a null shows nothing of its negative it is the image.
    """

    whole: tuple[Tensor, Tensor]  # of the global probe: nulls, negatives
    local: tuple[Tensor, Tensor]


def probe_negatives(
    train: Tensor,
    heldout: Tensor,
    negatives: Mapping[str, Negative],
    *,
    steps: int,
    seed: int,
    device: torch.device | str = "cpu",
    advance: Callable[[], None] = lambda: None,
) -> dict[str, ProbeScores]:
    """Scores of the nulls and of the negatives of `heldout`, by probes that learned from `train`.

    Both are uint8 `(N, 3, H, W)`, H = W. All negatives are shown beside the same batches of images
    and probed by networks that begin alike; each has networks and draws of its own, so that what
    is found of one does not depend on which others are asked for. `advance` is called after every
    step of every negative.

    On the CPU as many negatives are probed at a time as torch has threads, each with one: scores
    follow from the seed alone, whatever the number of threads.

    Raises `ShapeError` for images that a probe or a negative cannot take, and `ConfigError` for
    less than one step.
    """
    if steps < 1:
        raise ConfigError(f"steps is {steps}; the probes need at least 1 to learn from.")
    if train.shape[1:] != heldout.shape[1:] or len(train) < FEWEST or len(heldout) < 2:
        raise ShapeError(
            f"Probes learn from at least {FEWEST} images and are judged on at least 2 of the same "
            f"size; got {tuple(train.shape)} and {tuple(heldout.shape)}."
        )
    for negative in negatives.values():
        negative.check(heldout[:2])
    batches = EpochBatches(len(train), min(BATCH, len(train)), seed=seed)
    order = torch.stack([batches.indices(step) for step in range(steps)])
    device = torch.device(device)
    jobs = {
        name: _Job(train, heldout, negative, order, _networks(train.shape[-1], seed, device),
                   generator_for(seed, purpose=f"probe {name}"), device, advance)
        for name, negative in negatives.items()
    }  # fmt: skip
    return _run(jobs, torch.get_num_threads() if device.type == "cpu" else 1)


@dataclass
class _Job:
    """One negative to probe."""

    train: Tensor
    heldout: Tensor
    negative: Negative
    order: Tensor  # (steps, batch): the images of each step
    networks: tuple[GlobalProbe, LocalProbe]
    draws: torch.Generator
    device: torch.device
    advance: Callable[[], None]

    def run(self, stop: threading.Event) -> ProbeScores | None:
        """Train both probes and score; None where it was told to stop."""
        sets = nulls_and_negatives(self.heldout, self.negative, self.draws)
        whole, local = (_Learner(network, len(self.order)) for network in self.networks)
        for rows in self.order:
            if stop.is_set():
                return None
            images = self.train[rows]
            null, negative = nulls_and_negatives(images, self.negative, self.draws)
            half = len(rows) // 2
            x = self._input(torch.cat([images[:half], null[half:], negative]))
            whole.learn(whole.network(x))
            shift = torch.randint(self.networks[1].spacing, (2,), generator=self.draws).tolist()
            local.learn(local.network(x, (shift[0], shift[1])))
            self.advance()
        one, other = ([self._score(n, images) for images in sets] for n in self.networks)
        return ProbeScores((one[0], one[1]), (other[0], other[1]))

    def _input(self, images: Tensor) -> Tensor:
        x = to_float(images.to(self.device))
        return x.contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def _score(self, network: nn.Module, images: Tensor) -> Tensor:
        network.eval()
        parts = [network(self._input(part)).cpu() for part in torch.split(images, _PART)]
        return torch.cat(parts)


class _Learner:
    """Trains a network to score negatives, the second half of each batch, above images."""

    def __init__(self, network: nn.Module, steps: int) -> None:
        self.network = network
        self.optimizer = AdamW(network.parameters(), betas=(0.9, 0.99), weight_decay=1e-4)
        self.schedule = OneCycleLR(
            self.optimizer,
            _RATE,
            total_steps=max(steps + 1, 10),  # torch divides by zero where the rise is one step
            pct_start=_WARM,
            cycle_momentum=False,
        )

    def learn(self, logits: Tensor) -> None:
        images, negatives = logits.chunk(2)
        loss = F.softplus(images).mean() + F.softplus(-negatives).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()


def _networks(resolution: int, seed: int, device: torch.device) -> tuple[GlobalProbe, LocalProbe]:
    with seeded(key(seed, 0, 0, "probe networks")):
        return GlobalProbe(resolution).to(device), LocalProbe(resolution).to(device)


def nulls_and_negatives(
    images: Tensor, negative: Negative, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Of each image its null and its negative, of the same draws.

    They are made in parts of which none is a single image without a partner.
    """
    nulls, made = [], []
    for part in images.chunk(max(1, len(images) // _PART)):
        params = negative.draw(part, rng)
        nulls.append(negative.null(part, params))
        made.append(negative.replay(part, params))
    return torch.cat(nulls), torch.cat(made)


def _run(jobs: Mapping[str, _Job], workers: int) -> dict[str, ProbeScores]:
    """Run the jobs in threads; an interruption or an error in one stops all."""
    stop = threading.Event()
    with (
        _single_threaded(),
        ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool,
    ):
        futures = {pool.submit(job.run, stop): name for name, job in jobs.items()}
        try:
            found = {futures[future]: future.result() for future in as_completed(futures)}
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return {name: scores for name in jobs if (scores := found[name]) is not None}


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Threads begun within take one thread of torch each; afterwards all is as before."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
