"""Dense Predictive Coding with negatives (paper, section 5; Han et al., 2019).

From a clip's first blocks the cells of its last ones are predicted, and told apart from all other
cells of the batch and from those of a negative clip. What is measured of it stands in
evaluate.py, every setting in config.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from nda.data.clips.batches import in_blocks
from nda.data.clips.clip_set import Clips
from nda.negatives import Negative, negative_from_name
from nda.networks.dpc import DensePredictor
from nda.objectives.dense_predictive import dense_accuracies, dense_scores, loss_of
from nda.recipes.dpc.config import DpcConfig
from nda.recipes.sources import clip_source
from nda.recipes.video.load import ClipState, batches_of, remarks, shape_of, views_of
from nda.runtime.distributed import all_gather


@dataclass(kw_only=True)
class DpcState(ClipState):
    """Everything that is trained, and what it is trained with."""

    config: DpcConfig
    heldout: Clips
    heldout_name: str
    negative: Negative | None

    @property
    def saved(self) -> dict[str, Any]:
        network: DensePredictor = self.network.module
        return {
            "encoder": network.encoder,
            "predictor": network.predictor,
            "optimizer": self.optimizer,
        }

    def batch(self, step: int) -> Tensor:
        """Clips of a step, uint8 (B, F, 3, R, R), F the frames of all blocks."""
        return self.batches(step)[1].to(self.fabric.device, non_blocking=True)


def build(config: DpcConfig, fabric: Fabric) -> DpcState:
    """Open the videos and make the network from the seed."""
    splits = clip_source(config).splits(config.holdout)
    remarks(config, fabric, splits)
    torch.manual_seed(config.seed)
    plain = DensePredictor(
        config.network, width=config.width, steps=config.predict, dropout=config.dropout
    )
    if config.compile:
        plain.compile()
    adam = torch.optim.Adam(
        plain.parameters(), lr=config.lr, weight_decay=config.weight_decay, fused=True
    )
    network, optimizer = fabric.setup(plain, adam)
    return DpcState(
        config=config,
        fabric=fabric,
        train=splits.train,
        heldout=splits.heldout,
        heldout_name=splits.heldout_name,
        network=network,
        optimizer=optimizer,
        negative=negative_of(config),
        views=views_of(config),
        shape=shape_of(config),
        batches=batches_of(config, fabric, splits.train),
    )


def negative_of(config: DpcConfig) -> Negative | None:
    """The negative, after refusing clips that it cannot be made of."""
    if config.negative == "none":
        return None
    negative = negative_from_name(config.negative)
    frames, side = config.predict * config.frames, int(config.resolution or 0)
    one = torch.zeros(1, 1, 1, 1, 1, dtype=torch.uint8)
    negative.check(one.expand(config.batch_size, frames, 3, side, side))
    return negative


def step(state: DpcState, batch: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
    """One update: the cells of the last blocks, against all others and those of negatives."""
    config, fabric = state.config, state.fabric
    clips = state.views(batch, generator=rng)  # (B, F, 3, R, R) in [-1, 1]
    negative = None
    if state.negative is not None:
        # All frames share what is drawn, so the last blocks alone are made, which are compared.
        last = clips[:, -config.predict * config.frames :]
        negative = in_blocks(state.negative(last, generator=rng), config.frames)
    predicted, target, made = state.network(in_blocks(clips, config.frames), negative)

    if made is not None and config.negatives_from == "all":
        made = all_gather(made)
    scores = dense_scores(
        predicted,
        all_gather(target),  # (B of all processes, P, D, h, w)
        made,
        negatives_from=config.negatives_from,
        temperature=config.temperature,
        first=fabric.global_rank * len(predicted),
    )
    loss = loss_of(scores)
    state.optimizer.zero_grad()
    fabric.backward(loss)
    state.optimizer.step()
    return {"loss": loss} | dense_accuracies(scores)
