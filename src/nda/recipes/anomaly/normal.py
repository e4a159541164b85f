"""The normal images of a run: what is trained on, what is calibrated on, and what that promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import compress

import torch
from torch import Tensor

from nda.data import ImageSet
from nda.data.images.copies import copy_groups, firsts, held_out, joined, told
from nda.data.images.parts import named_groups, one_of_each
from nda.data.images.tiles import LargePictures
from nda.errors import ConfigError
from nda.evaluation.outliers.conformal import images_needed, smallest_rate
from nda.extras import LITE0
from nda.networks.pretrained.gaussian import grid_of
from nda.recipes.anomaly.config import AnomalyConfig
from nda.recipes.anomaly.more import fitted_to, with_more
from nda.runtime.seeding import generator_for
from nda.validators import counted

USUAL_RATE = 0.01  # of false alarms, where none is asked for
FEWEST = 2  # groups on either side: a single image can be mixed with no other
FEWEST_LEFT_OUT = 3  # groups: what surprises neighbours least is then known
MOST_LEFT_OUT = 200 * 256  # images times places: 72 MB of a Gaussian
MOST_TILES = 10_000 * 128**2  # pixels of all tiles that are trained on


@dataclass(frozen=True)
class Normal:
    """Normal images to train on and to calibrate on, of which no two are of one group.

    Where groups are left out in turn all are trained on: `owners` (N,) says of which group each
    training image is, `rows` (G,) which training image of each group is calibrated on.

    Where images are cut into tiles those to train on are tiles, some of each image, and `large` are
    the images to calibrate on, of each of which `calibration` holds one tile. `rows` then says of
    each which training tile is of its group, and `shrunk` has the training images whole, at the
    side of a tile.
    """

    train: ImageSet
    calibration: ImageSet
    different: int  # groups: images of which none is a copy of another, or parts
    kept_out: int  # images that are not trained on, copies and further pictures of parts included
    owners: Tensor | None = None
    rows: Tensor | None = None
    large: LargePictures | None = None
    shrunk: ImageSet | None = None


def load_normal(config: AnomalyConfig) -> Normal:
    """The normal images of the training split: those to train on and those to calibrate on."""
    everything, own = with_more(config)
    groups = copy_groups(everything.images)
    more_than_copies = int(groups[:own].max()) > 0
    notes = (*everything.notes, *told(groups))
    chosen = firsts(groups[:own]).nonzero()[:, 0]
    if config.group is not None:
        where = " and ".join(filter(None, (config.data, config.normal_more)))
        groups = joined(groups, named_groups(everything.names, config.group, where))
        chosen = one_of_each(groups[:own], config.seed)
        notes = (*notes, f"{own:,} images are of {len(chosen):,} parts (--group).")
    # Copies of an image say no more than the image, pictures of a part little more: one is enough.
    left_out = leaves_out(config, groups[:own], len(groups))
    held = torch.zeros(own, dtype=torch.bool)
    if not left_out:
        if more_than_copies:  # else `held_out` says so
            refuse_few(config, len(chosen))
        held = held_out(groups[:own], every(config), config.data)
    fitted, said = fitted_to(groups, held)
    train = everything if left_out else everything.only(fitted)
    train = replace(
        train,
        notes=(*notes, *said),
        skipped=everything.skipped,
        taken=everything.taken,
        names=tuple(compress(everything.names, fitted.tolist())),
    )
    if left_out:
        found = Normal(train, everything.only(chosen), len(chosen), 0, groups, chosen)
        return in_tiles(config, found, everything.names, own, fitted, chosen)
    chosen_kept = chosen[held[chosen]]
    found = Normal(train, everything.only(chosen_kept), len(chosen), int((~fitted).sum()))
    return in_tiles(config, found, everything.names, own, fitted, chosen_kept)


def in_tiles(
    config: AnomalyConfig,
    found: Normal,
    names: Sequence[str],
    own: int,
    fitted: Tensor,
    calibration: Tensor,
) -> Normal:
    """The same images cut into tiles, if that is asked for.

    Of the files `names` the first `own` are of `data`; `fitted` bool says which are trained on,
    `calibration` are the rows of those calibrated on.
    """
    if config.tile is None:
        return found
    assert config.tile_overlap is not None
    large = LargePictures.of(
        config.data, names[:own], config.tile, config.tile_overlap, config.bit_depth
    )
    left_out = found.owners is not None
    most = MOST_LEFT_OUT // grid_of(config.tile) ** 2 if left_out else MOST_TILES // config.tile**2
    each = min(max(1, most // len(found.train)), len(large.tiling.corners))
    rng = generator_for(config.seed, purpose="tiles")
    tiles = large.only(fitted[:own].nonzero()[:, 0]).some_tiles(each, rng)
    if config.normal_more is not None and bool(fitted[own:].any()):
        more = replace(large, path=config.normal_more, names=tuple(names[own:]))
        rows = fitted[own:].nonzero()[:, 0]
        tiles = torch.cat([tiles, more.only(rows).some_tiles(each, rng)])
    of_train = ImageSet.of(
        tiles, found.train.labels.repeat_interleave(each), found.train.classes,
        found.train.skipped, found.train.notes,
    )  # fmt: skip
    judged = large.only(calibration)
    return replace(
        found,
        train=replace(of_train, taken=found.train.taken),
        calibration=ImageSet.of(judged.some_tiles(1, rng)),
        owners=None if found.owners is None else found.owners.repeat_interleave(each),
        rows=None if found.rows is None else found.rows * each,
        large=judged,
        shrunk=found.train,
    )


def every(config: AnomalyConfig) -> int:
    """The k of which every k-th group is kept from training."""
    return round(1 / config.holdout)


def kept(groups: int, k: int) -> int:
    """How many groups are kept to calibrate on: every k-th, counted from the first."""
    return -(-groups // k)


def refuse_few(config: AnomalyConfig, groups: int) -> None:
    """Refuse too few groups to keep some of, before there is a run that could never begin."""
    k = every(config)
    count = kept(groups, k)
    if min(count, groups - count) >= FEWEST:
        return
    called = "part" if config.group else "different normal image"
    least = max(k + 1, 2 * FEWEST)
    if not config.learned and config.calibration != "held_out":
        least = min(least, FEWEST_LEFT_OUT)
    larger = ", or a larger --holdout" if k > 2 and groups >= 2 * FEWEST else ""
    keeps = f"of which --holdout {config.holdout:g} keeps {count} to calibrate on"
    raise ConfigError(
        f"{config.data} has {counted(groups, called)}, {keeps} and leaves {groups - count} to "
        f"train on; each needs {FEWEST}. Give {least:,} or more{larger}."
    )


def leaves_out(config: AnomalyConfig, groups: Tensor, fitted: int) -> bool:
    """Whether all images are trained on, and each is calibrated on by what the others say.

    `groups` (N,) are of those that may be calibrated on, `fitted` counts those beside them as well.
    """
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
    few = kept(count, every(config)) < images_needed(rate)
    return few and fitted * grid_of(config.resolution) ** 2 <= MOST_LEFT_OUT


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
        larger = "a larger --holdout, " if normal.rows is None and every(config) > 2 else ""
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
    noun = "parts" if config.group else "normal images"
    if normal.rows is not None:
        all_of_them = (
            f"All {len(normal.train):,} normal images are trained on, and {count:,} of them"
        )
        if normal.large:
            all_of_them = f"{len(normal.train):,} tiles are trained on, and {count:,} images"
        how = f"{all_of_them} calibrated on by what the others say (--calibration left_out)"
        least = f"; {rate:g} is the smallest false-alarm rate that they can promise"
        usual = f", and {USUAL_RATE:g} takes {images_needed(USUAL_RATE):,}"
        return [f"{how}{least}{usual}." if short else f"{how}."]
    k = every(config)
    share = f"{count:,} of {normal.different:,} {noun} are kept to calibrate on (one in {k})"
    if not short:
        # Only what a share is rounded to is news.
        return [] if f"{1 / k:.2f}" == f"{config.holdout:.2f}" else [f"{share}."]
    needed = (images_needed(USUAL_RATE) - 1) * k + 1
    return [
        f"{share}, which can promise a false-alarm rate of {rate:g} and none smaller."
        f"{better_rates(config, normal.different)} {USUAL_RATE:g} takes {needed:,} {noun}."
    ]


def better_rates(config: AnomalyConfig, groups: int) -> str:
    """What to type for a smaller rate than one in k of the `groups` can promise."""
    found = {}
    if every(config) > 2:
        found["--holdout 0.5"] = smallest_rate(kept(groups, 2))
    if groups >= FEWEST_LEFT_OUT:
        if config.learned and find_spec(LITE0) is not None:
            found["--method auto --calibration left_out"] = smallest_rate(groups)
        elif not config.learned:
            found["--calibration left_out"] = smallest_rate(groups)
    said = (f"'{flags}' would promise {rate:g}" for flags, rate in found.items())
    return f" {', '.join(said)};" if found else ""
