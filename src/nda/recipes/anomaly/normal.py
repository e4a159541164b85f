"""The normal images of a run: what is trained on, what is calibrated on, and what that promises."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from torch import Tensor

from nda.data import ImageSet
from nda.data.images.copies import copy_groups, firsts, held_out, joined, told
from nda.data.images.parts import named_groups, one_of_each
from nda.errors import ConfigError
from nda.evaluation.outliers.conformal import images_needed, smallest_rate
from nda.networks.pretrained.gaussian import grid_of
from nda.recipes.anomaly.config import AnomalyConfig
from nda.recipes.sources import image_source
from nda.validators import counted

USUAL_RATE = 0.01  # of false alarms, where none is asked for
FEWEST_LEFT_OUT = 3  # groups: what surprises neighbours least is then known
MOST_LEFT_OUT = 200 * 256  # images times places: 72 MB of a Gaussian


@dataclass(frozen=True)
class Normal:
    """Normal images to train on and to calibrate on, of which no two are of one group.

    Where groups are left out in turn all are trained on: `owners` (N,) says of which group each
    training image is, `rows` (G,) which training image of each group is calibrated on.
    """

    train: ImageSet
    calibration: ImageSet
    owners: Tensor | None = None
    rows: Tensor | None = None


def load_normal(config: AnomalyConfig) -> Normal:
    """The normal images of the training split: those to train on and those to calibrate on."""
    normal = replace(image_source(config), fit=config.fit).load()
    copies = copy_groups(normal.images)
    notes = (*normal.notes, *told(copies))
    groups, chosen = copies, firsts(copies).nonzero()[:, 0]
    if config.group is not None:
        parts = named_groups(normal.names, config.group, config.data)
        groups = joined(copies, parts)
        chosen = one_of_each(groups, config.seed)
        notes = (*notes, f"{len(groups):,} images are of {len(chosen):,} parts (--group).")
    whole = replace(normal, notes=notes)
    # Copies of an image say no more than the image, pictures of a part little more: one is enough.
    if leaves_out(config, groups):
        return Normal(whole, normal.only(chosen), groups, chosen)
    held = held_out(groups, round(1 / config.holdout), config.data)
    train = replace(normal.only(~held), notes=notes, taken=normal.taken)
    return Normal(train, normal.only(chosen[held[chosen]]))


def leaves_out(config: AnomalyConfig, groups: Tensor) -> bool:
    """Whether all images are trained on, and each is calibrated on by what the others say."""
    count = int(groups.max()) + 1
    if config.calibration != "auto":
        if config.calibration == "left_out" and count < FEWEST_LEFT_OUT:
            raise ConfigError(
                f"--calibration left_out needs at least {FEWEST_LEFT_OUT} different normal images "
                f"or parts, and {config.data} has {count}; give more of them."
            )
        return config.calibration == "left_out"
    if config.learned or count < FEWEST_LEFT_OUT:
        return False
    assert config.resolution is not None
    rate = config.false_alarm_rate or USUAL_RATE
    few = count // round(1 / config.holdout) < images_needed(rate)
    return few and len(groups) * grid_of(config.resolution) ** 2 <= MOST_LEFT_OUT


def promised_rate(config: AnomalyConfig, normal: Normal) -> float:
    """The false-alarm rate of the run: the one asked for, or the best that can be promised.

    Without one it is 0.01 or, where too few images are calibrated on for that, the smallest that
    they can promise. Raises `ConfigError` for a rate that was asked for and needs more of them.
    """
    calibrated = len(normal.calibration)
    if config.false_alarm_rate is None:
        return max(USUAL_RATE, smallest_rate(calibrated))
    needed = images_needed(config.false_alarm_rate)
    if calibrated < needed:
        keeps = (
            f"--holdout {config.holdout:g} of those in {config.data} keeps {calibrated:,}"
            if normal.rows is None
            else f"{config.data} has {calibrated:,}"
        )
        larger = "a larger --holdout, " if normal.rows is None else ""
        raise ConfigError(
            f"A false-alarm rate of {config.false_alarm_rate:g} needs at least {needed:,} normal "
            f"images to calibrate on, and {keeps} different ones. Give more normal images, {larger}"
            f"or a --false_alarm_rate of {smallest_rate(calibrated):g} or more."
        )
    return config.false_alarm_rate


def told_of_rate(config: AnomalyConfig, normal: Normal) -> list[str]:
    """Sentences where images are few: how they are calibrated on, and what would promise more."""
    count = len(normal.calibration)
    rate = promised_rate(config, normal)
    short = config.false_alarm_rate is None and rate > USUAL_RATE
    if normal.rows is not None:
        how = (
            f"All {len(normal.train):,} normal images are trained on, and {count:,} of them "
            "calibrated on by what the others say (--calibration left_out)"
        )
        least = f"; {rate:g} is the smallest false-alarm rate that they can promise"
        usual = f", and {USUAL_RATE:g} takes {images_needed(USUAL_RATE):,}"
        return [f"{how}{least}{usual}." if short else f"{how}."]
    if not short:
        return []
    needed = math.ceil(images_needed(USUAL_RATE) / config.holdout)
    kept = f"{counted(count, 'normal image')} {'is' if count == 1 else 'are'}"
    return [
        f"{kept} kept to calibrate on, which can promise a false-alarm rate of {rate:g} and none "
        f"smaller.{better_rates(config, count)} {USUAL_RATE:g} takes {needed:,} normal images."
    ]


def better_rates(config: AnomalyConfig, count: int) -> str:
    """What to type for a smaller rate than `count` images held out can promise."""
    found, total = [], count / config.holdout
    if config.holdout < 0.5:
        found.append(f"'--holdout 0.5' would promise about {smallest_rate(int(total / 2)):g}")
    if config.learned:
        flags = "--method auto --calibration left_out"
        found.append(f"'{flags}' about {smallest_rate(int(total)):g}")
    elif config.calibration == "held_out":
        found.append(f"'--calibration left_out' about {smallest_rate(int(total)):g}")
    return f" {', '.join(found)};" if found else ""
