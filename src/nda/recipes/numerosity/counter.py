"""Who counts the objects in a run's images: a rule for dots, a trained network for scenes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from nda.data.images.counted import counts_by_class, counts_in
from nda.errors import ConfigError
from nda.evaluation.counting.dots import count_dots, dot_diversity
from nda.evaluation.record import WARNING, Protocol
from nda.recipes.numerosity.config import NumerosityConfig
from nda.recipes.sources import image_source
from nda.runtime.files import cache_folder

GOOD_ENOUGH = 0.98  # share of held-out images that a counting network must count right


@dataclass(frozen=True)
class Counter:
    """Counts and describes images uint8 (N, 3, R, R); the protocol says how."""

    count: Callable[[Tensor], Tensor]  # to int64 (N,)
    variety: Callable[[Tensor], Any]  # to a dataclass of figures
    protocol: Protocol


def counter_of(config: NumerosityConfig, resolution: int, device: torch.device) -> Counter:
    """The counter of a run on images of `resolution` pixels."""
    if config.counter == "network":
        return network_counter(config, resolution, device)
    rule = (
        "connected regions with a channel of 128 or more; merged dots count once, fainter ones "
        "and specks not at all"
    )
    return Counter(count_dots, dot_diversity, {"counter": rule})


def network_counter(config: NumerosityConfig, resolution: int, device: torch.device) -> Counter:
    """A small classifier trained on counted images; what it cannot do is said beside figures."""
    from nda.evaluation.counting.network import train_count_network
    from nda.evaluation.counting.scenes import scene_diversity

    source, known = config.counter_data or config.data, counts_to_learn(config)
    splits = replace(image_source(config), path=source, resolution=resolution).splits(0.1)
    network = train_count_network(
        splits.train.images,
        counts_by_class(splits.train),
        heldout_images=splits.heldout.images,
        heldout_counts=counts_by_class(splits.heldout),
        device=str(device),
        cache_path=cache_folder() / f"counter-{splits.train.fingerprint}.safetensors",
    )
    protocol: Protocol = {
        "counter": f"classifier of images of {', '.join(map(str, known))} objects; it knows no "
        "other numbers",
        "counter_accuracy": round(network.accuracy, 4),
        "counter_measured_on": f"{len(splits.heldout)} images ({splits.heldout_name})",
    }
    if network.accuracy < GOOD_ENOUGH:
        protocol[WARNING] = (
            f"the counting network is right on {network.accuracy:.1%} of held-out images only, "
            f"below {GOOD_ENOUGH:.0%}, so counts are uncertain by as much"
        )
    return Counter(network.count, scene_diversity, protocol)


def counts_to_learn(config: NumerosityConfig) -> list[int]:
    """The counts that a counting network learns.

    Raises `ConfigError` where they do not include the right one, or no other, and `DataError` where
    the images are not sorted by counts.
    """
    source = config.counter_data or config.data
    known = counts_in(source)
    if config.right_count not in known or len(known) < 2:
        raise ConfigError(
            f"The counting network needs images of {config.right_count} objects and of other "
            f"numbers, and {source} has {', '.join(map(str, known))}; name others with "
            "--counter_data."
        )
    return known
