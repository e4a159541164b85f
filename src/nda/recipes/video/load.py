"""From settings to videos, batches of clips and their views, for the recipes of videos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lightning_fabric import Fabric

from nda.data.clips.batches import ClipBatches, ClipShape
from nda.data.clips.clip_set import Clips
from nda.data.clips.source import ClipSplits
from nda.data.clips.views import ClipViews
from nda.recipes.video.config import ClipConfig
from nda.runtime.notes import tell
from nda.runtime.seeding import generator_for
from nda.training.batches import batches_of_run


@dataclass(kw_only=True)
class ClipState:
    """What a recipe of videos trains, and the clips that it trains it with."""

    fabric: Fabric
    train: Clips
    network: Any  # as Fabric runs it; `.module` is the plain network
    optimizer: Any
    views: ClipViews
    shape: ClipShape
    batches: ClipBatches
    step: int = 0

    @property
    def data(self) -> str:
        return self.train.fingerprint


def shape_of(config: ClipConfig) -> ClipShape:
    return ClipShape(config.blocks, config.frames, config.stride, config.short)


def views_of(config: ClipConfig) -> ClipViews:
    """The augmentation of training clips."""
    return ClipViews(
        scale=(config.crop_low, 1.0),
        jitter_probability=config.jitter_probability,
        grey=config.grey,
        alike=config.jitter_alike,
    )


def batches_of(config: ClipConfig, fabric: Fabric, train: Clips) -> ClipBatches:
    """Clips of each step for this process: every video once an epoch, from a place drawn anew."""
    seed, rank = config.seed, fabric.global_rank
    return ClipBatches(
        train,
        batches_of_run(train, config, fabric),
        shape_of(config),
        lambda step: generator_for(seed, rank=rank, step=step, purpose="clips"),
    )


def remarks(config: ClipConfig, fabric: Fabric, splits: ClipSplits) -> None:
    """On stderr of the first process: how many videos there are, and what became of the others."""
    if fabric.is_global_zero:
        for where, clips in (("training", splits.train), (splits.heldout_name, splits.heldout)):
            tell(f"videos of {where}: {used(clips, shape_of(config))}")


def used(clips: Clips, shape: ClipShape) -> str:
    """How many videos are used, how many of them are short, and how many are left out."""
    text = f"{len(clips):,}"
    if short := clips.shorter_than(shape.span):
        how = "looped" if shape.short == "loop" else "padded with their last frame"
        text += f", of which {short:,} with fewer than {shape.span} frames are {how}"
    if clips.skipped:
        text += f"; {len(clips.skipped):,} could not be read and are left out"
    if clips.unlisted:
        text += f"; {clips.unlisted:,} are not in the split files and are left out"
    return text
