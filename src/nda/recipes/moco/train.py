"""MoCo-v2 with negatives: NDA-CPC (paper, section 4).

A query shall be nearer to the key of its image than to the keys of others, and than to negatives of
its own key's view, whose local texture is the same. What is measured of it stands in
evaluate.py, every setting in config.py.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor, nn

from nda.data import EpochBatches, Splits, to_float
from nda.data.augment.views import Views
from nda.errors import DataError
from nda.negatives import Negative, negative_from_name
from nda.networks.moco import Queue, build_moco, momentum_update, shuffle_bn
from nda.objectives.contrastive import nda_info_nce
from nda.objectives.matched import consistency_of_vectors, shown_as_nulls
from nda.recipes.matched import refuse_traceless
from nda.recipes.moco.config import FEWEST, MocoConfig
from nda.recipes.sources import image_source
from nda.runtime.distributed import all_gather
from nda.runtime.seeding import generator_for
from nda.training.batches import batches_of_run, beside, drawn


@dataclass
class MocoState:
    """Everything that is trained, and what it is trained with."""

    config: MocoConfig
    fabric: Fabric
    splits: Splits
    query: Any  # encoder and head as Fabric runs them; `.module` is the plain network
    key: nn.Module  # their moving average
    optimizer: Any
    queue: Queue
    negative: Negative | None
    negative_queue: Queue | None
    views: Views
    batches: EpochBatches
    images: Tensor  # the training images on the device, uint8 (N, 3, R, R)
    step: int = 0

    @property
    def data(self) -> str:
        return self.splits.train.fingerprint

    @property
    def told(self) -> list[str]:
        """What whoever begins the run should know of its data."""
        return self.splits.train.told

    @property
    def saved(self) -> dict[str, Any]:
        encoder, head = self.query.module
        saved = {"encoder": encoder, "head": head, "key": self.key, "queue": self.queue}
        if self.negative_queue is not None:
            saved["negative_queue"] = self.negative_queue
        return saved | {"optimizer": self.optimizer}

    def batch(self, step: int) -> Tensor:
        """Images of a step, uint8 (B, 3, R, R)."""
        return drawn(self.images, self.batches.indices(step), self.fabric.device)


def build(config: MocoConfig, fabric: Fabric) -> MocoState:
    """Load the images, make the networks from the seed and the queues at random."""
    splits = image_source(config).splits(config.holdout)
    negative = None if config.negative == "none" else negative_from_name(config.negative)
    if negative is not None:
        first = splits.train.images[: config.shown]
        negative.check(first)
        refuse_traceless(
            config, negative, to_float(first), generator_for(config.seed, purpose="trace")
        )
    refuse_few(splits)
    query, key, optimizer = networks_of(config, fabric)
    batch, seed, processes = config.batch_size, config.seed, fabric.world_size
    queue = Queue(config.queue_size, config.dim, batch=batch * processes, seed=seed)
    negative_queue = None
    if negative is not None and config.negatives_from == "queue":
        made = config.negatives_a_step * processes
        negative_queue = Queue(config.negative_queue_size, config.dim, batch=made, seed=seed + 1)
        negative_queue.to(fabric.device)
    return MocoState(
        config=config,
        fabric=fabric,
        splits=splits,
        query=query,
        key=key,
        optimizer=optimizer,
        queue=queue.to(fabric.device),
        negative=negative,
        negative_queue=negative_queue,
        views=Views(
            scale=(config.crop_low, 1.0),
            jitter_probability=config.jitter_probability,
            grey=config.grey,
            blur=config.blur,
        ),
        batches=batches_of_run(splits.train.images, config, fabric, heldout=len(splits.heldout)),
        images=beside(splits.train.images, fabric.device),
    )


def refuse_few(splits: Splits) -> None:
    """Refuse what could not be measured when the training is done."""
    if len(splits.heldout) < FEWEST:
        raise DataError(
            f"Only {len(splits.heldout)} images are held out ({splits.heldout_name}), and "
            f"measuring an encoder needs {FEWEST}; give more images, or a larger --holdout."
        )


def networks_of(config: MocoConfig, fabric: Fabric) -> tuple[Any, nn.Module, Any]:
    """The query encoder as Fabric runs it, the key encoder that is its average, the optimizer."""
    plain = build_moco(
        config.network,
        width=config.width,
        dim=config.dim,
        bn_splits=config.bn_splits,
        seed=config.seed,
    )
    key = copy.deepcopy(plain).requires_grad_(False).to(fabric.device)
    if config.compile:
        plain.compile()
        key.compile()
    sgd = torch.optim.SGD(
        plain.parameters(), lr=config.lr, momentum=0.9, weight_decay=config.weight_decay
    )
    query, optimizer = fabric.setup(plain, sgd)
    return query, key, optimizer


def step(state: MocoState, batch: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
    """One update of the encoder, and of the momentum encoder that follows it."""
    config = state.config
    views = [channels_last(state.views(batch, generator=rng)) for _ in range(2)]
    query, of_null = encode_queries(state, views[0], rng)  # (B, D), the same or None

    momentum_update(state.key, state.query.module, config.key_momentum)
    key, made = encode_keys(state, views[1], rng)  # (B, D), (M, D) or None
    shared = made  # negatives that queries are compared with, those of all processes if not own
    if made is not None and config.negatives_from != "own":
        shared = all_gather(made)
    loss = nda_info_nce(
        query,
        key,
        state.queue.vectors,
        negatives_for(state, shared),
        temperature=config.temperature,
        negative_weight=config.negative_weight,
    )
    logs = {"loss": loss}
    if of_null is not None:
        logs["loss_matched"] = consistency_of_vectors(query, of_null)
        loss = loss + config.matched_weight * logs["loss_matched"]

    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(state.step, config)
    state.optimizer.zero_grad()
    state.fabric.backward(loss)
    state.optimizer.step()

    # Only now: in the queue before the loss, the key would stand among the query's negatives.
    state.queue.enqueue(all_gather(key), state.step)
    if state.negative_queue is not None and shared is not None:
        state.negative_queue.enqueue(shared, state.step)
    return logs | monitors(state, query.detach(), key, made)


def encode_queries(
    state: MocoState, view: Tensor, rng: torch.Generator
) -> tuple[Tensor, Tensor | None]:
    """Vectors of the queries (B, D) and, where both shall agree, of the nulls of their views."""
    if state.negative is None or state.config.matched != "consistency":
        return F.normalize(state.query(view).float(), dim=1), None
    null = nulls_of(state.negative, view, rng)
    # A view beside its null, so that every part of batch norm has as many of both.
    both = channels_last(torch.stack([view, null], dim=1).flatten(0, 1))
    vectors = F.normalize(state.query(both).float(), dim=1).unflatten(0, (-1, 2))
    return vectors[:, 0], vectors[:, 1]


def nulls_of(negative: Negative, view: Tensor, rng: torch.Generator) -> Tensor:
    return negative.null(view, negative.draw(view, rng))


@torch.no_grad()
def encode_keys(
    state: MocoState, view: Tensor, rng: torch.Generator
) -> tuple[Tensor, Tensor | None]:
    """Vectors of the keys (B, D), and of negatives made of the first of them (M, D), if any.

    Sample by sample the m negatives of one stand together.
    """
    config = state.config
    inputs = [view]
    if state.negative is not None:
        if config.matched == "shown":
            null, share = nulls_of(state.negative, view, rng), config.matched_probability
            keys = shown_as_nulls(view, null, probability=share, generator=rng)
            inputs = [channels_last(keys)]
        shown = view[: config.shown]
        # Drawn one after another: in a batch of copies a sample could be mixed with itself.
        made = [state.negative(shown, generator=rng) for _ in range(config.negatives_per_sample)]
        inputs.append(channels_last(torch.stack(made, dim=1).flatten(0, 1)))
    # In one forward, so that batch-norm statistics cannot tell keys and negatives apart.
    together = [torch.cat(inputs)] if config.joint_forward else inputs
    vectors = torch.cat([key_vectors(state, x) for x in together])
    if state.negative is None:
        return vectors, None
    return vectors[: len(view)], vectors[len(view) :]


def key_vectors(state: MocoState, x: Tensor) -> Tensor:
    """The momentum encoder's vectors, with the samples of all processes shuffled among them."""
    fabric = state.fabric
    if fabric.world_size == 1 and state.config.bn_splits == 1:
        order = None  # one batch norm over all samples: their order does not matter
    else:
        # Of one seed on all processes, which must agree on the order.
        purpose = f"shuffle {len(x)}"
        rng = generator_for(state.config.seed, step=state.step, purpose=purpose, device=x.device)
        count = len(x) * fabric.world_size
        order = torch.randperm(count, generator=rng, device=x.device)
    with fabric.autocast():
        vectors = shuffle_bn(state.key, x, order)
    return F.normalize(vectors.float(), dim=1)


def negatives_for(state: MocoState, made: Tensor | None) -> Tensor | None:
    """What the objective compares with: (B, m, D) a query's own negatives, or (M, D) for all."""
    if made is None:
        return None
    if state.config.negatives_from == "own":
        return made.view(-1, state.config.negatives_per_sample, made.shape[1])
    if state.negative_queue is None:
        return made
    return torch.cat([made, state.negative_queue.vectors])


@torch.no_grad()
def monitors(
    state: MocoState, query: Tensor, key: Tensor, made: Tensor | None
) -> dict[str, Tensor]:
    """What shows whether the encoder learns: each a scalar, kept on the device.

    `alignment` and `uniformity` as Wang & Isola (2020); `spread`, the deviation of a feature over
    the batch in units of that of vectors at random, is near 0 where the features have collapsed.
    """
    # A query's closeness to itself is 1, so that the mean over pairs needs no selection, for which
    # a GPU would have to be waited for.
    closeness = torch.exp(4 * (query @ query.T - 1)).fill_diagonal_(1)
    pairs = len(query) * (len(query) - 1)
    scalars = {
        "alignment": (query - key).square().sum(dim=1).mean(),
        "uniformity": ((closeness.sum() - len(query)) / pairs).log(),
        "spread": query.std(dim=0).mean() * math.sqrt(query.shape[1]),
        "cosine_key": (query * key).sum(dim=1).mean(),
    }
    if made is not None:
        m = state.config.negatives_per_sample
        whose = query[: len(made) // m].repeat_interleave(m, dim=0)
        scalars["cosine_negative"] = (whose * made).sum(dim=1).mean()
    return scalars | {"queue_age": state.queue.age(state.step)}


def learning_rate(step: int, config: MocoConfig) -> float:
    """Half a cosine from `lr` down to 0, a function of the step alone."""
    return config.lr * 0.5 * (1 + math.cos(math.pi * step / config.steps))


def channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
