"""Negatives beside those of another checkout, in one process and in turns: before and after.

    python benchmarks/against.py OTHER/src [--names blemish jigsaw+stitch] [--out FILE]

Told are the processor's times of a call on one thread as multiples of a copy of the batch, and what
the one takes of the other's; also whether both draw the same of a seed and make the same of the
draw, to the last bit. A lower decile is given beside the median: other programs only add.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from record import keep, parsed
from rich.console import Console
from rich.table import Table
from torch import Tensor

from nda.negatives import negative_from_name
from negatives import keep_freed_memory

SIZES = [(256, 3, 32, 32), (64, 3, 128, 128)]
KINDS = ("float32", "uint8", "channels-last")
NAMES = ["jigsaw", "stitch", "cutout", "cutmix", "mixup", "blemish", "blemish:seam=feather"]
NAMES += ["jigsaw+stitch", "jigsaw+stitch+cutout+cutmix+mixup"]


def other_negatives(source: Path) -> Callable[[str], Any]:
    """`negative_from_name` of the checkout, whose modules then stand beside ours."""
    if not (source / "nda").is_dir():
        raise SystemExit(f"{source} holds no package nda; give the src folder of a checkout")
    ours = {name: m for name, m in sys.modules.items() if name.partition(".")[0] == "nda"}
    for name in ours:
        del sys.modules[name]
    sys.path.insert(0, str(source))
    try:
        made: Callable[[str], Any] = importlib.import_module("nda.negatives").negative_from_name
    finally:
        sys.path.remove(str(source))
        for name in [name for name in sys.modules if name.partition(".")[0] == "nda"]:
            del sys.modules[name]
        sys.modules.update(ours)
    return made


def batch(shape: tuple[int, ...], kind: str) -> Tensor:
    values = torch.randint(256, shape, generator=torch.Generator().manual_seed(0))
    if kind == "uint8":
        return values.to(torch.uint8)
    x = values / 127.5 - 1
    return x.to(memory_format=torch.channels_last) if kind == "channels-last" else x


def alike(now: Any, before: Any, x: Tensor) -> dict[str, bool]:
    drawn, past = (each.draw(x, torch.Generator().manual_seed(1)) for each in (now, before))
    draws = drawn.keys() == past.keys() and all(torch.equal(drawn[k], past[k]) for k in past)
    return {
        "same_draws": draws,
        "same_result": torch.equal(now.replay(x, past), before.replay(x, past)),
    }


def row(name: str, x: Tensor, kind: str, other: Callable[[str], Any], turns: int) -> dict[str, Any]:
    runs: dict[str, Any] = {"copy": torch.clone, "before": other(name)}
    runs["now"] = negative_from_name(name)
    times: dict[str, list[float]] = {each: [] for each in runs}
    for _ in range(turns):
        for each, run in runs.items():
            for _ in range(4):
                started = time.process_time()
                run(x)
                times[each].append(time.process_time() - started)
    found: dict[str, Any] = {"name": name, "shape": list(x.shape), "kind": kind}
    for what, of in (("median", statistics.median), ("lower_decile", lower_decile)):
        copy, before, now = (of(times[each]) for each in ("copy", "before", "now"))
        found[what] = {"before": before / copy, "now": now / copy, "share": now / before}
    return found | alike(runs["now"], runs["before"], x)


def lower_decile(values: list[float]) -> float:
    return sorted(values)[len(values) // 10]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path)
    parser.add_argument("--names", nargs="+", default=NAMES)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--out", type=Path)
    options = parsed(parser, turns=2, names=["blemish", "jigsaw+stitch"])
    keep_freed_memory()
    torch.set_num_threads(1)
    other, rows = other_negatives(options.other), []
    table = Table("negative", "batch", "before", "now", "share", "same draws", "same result")
    for shape in [(8, 3, 32, 32)] if options.quick else SIZES:
        for kind in KINDS:
            for name in options.names:
                found = row(name, batch(shape, kind), kind, other, options.turns)
                rows.append(found)
                told = [f"{found['lower_decile'][what]:.2f}" for what in ("before", "now", "share")]
                same = [str(found[what]) for what in ("same_draws", "same_result")]
                table.add_row(name, f"{'x'.join(map(str, shape))} {kind}", *told, *same)
    Console().print(table)
    keep(
        options,
        {"rows": rows},
        command="python benchmarks/against.py OTHER/src",
        apart=("out", "other"),
    )


if __name__ == "__main__":
    main()
