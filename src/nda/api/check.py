"""What `nda check` does: load the images, probe each negative, judge, and tell.

Kept apart from the options, so that `--help` does not wait for torch.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from rich import box
from rich.table import Table
from torch import Tensor

from nda.api.settings import MIN_IMAGES, CheckOptions
from nda.data.images.load import load_images
from nda.data.reading.layout import class_names
from nda.errors import DataError
from nda.evaluation.record import Protocol
from nda.evaluation.validity.distance import distances_to_data
from nda.evaluation.validity.paired_auroc import paired_aurocs
from nda.evaluation.validity.probes import ProbeScores, probe_negatives
from nda.evaluation.validity.verdict import judge
from nda.negatives import Negative
from nda.negatives.named import negatives_from_list, suited
from nda.report.check_table import HEADER, Checked, CheckedNegative, cells
from nda.report.words import data_name, number, skipped_note
from nda.runtime.console import console
from nda.runtime.devices import choose_device
from nda.runtime.files import write_text_atomically
from nda.runtime.progress import progress
from nda.runtime.seeding import generator_for
from nda.validators import counted

HELD_OUT = 5  # one image in so many
COMPARED = 2000  # held-out images that the distance is taken on, at most
EXAMPLES = 6  # images shown with their negatives
_SLOW = 96  # pixels: from this side on, probes take minutes


def measure(options: CheckOptions) -> Checked:
    """Probe the negatives that the options name on the images that they name.

    Raises `DataError` for too few images and `ShapeError` where not a single negative can be made
    of them.
    """
    device = choose_device(options.device)
    asked = negatives_from_list(options.negatives)
    data = load_images(
        options.images,
        resolution=options.resolution,
        classes=class_names(options.classes),
        skip_broken=options.skip_broken,
        bit_depth=options.bit_depth,
        most=options.count,
        generator=generator_for(options.seed, purpose="check images"),
    )
    train, heldout = divide(data.images, options)
    usable, refused = suited(asked, heldout[:2])
    if heldout.shape[-1] >= _SLOW:
        print(
            f"nda: images of {heldout.shape[-1]} pixels take long; --resolution 64 is faster.",
            file=sys.stderr,
        )
    scores = probe_repeatedly(train, heldout, usable, options, device)
    examples, made = heldout[:EXAMPLES], negatives_of(heldout[:COMPARED], usable, options.seed)
    distances = distances_to_data(
        heldout[:COMPARED], made, generator=generator_for(options.seed, purpose="check halves")
    )
    rows = {name: CheckedNegative(name, reason) for name, reason in refused.items()}
    for name in usable:
        found = paired_aurocs([s.whole for s in scores[name]], [s.local for s in scores[name]])
        judgement = judge(found, distances[name])
        shown = made[name][: len(examples)]
        rows[name] = CheckedNegative(name, "", found, distances[name], judgement, shown)
    return Checked(
        title=f"Which negatives suit {data_name(options.images)}?",
        summary=f"{number(len(train))} images of {data_name(options.images)} to learn from and "
        f"{number(len(heldout))} held out, at {heldout.shape[-1]} x {heldout.shape[-1]} pixels; "
        f"probes trained for {number(options.steps)} steps, "
        + ("once." if options.seeds == 1 else f"{options.seeds} times."),
        notes=[*([skipped_note(len(data.skipped))] if data.skipped else []), *data.told],
        protocol=_protocol(options, len(train), heldout),
        negatives=[rows[name] for name in asked],
        examples=examples,
    )


def divide(images: Tensor, options: CheckOptions) -> tuple[Tensor, Tensor]:
    """Images to learn from and images held out, of some in random order; refuses too few."""
    if len(images) < MIN_IMAGES:
        raise DataError(
            f"{options.images} gives {counted(len(images), 'image')}, and a check needs at least "
            f"{MIN_IMAGES}, of which a fifth is held out; give more images"
            + (" or more --classes." if options.classes else ".")
        )
    cut = len(images) // HELD_OUT
    return images[cut:], images[:cut]


def probe_repeatedly(
    train: Tensor,
    heldout: Tensor,
    negatives: Mapping[str, Negative],
    options: CheckOptions,
    device: torch.device,
) -> dict[str, list[ProbeScores]]:
    """Scores of every negative, one a training."""
    scores: dict[str, list[ProbeScores]] = {name: [] for name in negatives}
    with progress("probing", options.seeds * options.steps * len(negatives)) as advance:
        for repetition in range(options.seeds):
            found = probe_negatives(
                train,
                heldout,
                negatives,
                steps=options.steps,
                seed=options.seed + repetition,
                device=device,
                advance=advance,
            )
            for name, one in found.items():
                scores[name].append(one)
    return scores


def negatives_of(images: Tensor, negatives: Mapping[str, Negative], seed: int) -> dict[str, Tensor]:
    """A negative of every image, of each kind; no kind's draws depend on the others."""
    return {
        name: negative(images, generator=generator_for(seed, purpose=f"check {name}"))
        for name, negative in negatives.items()
    }


def show(checked: Checked) -> None:
    """Print what was checked, the table, and the reasons."""
    out = console()
    out.print(checked.summary)
    for note in checked.notes:
        out.print(f"note: {note}")
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column, heading in enumerate(HEADER):
        short = heading.removesuffix(" AUROC")  # fits 80 columns
        table.add_column(short, justify="right" if 0 < column < 5 else "left", no_wrap=column > 0)
    for row in checked.negatives:
        table.add_row(row.title, *(["not measured"] if row.refused else cells(row, brief=True)))
    out.print(table)
    reading = "global, local: AUROCs of the probes that see all of an image, or 7 x 7 pixels of it."
    out.print(reading + " ± is half a 95 % interval.")
    for row in checked.negatives:
        why = f"not measured: {row.refused}" if row.judgement is None else row.judgement.reason
        out.print(f"{row.title}: {why}")


def write_figures(path: Path, checked: Checked, command: str) -> Path:
    """Keep what was measured, with what to type to measure it again."""
    content = {
        "command": command,
        "summary": checked.summary,
        "notes": list(checked.notes),
        "protocol": checked.protocol,
        "negatives": {row.name: _figures(row) for row in checked.negatives},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomically(path, json.dumps(content, indent=1, allow_nan=False) + "\n")
    return path


def _figures(row: CheckedNegative) -> dict[str, object]:
    if row.found is None or row.distance is None or row.judgement is None:
        return {"not_measured": row.refused}
    return {
        "global": asdict(row.found.first),
        "local": asdict(row.found.second),
        "difference": asdict(row.found.difference),
        "distance": asdict(row.distance),
        **asdict(row.judgement),
    }


def _protocol(options: CheckOptions, train: int, heldout: Tensor) -> Protocol:
    return {
        "data": data_name(options.images),
        "images_to_learn_from": train,
        "images_held_out": len(heldout),
        "resolution": heldout.shape[-1],
        "steps": options.steps,
        "seeds": options.seeds,
        "seed": options.seed,
    }
