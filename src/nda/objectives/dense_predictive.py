"""Dense predictive coding with negatives: every predicted cell against every cell of the batch.

A clip is cut into blocks of frames, and each of its last P blocks becomes a map of cells. A cell
that was predicted from the blocks before is to be told apart (Han et al., 2019, section 3.2) from

- temporal negatives: the same place of the same clip in other blocks,
- spatial negatives: other places of the same clip,
- easy negatives: the cells of other clips,

and, with negative data augmentation (Sinha et al., 2021, section 5), from the cells of a negative
clip, whose texture and motion are those of the real one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from nda.errors import ConfigError, ShapeError

NegativesFrom = Literal["own", "all"]


class Kind(IntEnum):
    """What a column is to a row of the scores."""

    POSITIVE = 0
    TEMPORAL = 1
    SPATIAL = 2
    EASY = 3
    NDA = 4


@dataclass(frozen=True)
class DenseScores:
    """Scores of R predicted cells, in the order (clip, block, place), against C columns.

    `logits` is float32 `(R, C)`: first all target cells in the same order, then those of negative
    clips. `kinds`, int8 `(R, C)`, says what each column is (`Kind`), and `positive`, int64 `(R,)`,
    which one is the cell that was predicted. `negatives` are the kinds that there are columns of,
    as many in every row.
    """

    logits: Tensor
    kinds: Tensor
    positive: Tensor
    negatives: tuple[Kind, ...]


def dense_predictive(
    predicted: Tensor,
    target: Tensor,
    negative: Tensor | None = None,
    *,
    negatives_from: NegativesFrom = "own",
    temperature: float = 1.0,
    first: int = 0,
) -> Tensor:
    """Cross-entropy of each predicted cell's own target among all columns, averaged.

    The loss of Han et al. (2019, Equation 5), with the cells of negative clips in its denominator
    (Sinha et al., 2021, section 5). Arguments and errors are those of `dense_scores`.

    Examples:
        >>> cells = torch.randn(4, 2, 16, 3, 3)  # of 4 clips, the last 2 blocks
        >>> loss = nda.dense_predictive(cells, cells)  # predicted as they are
        >>> bool(loss < nda.dense_predictive(cells, cells.flip(0)))  # and as those of others
        True
    """
    return loss_of(
        dense_scores(
            predicted,
            target,
            negative,
            negatives_from=negatives_from,
            temperature=temperature,
            first=first,
        )
    )


def loss_of(scores: DenseScores) -> Tensor:
    """`dense_predictive` of scores that are there already; at chance it is log C."""
    return F.cross_entropy(scores.logits, scores.positive)


def dense_scores(
    predicted: Tensor,
    target: Tensor,
    negative: Tensor | None = None,
    *,
    negatives_from: NegativesFrom = "own",
    temperature: float = 1.0,
    first: int = 0,
) -> DenseScores:
    """Dot products of every predicted cell with every target cell and with cells of negatives.

    Computed in float32, also under mixed precision.

    Args:
        predicted: `(B, P, D, H, W)`, cells of D features.
        target: `(T, P, D, H, W)`, what the last P blocks of T clips are, those of `predicted`
            among them; T is B, or more where the targets of several processes are gathered.
        negative: `(N, P', D, H, W)`, cells of negative clips.
        negatives_from: own compares a clip with the cells of its own negative alone, which takes
            N = B; all compares it with those of all N.
        temperature: what the dot products are divided by; 1 as published.
        first: place in `target` of the first clip of `predicted`.

    Raises:
        ShapeError: where shapes do not match.
        ConfigError: for a temperature that is not above 0, or another `negatives_from`.
    """
    if not 0 < temperature < math.inf:
        raise ConfigError(f"temperature is {temperature}; it must be above 0, such as 1.")
    if negatives_from not in ("own", "all"):
        raise ConfigError(f"negatives_from is {negatives_from!r}; give own or all.")
    own = negatives_from == "own"
    _check(predicted, target, negative, first, own)
    with torch.autocast(predicted.device.type, enabled=False):
        rows, columns = cells(predicted).float(), cells(target).float()
        logits = rows.flatten(0, 1) @ columns.flatten(0, 1).T  # (B P S, T P S)
        kinds = target_kinds(predicted, target, first)
        if negative is not None:
            made = cells(negative).float()
            if own:
                against = torch.einsum("brd,bcd->brc", rows, made).flatten(0, 1)  # (B P S, P' S)
            else:
                against = rows.flatten(0, 1) @ made.flatten(0, 1).T  # (B P S, N P' S)
            logits = torch.cat([logits, against], dim=1)
            kinds = torch.cat([kinds, torch.full_like(against, Kind.NDA, dtype=torch.int8)], 1)
        start = first * rows.shape[1]
        positive = torch.arange(start, start + rows.shape[:2].numel(), device=rows.device)
        _, steps, _, height, width = predicted.shape
        present = _present(steps, height * width, len(target), negative is not None)
        return DenseScores(logits / temperature, kinds, positive, present)


def cells(features: Tensor) -> Tensor:
    """`(B, P, D, H, W)` as `(B, P * H * W, D)`: blocks in order, places in reading order."""
    return features.movedim(2, -1).flatten(1, 3)


def target_kinds(predicted: Tensor, target: Tensor, first: int = 0) -> Tensor:
    """What each target cell is to each predicted one: int8 `(B P S, T P S)` of `Kind`."""
    (batch, steps, _, height, width), clips = predicted.shape, len(target)
    places, device = height * width, predicted.device
    row = torch.arange(batch * steps * places, device=device)[:, None] + first * steps * places
    column = torch.arange(clips * steps * places, device=device)
    same_clip = row // (steps * places) == column // (steps * places)
    same_place = row % places == column % places
    kinds = torch.full(same_clip.shape, Kind.EASY, dtype=torch.int8, device=device)
    kinds.masked_fill_(same_clip, Kind.SPATIAL)
    kinds.masked_fill_(same_clip & same_place, Kind.TEMPORAL)
    return kinds.masked_fill_(row == column, Kind.POSITIVE)


def dense_accuracies(scores: DenseScores) -> dict[str, Tensor]:
    """How often the positive is found, as shares of the rows on the scores' device.

    `top1`, `top3` and `top5` are taken among all columns. `over_temporal`, `over_spatial`,
    `over_easy` and `over_nda` are how often the positive stands above every column of that kind;
    they are left out where there is no such column. A tie counts as not found, so that features
    that are alike everywhere find nothing.
    """
    logits, kinds = scores.logits.detach(), scores.kinds
    own = logits.gather(1, scores.positive[:, None])
    above = (logits >= own) & (kinds != Kind.POSITIVE)  # (R, C): columns that beat the positive
    rank = above.sum(dim=1)
    accuracies = {f"top{most}": (rank < most).float().mean() for most in (1, 3, 5)}
    for kind in scores.negatives:
        beaten = (above & (kinds == kind)).any(dim=1)
        accuracies[f"over_{kind.name.lower()}"] = 1 - beaten.float().mean()
    return accuracies


def _present(steps: int, places: int, clips: int, nda: bool) -> tuple[Kind, ...]:
    """The kinds of negatives that there are; from sizes, as a GPU would have to be waited for."""
    there = {
        Kind.TEMPORAL: steps > 1,
        Kind.SPATIAL: places > 1,
        Kind.EASY: clips > 1,
        Kind.NDA: nda,
    }
    return tuple(kind for kind, present in there.items() if present)


def _check(
    predicted: Tensor, target: Tensor, negative: Tensor | None, first: int, own: bool
) -> None:
    if predicted.dim() != 5 or 0 in predicted.shape:
        raise ShapeError(
            f"predicted must be (B, P, D, H, W), none of them 0; got {tuple(predicted.shape)}."
        )
    batch = len(predicted)
    if target.dim() != 5 or target.shape[1:] != predicted.shape[1:]:
        raise ShapeError(
            f"target must have the cells of predicted, {tuple(predicted.shape[1:])} a clip; got "
            f"{tuple(target.shape)}."
        )
    if not 0 <= first <= len(target) - batch:
        raise ShapeError(
            f"predicted holds {batch} clips and target {len(target)}, so first must lie between "
            f"0 and their difference; got {first}."
        )
    if negative is None:
        return
    if negative.dim() != 5 or negative.shape[2] != predicted.shape[2] or 0 in negative.shape:
        raise ShapeError(
            f"negative must be (N, P', {predicted.shape[2]}, H, W) as predicted is; got "
            f"{tuple(negative.shape)}."
        )
    if own and len(negative) != batch:
        raise ShapeError(
            f"negatives_from own needs a negative for each of the {batch} clips; got "
            f"{len(negative)}. Give as many, or negatives_from all."
        )
