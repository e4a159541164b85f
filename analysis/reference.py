"""Templates, one of each part: what the difference from them finds beside the images alone.

Two sets that are made (`reference_sets`), three seeds each: 8 parts, of each 10 images to fit to, 5
to calibrate on, 10 normal and 10 faulty ones to test with. Arms:

- `alone`: the methods that are fitted at once, without templates;
- `reference`: the same on differences from the template, which is found, moved and lit;
- `wrong`: the control: the templates are those of eight parts that no image shows;
- `unmoved`: the template that was found and lit, but not moved;
- `pixels`: no network: the registered template's difference in pixels, smoothed a little. The
  largest of the three channels, highest place of the image.

    python analysis/reference.py --data FOLDER_OF_ZIPS --out results/anomaly/reference.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
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
from nda.networks.pretrained.fitted import FITTED, build_fitted
from nda.networks.pretrained.lite0 import pretrained_trunk
from nda.networks.pretrained.registration import Registration

SEEDS = 3


def registration_of(templates: Tensor) -> Registration:
    found = Registration(SIDE, len(templates))
    found.templates.copy_(templates)
    return found


def unmoved(registration: Registration, images: Tensor) -> Tensor:
    number, shift, _ = registration.find(images)
    return registration.place(images, number, torch.zeros_like(shift))


@torch.no_grad()
def differences(trunk: Any, images: Tensor, other: Callable[[Tensor], Tensor] | None) -> Kept:
    """The maps of all images, less those of what `other` makes of each."""
    found = []
    for part in images.split(32):
        some = to_float(part)
        maps = trunk(some)
        if other is not None:
            maps = [a - b for a, b in zip(maps, trunk(other(some)), strict=True)]
        found.append(maps)
    return Kept([torch.cat(level) for level in zip(*found, strict=True)])


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


def by_method(parts: Parts, kept: Kept, methods: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Every method on these features, and which of them auto would take."""
    found: dict[str, dict[str, Any]] = {}
    fit = parts.rows("fit")
    for method in methods:
        network = build_fitted(method, "lite0", SIDE, len(fit))
        network.trunk = kept
        network.fit(fit.split(32))
        found[method] = measured(
            parts,
            lambda rows, network=network: torch.cat([network(some) for some in rows.split(32)]),
            network.pooling,
        )
    share = place_share(kept, SIDE, fit.split(32))
    found["auto"] = {"takes": fitting_method(share), "place_share": round(share, 4)}
    return found


def in_pixels(parts: Parts, registration: Registration) -> dict[str, Any]:
    """The cheapest thing to do with templates: subtract them."""

    def maps_of(rows: Tensor) -> Tensor:
        images = to_float(parts.images[rows])
        apart = (images - registration(images)).abs().amax(dim=1, keepdim=True)
        return F.avg_pool2d(apart, 5, stride=1, padding=2)[:, 0]

    return measured(parts, maps_of, "max")


@torch.no_grad()
def registered(parts: Parts, registration: Registration) -> dict[str, float]:
    """How often the template of the part is found, and how far its shift is from the true one."""
    number, shift, fit = map(
        torch.cat,
        zip(*(registration.find(to_float(some)) for some in parts.images.split(32)), strict=True),
    )
    away = (shift - parts.shift).norm(dim=1)
    return {
        "right": round(float((number == parts.part).float().mean()), 4),
        "median_error": round(float(away.median()), 4),
        "largest_error": round(float(away.max()), 4),
        "lowest_correlation": round(float(fit.min()), 4),
        "median_correlation": round(float(fit.median()), 4),
    }


def rows_of(parts: Parts, seed: int, trunk: Any) -> list[dict[str, Any]]:
    """All arms on one set of one seed."""
    right, wrong = registration_of(parts.templates), registration_of(parts.others)
    arms: list[tuple[str, Callable[[Tensor], Tensor] | None, tuple[str, ...]]] = [
        ("alone", None, FITTED),
        ("reference", right, FITTED),
        ("wrong", wrong, FITTED[:2]),
        ("unmoved", lambda images: unmoved(right, images), FITTED[:2]),
    ]
    rows: list[dict[str, Any]] = []
    about = {"set": parts.name, "seed": seed}
    for arm, other, methods in arms:
        kept = differences(trunk, parts.images, other)
        for method, row in by_method(parts, kept, methods).items():
            rows.append({**about, "arm": arm, "method": method, **row})
    for arm, registration in (("pixels", right), ("pixels, wrong", wrong)):
        rows.append({**about, "arm": arm, "method": "pixels", **in_pixels(parts, registration)})
    for arm, registration in (("reference", right), ("wrong", wrong)):
        rows.append({**about, "arm": arm, "method": "fit", **registered(parts, registration)})
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
        for parts in (boards(seed), prints(seed, options.data)):
            kept += rows_of(parts, seed, trunk)
            options.out.write_text(json.dumps({"rows": kept}, indent=1) + "\n", encoding="utf-8")
            print(*(row for row in kept[-20:]), sep="\n", flush=True)


if __name__ == "__main__":
    main()
