"""Randomness as a function of (seed, rank, step, purpose), so that a resumed run draws the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def key(seed: int, rank: int, step: int, purpose: str) -> int:
    """A 63-bit number that differs wherever one of the four does."""
    text = f"{seed}/{rank}/{step}/{purpose}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


def generator_for(
    seed: int, *, rank: int = 0, step: int = 0, purpose: str, device: torch.device | str = "cpu"
) -> torch.Generator:
    """A generator on `device`, seeded by its key."""
    return torch.Generator(device).manual_seed(key(seed, rank, step, purpose))


def seed_global_generators(seed: int, *, rank: int = 0, step: int = 0) -> None:
    """Seed torch's global generators (dropout and the like) by the same key, before each step."""
    torch.manual_seed(key(seed, rank, step, "global"))


def draws_of_step(seed: int, rank: int, step: int, device: torch.device | str) -> torch.Generator:
    """What process `rank` draws from in a step of training, on `device`.

    The global generators are seeded for that step too, by another key.
    """
    seed_global_generators(seed, rank=rank, step=step)
    return generator_for(seed, rank=rank, step=step, purpose="train", device=device)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """What is drawn inside, such as weights on the CPU, follows from the seed.

    The caller's random state is afterwards as it was, and that of cards is not touched.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
