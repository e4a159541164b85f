"""Which negatives are valid and informative for some images: what `nda check` measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from nda.evaluation.validity.distance import Distance, distances_to_data
from nda.evaluation.validity.paired_auroc import PairedAurocs, folded_aurocs, paired_aurocs
from nda.evaluation.validity.probes import ProbeScores, nulls_and_negatives, probe_negatives
from nda.evaluation.validity.verdict import Control, Judgement, judge
from nda.negatives import Negative
from nda.negatives.twins import softened
from nda.runtime.progress import progress
from nda.runtime.seeding import generator_for

COMPARED = 2000  # held-out images that the distance is taken on, at most
EXAMPLES = 6  # images shown with their negatives
HELD_OUT = 5  # one image in so many; of few images each in turn


@dataclass(frozen=True)
class CheckedNegative:
    """One negative: what the probes found, or why it could not be made of these images."""

    name: str
    refused: str = ""
    found: PairedAurocs | None = None  # global, local, and the global less the local
    distance: Distance | None = None
    judgement: Judgement | None = None
    examples: Tensor | None = None  # uint8 (n, 3, H, W), made of the first held-out images

    @property
    def title(self) -> str:
        return self.name.replace("_", " ")


def check_negatives(
    train: Tensor,
    heldout: Tensor,
    negatives: Mapping[str, Negative],
    *,
    steps: int = 300,
    seeds: int = 1,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> dict[str, CheckedNegative]:
    """Whether small networks tell each negative from images, and by what; and how far it lies off.

    `train` and `heldout` are uint8 (N, 3, H, H). For each negative a probe that sees whole images
    and one that sees 7 x 7 pixels learn for `steps` steps on `train` to tell it from images and
    their nulls; AUROCs (0 to 1) and 95 % intervals are those of the nulls of held-out images, over
    all of `seeds` trainings. The distance, from 0 on, is taken from at most 2,000 of these nulls.
    The same `seed` gives the same figures.

    Raises `ShapeError` where a negative cannot be made of the images.
    """
    scores = _probe_repeatedly(train, heldout, negatives, steps, seeds, seed, torch.device(device))
    checked = {}
    for name, negative in negatives.items():
        found = paired_aurocs([s.whole for s in scores[name]], [s.local for s in scores[name]])
        checked[name] = _judged(name, negative, found, heldout[:COMPARED], seed)
    return checked


def check_few(
    images: Tensor,
    negatives: Mapping[str, Negative],
    *,
    steps: int = 300,
    seeds: int = 1,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> dict[str, CheckedNegative]:
    """As `check_negatives`, of at least 40 images (N, 3, H, H), each held out in one of five folds.

    All are judged, at five times the work, and intervals are those of `folded_aurocs`.
    """
    parts, torch_device = images.tensor_split(HELD_OUT), torch.device(device)
    folds = []
    for index, heldout in enumerate(parts):
        train = torch.cat([*parts[:index], *parts[index + 1 :]])
        folds.append(_probe_repeatedly(train, heldout, negatives, steps, seeds, seed, torch_device))
    checked = {}
    for name, negative in negatives.items():
        scores = [
            list(repetition) for repetition in zip(*(fold[name] for fold in folds), strict=True)
        ]
        found = folded_aurocs(
            [[fold.whole for fold in repetition] for repetition in scores],
            [[fold.local for fold in repetition] for repetition in scores],
        )
        checked[name] = _judged(name, negative, found, images, seed, few=True)
    return checked


def _judged(
    name: str,
    negative: Negative,
    found: PairedAurocs,
    compared: Tensor,
    seed: int,
    *,
    few: bool = False,
) -> CheckedNegative:
    draws = generator_for(seed, purpose=f"check {name}")  # no kind's depend on the others
    null, made = nulls_and_negatives(compared, negative, draws)
    halves = generator_for(seed, purpose="check halves")
    distance = distances_to_data(null, {name: made}, generator=halves)[name]
    control = Control(not torch.equal(null, compared), softened(name), few)
    judgement = judge(found, distance, control)
    return CheckedNegative(name, "", found, distance, judgement, made[:EXAMPLES])


def _probe_repeatedly(
    train: Tensor,
    heldout: Tensor,
    negatives: Mapping[str, Negative],
    steps: int,
    seeds: int,
    seed: int,
    device: torch.device,
) -> dict[str, list[ProbeScores]]:
    """Scores of every negative, one a training."""
    scores: dict[str, list[ProbeScores]] = {name: [] for name in negatives}
    with progress("probing", seeds * steps * len(negatives)) as advance:
        for repetition in range(seeds):
            found = probe_negatives(
                train,
                heldout,
                negatives,
                steps=steps,
                seed=seed + repetition,
                device=device,
                advance=advance,
            )
            for name, one in found.items():
                scores[name].append(one)
    return scores
