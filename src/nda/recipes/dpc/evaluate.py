"""What is measured of a DPC run, and the pictures that show its clips and their negatives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nda.data import to_float, to_uint8
from nda.data.clips.batches import in_blocks
from nda.data.clips.clip_set import Clips
from nda.errors import ShapeError
from nda.evaluation.record import Evaluation, Metric, Protocol
from nda.negatives import Jigsaw, Negative
from nda.networks.dpc import DensePredictor
from nda.objectives.dense_predictive import (
    DenseScores,
    Kind,
    dense_accuracies,
    dense_scores,
    loss_of,
)
from nda.recipes.video.load import used
from nda.report.pictures.grid import image_grid, save_png
from nda.runtime.seeding import generator_for
from nda.training.run_folder import RunFolder

if TYPE_CHECKING:
    from nda.recipes.dpc.train import DpcState

BATCH_SIZE = 16  # clips whose cells are compared with each other
SHOWN = 3  # clips in a picture
FOUND = "Predicted cells that are nearer to their target than to all of"
COLUMNS = {
    Kind.TEMPORAL: "the same place at other times",
    Kind.SPATIAL: "other places of the clip",
    Kind.EASY: "cells of other clips",
}


def evaluate(state: DpcState) -> Evaluation:
    """How often held-out cells are found among real ones, of each kind, and among negatives'."""
    if len(state.heldout) < 1:
        return Evaluation(state.step, [], notes=["Dense prediction: no video is held out."])
    network: DensePredictor = state.network.module.eval()
    protocol: Protocol = {
        "split": state.heldout_name,
        "videos": used(state.heldout, state.shape),
        "clip": "from the middle of the video",
    }
    with torch.no_grad(), state.fabric.autocast():
        metrics = among_real(state, network, protocol)
        notes = []
        for name, negative in compared_with(state).items():
            try:
                metrics += among_negatives(state, network, name, negative, protocol)
            except ShapeError as error:
                notes.append(f"Cells of {name}: {error}.")
    network.train()
    return Evaluation(state.step, metrics, notes=notes)


def compared_with(state: DpcState) -> dict[str, Negative]:
    """Jigsaw for every run, so that runs compare, and the run's own negative."""
    negatives: dict[str, Negative] = {"jigsaw": Jigsaw()}
    if state.negative is not None:
        negatives[state.config.negative] = state.negative
    return negatives


def among_real(state: DpcState, network: DensePredictor, protocol: Protocol) -> list[Metric]:
    """Loss and accuracies without negatives, then accuracies over each kind of real cell."""
    every: list[tuple[int, dict[str, Tensor]]] = []
    columns: list[int] = []
    for clips in clips_of(state):
        predicted, target, _ = network(in_blocks(clips, state.config.frames))
        scores = dense_scores(predicted, target, temperature=state.config.temperature)
        every.append((len(scores.logits), {"loss": loss_of(scores)} | found_and_chance(scores)))
        columns.append(scores.logits.shape[1])
    found = mean_over_rows(every)
    most = f"{min(columns):,} to " if min(columns) < max(columns) else ""
    among: Protocol = {"among": f"{most}{max(columns):,} real cells"}
    metrics = [
        Metric("dpc_loss", "Loss without negatives", found["loss"], "lower", protocol | among)
    ]
    metrics += [
        Metric(
            f"dpc_top{most}",
            f"Predicted cells whose target is among the {most} nearest (top-{most})"
            if most > 1
            else "Predicted cells whose target is the nearest (top-1)",
            found[f"top{most}"],
            "higher",
            protocol | among,
        )
        for most in (1, 3, 5)
    ]
    for kind in scores.negatives:
        metrics += rows_of(kind.name.lower(), COLUMNS[kind], found, kind, protocol)
    return metrics


def among_negatives(
    state: DpcState, network: DensePredictor, name: str, negative: Negative, protocol: Protocol
) -> list[Metric]:
    """How often a predicted cell is nearer to its target than to all cells of its own negative."""
    config = state.config
    rng = generator_for(config.seed, purpose=f"evaluation {name}", device=state.fabric.device)
    every = []
    for clips in clips_of(state):
        last = clips[:, -config.predict * config.frames :]
        made = in_blocks(negative(last, generator=rng), config.frames)
        scores = dense_scores(*network(in_blocks(clips, config.frames), made))
        every.append((len(scores.logits), found_and_chance(scores)))
    return rows_of(name, f"cells of {name}", mean_over_rows(every), Kind.NDA, protocol)


def rows_of(
    name: str, row: str, means: dict[str, float], kind: Kind, protocol: Protocol
) -> list[Metric]:
    """A row of the table: what was found, and what would be by chance."""
    share, by_chance = (means[f"{word}_{kind.name.lower()}"] for word in ("over", "chance"))
    title = f"Nearer to its target than to {row}"
    found = Metric(
        f"dpc_over_{name}", title, share, "higher", protocol, table=FOUND, row=row, column="share"
    )
    chance = Metric(
        f"chance_over_{name}",
        f"{title}, by chance",
        by_chance,
        "",
        protocol,
        table=FOUND,
        row=row,
        column="by chance",
    )
    return [found, chance]


def found_and_chance(scores: DenseScores) -> dict[str, Tensor]:
    """Accuracies, and the shares that features without any relation to the clips would find."""
    found = dense_accuracies(scores)
    for kind in scores.negatives:
        columns = int((scores.kinds[0] == kind).sum())
        share = torch.tensor(1 / (1 + columns), dtype=torch.float64)
        found[f"chance_{kind.name.lower()}"] = share
    return found


def mean_over_rows(every: list[tuple[int, dict[str, Tensor]]]) -> dict[str, float]:
    """Means over all predicted cells of figures that were taken batch by batch."""
    total = sum(rows for rows, _ in every)
    return {
        name: float(sum(rows * float(some[name]) for rows, some in every) / total)
        for name in every[0][1]
    }


def clips_of(state: DpcState) -> Iterator[Tensor]:
    """The middle clips of the held-out videos, about 16 at once: float `(B, F, 3, R, R)`."""
    rows = torch.arange(len(state.heldout))
    for some in rows.tensor_split(max(1, len(rows) // BATCH_SIZE)):
        yield middle_clips(state, state.heldout, some)


def middle_clips(state: DpcState, clips: Clips, rows: Tensor) -> Tensor:
    starts = state.shape.middle(clips, rows)
    found = state.shape.taken(clips, rows, starts=starts)
    return to_float(found.to(state.fabric.device))


def draw_samples(state: DpcState, folder: RunFolder) -> None:
    """At first a picture of training clips, their views and their negatives, a row each."""
    if state.step:
        return
    rows = torch.linspace(0, len(state.train) - 1, min(SHOWN, len(state.train))).long()
    rng = generator_for(state.config.seed, purpose="samples", device=state.fabric.device)
    clips = middle_clips(state, state.train, rows)
    view = state.views(to_uint8(clips), generator=rng)
    shown, labels = [clips, view], ["clip", "its view"]
    if state.negative is not None:
        shown.append(state.negative(view, generator=rng))
        labels.append(f"{state.config.negative} of it")
    # A clip below the other, and of each the frame in the middle of every block.
    frames = torch.stack(shown, dim=1)[:, :, state.config.frames // 2 :: state.config.frames]
    grid = image_grid(
        to_uint8(frames.flatten(0, 2).cpu()),
        state.config.blocks,
        row_labels=labels * len(rows),
        column_labels=[f"block {block + 1}" for block in range(state.config.blocks)],
    )
    save_png(grid, folder.samples / "negatives.png")
