"""Negatives against a copy: types, layouts, clips, batches, sides, grids and mixtures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

import negatives
from nda.negatives import negative_from_name
from negatives import Contender
from suite.spread import slope, told

SOME = ("jigsaw", "stitch", "cutout", "cutmix", "mixup", "blemish")
FIVE = ["jigsaw", "stitch", "cutout", "cutmix", "mixup"]


@dataclass(frozen=True)
class Case:
    """Contenders on one batch; `part` is what changes among cases of that name, `size` how far."""

    part: str
    shape: tuple[int, ...]
    names: tuple[str, ...]
    size: int = 0
    dtype: str = "float32"
    channels_last: bool = False
    peers: bool = False


def cases(quick: bool) -> Iterator[Case]:
    """Every setting; the small ones of `quick` only show that it runs."""
    shapes = [(8, 3, 32, 32)] if quick else negatives.SIZES
    every = SOME if quick else tuple(negatives.NEGATIVES)
    for shape in shapes:
        for dtype in ("float32", "uint8"):
            yield Case("types", shape, every, dtype=dtype, peers=True)
        yield Case("types", shape, every, channels_last=True)
    for dtype in ("float32", "uint8"):
        yield Case("clips", (2, 4, 3, 32, 32) if quick else (8, 8, 3, 64, 64), SOME, dtype=dtype)
    for batch in (2, 8) if quick else (2, 4, 16, 64, 256, 1024, 4096):
        yield Case("batch", (batch, 3, 32, 32), SOME, batch)
    for side in (16, 32) if quick else (16, 32, 64, 128, 256):
        yield Case("pixels of an image", (16, 3, side, side), SOME, side**2)
    for grid in (2, 4) if quick else (2, 4, 8, 16):
        yield Case("tiles", (16, 3, 64, 64), (f"jigsaw:grid={grid}",), grid**2)
    for count in (1, 2) if quick else range(1, 6):
        yield Case("members of a mixture", (256, 3, 32, 32), ("+".join(FIVE[:count]),), count)


def batch(case: Case) -> Tensor:
    x = negatives.batch(negatives.Setting(case.shape, case.dtype, 1), torch.device("cpu"))
    return x.to(memory_format=torch.channels_last) if case.channels_last else x


def contenders(case: Case) -> list[Contender]:
    rng = torch.Generator().manual_seed(0)
    found = [Contender("copy", "torch", None, torch.clone)]
    for name in case.names:
        found.append(Contender(name, "nda", True, partial(negative_from_name(name), generator=rng)))
    if case.peers:
        found += [
            c
            for c in negatives.all_contenders(torch.device("cpu"))[0]
            if c.source not in ("torch", "nda")
        ]
    return found


def rows_of(case: Case, turns: int, calls: int) -> list[dict[str, Any]]:
    """A row each for those who take the batch."""
    x = batch(case)
    willing = [c for c in contenders(case) if not negatives.refusal_of(c, x, 1)]
    times = negatives.turns(willing, x, count=turns, calls=calls, clock=time.process_time)
    about = {"part": case.part, "shape": case.shape, "dtype": case.dtype, "size": case.size}
    about["channels_last"] = case.channels_last
    return [
        {**about, "name": c.name, "source": c.source, **told(times[c], times[willing[0]])}
        for c in willing
    ]


def growth(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How the time of each grows with the size, as a power; a copy's beside it."""
    series: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        one_name = row["part"] in ("batch", "pixels of an image")
        if row["size"] and (one_name or row["source"] == "nda"):
            name = row["name"] if one_name else "jigsaw" if row["part"] == "tiles" else "mixture"
            series.setdefault((row["part"], name), []).append(row)
    return [
        {
            "with": part,
            "name": name,
            "sizes": [row["size"] for row in of],
            "seconds": [row["seconds"] for row in of],
            "slope": slope([row["size"] for row in of], [row["seconds"] for row in of]),
        }
        for (part, name), of in series.items()
    ]


def measured(*, quick: bool) -> dict[str, Any]:
    """All rows, and how times grow."""
    turns, calls = (2, 2) if quick else (9, 4)
    rows = [row for case in cases(quick) for row in rows_of(case, turns, calls)]
    return {"rows": rows, "growth": growth(rows)}
