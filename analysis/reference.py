"""Templates, one of each part: what the difference from them finds beside the images alone.

Three sets that are made (`reference_sets`), three seeds each: 8 parts, of each 10 images to fit to,
5 to calibrate on, 10 normal and 10 faulty ones to test with. Arms:

- `alone`: methods that are fitted at once, without templates, and what `auto` takes of them;
- `reference`: the same on differences from the template, which is found, moved and lit;
- `wrong`: the control: the templates are those of eight parts that no image shows;
- `unmoved`: the template that was found and lit, but not moved.

Beside them `pixels`, no network at all: the template is subtracted, of the channels the largest
difference is taken in the mean over 5 x 5 pixels, and of an image its highest place.

    python analysis/reference.py --data FOLDER_OF_ZIPS --out results/anomaly/reference.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from anomaly_methods import figures
from anomaly_sets import SIDE, Kept, Task
from reference_sets import BOARD_FAULTS, PRINT_FAULTS, Parts, boards, prints
from torch import Tensor

from nda.data import to_float
from nda.evaluation.outliers.detector import image_scores
from nda.networks.pretrained.choice import fitting_method, place_share
from nda.networks.pretrained.fitted import build_fitted
from nda.networks.pretrained.lite0 import pretrained_trunk
from nda.networks.pretrained.registration import Registration

SEEDS = 3
METHODS = ("gaussian", "memory")
LOOSE = 0.7  # pixels and degrees


def registration_of(templates: Tensor) -> Registration:
    found = Registration(SIDE, len(templates))
    found.templates.copy_(templates)
    return found


@torch.no_grad()
def found_by(registration: Registration, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Template, shift and correlation of all images, as `Registration.find`."""
    found = [registration.find(to_float(some)) for some in images.split(32)]
    number, shift, fit = (torch.cat(each) for each in zip(*found, strict=True))
    return number, shift, fit


@torch.no_grad()
def placed(
    registration: Registration, images: Tensor, number: Tensor, shift: Tensor
) -> list[Tensor]:
    """The templates laid onto the images, some at a time."""
    parts = zip(images.split(32), number.split(32), shift.split(32), strict=True)
    return [registration.place(to_float(some), n, by) for some, n, by in parts]


@torch.no_grad()
def seen_by(trunk: Any, batches: Iterable[Tensor]) -> list[Tensor]:
    """The maps of all images, a tensor a level."""
    return [torch.cat(level) for level in zip(*(trunk(some) for some in batches), strict=True)]


def task_of(parts: Parts, faulty: Tensor) -> Task:
    """What `figures` asks for."""
    kinds = [parts.role[row] for row in faulty.tolist()]
    none = torch.empty(0)
    return Task(parts.name, none, parts.images[faulty], none, parts.masks[faulty], kinds)


@torch.no_grad()
def measured(parts: Parts, maps_of: Callable[[Tensor], Tensor], pooling: str) -> dict[str, Any]:
    """Calibrate and test what gives maps of the rows of images."""
    faulty = parts.rows(*BOARD_FAULTS, *PRINT_FAULTS)
    heat = {name: maps_of(rows) for name, rows in (
        ("known", parts.rows("known")), ("test", parts.rows("test")), ("faulty", faulty),
    )}  # fmt: skip
    scores = {name: image_scores(each, pooling) for name, each in heat.items()}
    return figures(task_of(parts, faulty), heat, scores, scores["known"])


@torch.no_grad()
def by_method(parts: Parts, maps: list[Tensor], *, auto: bool = False) -> dict[str, dict[str, Any]]:
    """Methods on these features; with `auto` also that which auto would take of the images."""
    found: dict[str, dict[str, Any]] = {}
    kept, fit = Kept(maps), parts.rows("fit")
    methods = list(METHODS)
    if auto:
        share = place_share(kept, SIDE, fit.split(32))
        found["auto"] = {"takes": fitting_method(share), "place_share": round(share, 4)}
        methods += [found["auto"]["takes"]] * (found["auto"]["takes"] not in METHODS)
    for method in methods:
        network = build_fitted(method, "lite0", SIDE, len(fit))
        network.trunk = kept
        network.fit(fit.split(32))
        found[method] = measured(parts, partial(maps_of, network), network.pooling)
    return found


def maps_of(network: Any, rows: Tensor) -> Tensor:
    return torch.cat([network(some) for some in rows.split(32)])


def in_pixels(parts: Parts, templates: Tensor) -> dict[str, Any]:
    """The cheapest thing to do with templates `(N, 3, S, S)`, laid onto the images: subtract."""
    apart = (to_float(parts.images) - templates).abs().amax(dim=1, keepdim=True)
    heat = F.avg_pool2d(apart, 5, stride=1, padding=2)[:, 0]
    return measured(parts, lambda rows: heat[rows], "max")


def fits(parts: Parts, number: Tensor, shift: Tensor, fit: Tensor) -> dict[str, float]:
    """How often the template of the part is found, and how far its shift is from the true one."""
    away = (shift - parts.shift).norm(dim=1)
    return {
        "right": round(float((number == parts.part).float().mean()), 4),
        "median_error": round(float(away.median()), 4),
        "error_of_95": round(float(away.quantile(0.95)), 4),
        "lowest_correlation": round(float(fit.min()), 4),
        "median_correlation": round(float(fit.median()), 4),
    }


def rows_of(parts: Parts, seed: int, trunk: Any) -> list[dict[str, Any]]:
    """All arms on one set of one seed."""
    own = seen_by(trunk, (to_float(some) for some in parts.images.split(32)))
    rows: list[dict[str, Any]] = []

    def add(arm: str, found: dict[str, dict[str, Any]]) -> None:
        for method, row in found.items():
            rows.append({"set": parts.name, "seed": seed, "arm": arm, "method": method, **row})
            print(rows[-1], flush=True)

    def compare(arm: str, laid: list[Tensor]) -> None:
        theirs = seen_by(trunk, laid)
        found = by_method(parts, [a - b for a, b in zip(own, theirs, strict=True)])
        add(arm, {**found, "pixels": in_pixels(parts, torch.cat(laid))})

    add("alone", by_method(parts, own, auto=True))
    for arm, templates in (("reference", parts.templates), ("wrong", parts.others)):
        registration = registration_of(templates)
        number, shift, fit = found_by(registration, parts.images)
        add(arm, {"fit": fits(parts, number, shift, fit)})
        compare(arm, placed(registration, parts.images, number, shift))
        if arm == "reference":
            still = torch.zeros_like(shift)
            compare("unmoved", placed(registration, parts.images, number, still))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    trunk = pretrained_trunk(top=True).eval()
    kept: list[dict[str, Any]] = []
    for seed in range(options.seeds):
        for parts in (boards(seed), boards(seed, loose=LOOSE), prints(seed, options.data)):
            kept += rows_of(parts, seed, trunk)
            options.out.write_text(json.dumps({"rows": kept}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
