"""Whether weights are those of a network, found out before memory is taken for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn


def refuse_misfit(build: Callable[[], nn.Module], weights: Mapping[str, Tensor]) -> None:
    """Raise `ValueError` where `weights` have not the names and shapes of what `build` gives.

    It is built without any memory for its own weights, which the settings of a damaged or foreign
    file may ask for without bounds.
    """
    with torch.device("meta"):
        wanted = {name: value.shape for name, value in build().state_dict().items()}
    for name, shape in wanted.items():
        if name not in weights:
            raise ValueError(f"it has no {name}")
        if weights[name].shape != shape:
            raise ValueError(
                f"{name} has the shape {tuple(weights[name].shape)}, and {tuple(shape)} is needed"
            )
    if foreign := sorted(set(weights) - set(wanted)):
        raise ValueError(f"{foreign[0]} is of another network")
