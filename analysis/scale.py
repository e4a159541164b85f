"""A projection of training on many devices, from what a step of each experiment costs.

    python analysis/scale.py results/benchmarks/published_steps.json \\
      --out results/benchmarks/scale.json

It prints the tables of docs/scale.md. Measured are the operations, the numbers exchanged and the
memory of a step; everything about devices and their links is an assumption, named in `Machine`.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from nda.recipes import RECIPES, shipped

DEVICES = (1, 8, 64, 512)
NOT_THERE = ("anomaly", "linear-probe")  # not the paper's; next to nothing, on a trained encoder
# What makes two configurations cost the same for a sample.
ALIKE = ("resolution", "network", "width", "d_steps", "blocks", "frames", "joint_forward")


@dataclass(frozen=True)
class Machine:
    """What is assumed of a device and of its links; none of it was measured here."""

    operations: float = 40e12  # a second, sustained in training: a quarter of 160e12
    within: float = 200e9  # bytes a second and device, among the devices of a node
    across: float = 25e9  # between nodes
    latency: float = 10e-6  # seconds of each of the 2 log2(N) messages that wait for each other
    node: int = 8  # devices
    bytes_a_number: int = 4  # gradients are exchanged in float32


@dataclass(frozen=True)
class Cost:
    """A row of `benchmarks/published_steps.py`."""

    config: str
    operations: float  # these three for a sample
    kept_bytes: float
    seconds: float  # of one processor thread
    trained_values: int
    exchanged_values: int  # in a step


def exchange(cost: Cost, devices: int, machine: Machine) -> tuple[float, float]:
    """Bytes that a device sends in a step, and seconds: a ring adds up the gradients."""
    if devices == 1:
        return 0.0, 0.0
    sent = 2 * (devices - 1) / devices * cost.exchanged_values * machine.bytes_a_number
    link = machine.within if devices <= machine.node else machine.across
    return sent, sent / link + 2 * math.log2(devices) * machine.latency


def projected(
    cost: Cost, samples: int, batch: int, devices: int, machine: Machine
) -> dict[str, float]:
    """A step of which each device takes `samples`, in updates of `batch`.

    No exchange hides behind computing.
    """
    computing = samples * cost.operations / machine.operations
    sent, talking = exchange(cost, devices, machine)
    # Weights, gradients, two moments and the average of the weights.
    fixed = 5 * cost.trained_values * machine.bytes_a_number
    return {
        "samples_per_second": devices * samples / (computing + talking),
        "efficiency": computing / (computing + talking),
        "sent_mb": sent / 1e6,
        "memory_gb": (fixed + batch * cost.kept_bytes) / 1e9,
    }


def dominated_from(cost: Cost, samples: int, batch: int, machine: Machine) -> int | None:
    """The fewest devices, a power of 2, among which `samples` are so thin that exchange prevails.

    At most one for each of the `batch` of an update; None where even so computing takes longer.
    """
    devices = 2
    while devices <= batch:
        computing = samples / devices * cost.operations / machine.operations
        if exchange(cost, devices, machine)[1] > computing:
            return devices
        devices *= 2
    return None


def published() -> Iterator[tuple[str, dict[str, Any], int, int]]:
    """Configurations of the paper's scale: name, settings, steps and samples of a step."""
    for path in sorted(shipped.FOLDER.glob("*/*.yaml")):
        recipe = path.parent.name
        if path.stem.startswith("cpu-") or recipe in NOT_THERE:
            continue
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
        settings.pop("recipe", None)
        config = RECIPES[recipe].config_class()(**settings, out="unused")
        yield f"{recipe}/{path.stem}", vars(config), config.steps, config.samples_per_step


def kind(name: str, settings: dict[str, Any]) -> tuple[Any, ...]:
    return name.partition("/")[0], *(settings.get(key) for key in ALIKE)


def budget(costs: list[Cost], machine: Machine) -> list[dict[str, Any]]:
    """Of each measured kind: how many configurations, and what all of them take."""
    runs = list(published())
    settings_of = {name: settings for name, settings, _, _ in runs}
    rows = []
    for cost in costs:
        own = kind(cost.config, settings_of[cost.config])
        alike = [run for run in runs if kind(run[0], run[1]) == own]
        if cost.config != first_of(costs, own, settings_of):
            continue
        samples = [steps * each for _, _, steps, each in alike]
        rows.append(
            {
                "config": cost.config,
                "runs": len(alike),
                "samples": sum(samples),
                "device_hours": sum(samples) * cost.operations / machine.operations / 3600,
                "thread_hours": sum(samples) * cost.seconds / 3600,
                "largest_device_hours": max(samples) * cost.operations / machine.operations / 3600,
            }
        )
    return rows


def first_of(costs: list[Cost], own: tuple[Any, ...], settings: dict[str, Any]) -> str:
    """The measured configuration that stands for a kind of which several were measured."""
    return next(c.config for c in costs if kind(c.config, settings[c.config]) == own)


def computed(costs: list[Cost], machine: Machine) -> dict[str, Any]:
    """All figures of docs/scale.md."""
    samples_of = {name: samples for name, _, _, samples in published()}
    batch_of = {name: settings["batch_size"] for name, settings, _, _ in published()}
    rows = []
    for cost in costs:
        samples = samples_of[cost.config]
        for devices in DEVICES:
            found = projected(cost, samples, batch_of[cost.config], devices, machine)
            rows.append({"config": cost.config, "devices": devices, **found})
    dominated = {
        c.config: dominated_from(c, samples_of[c.config], batch_of[c.config], machine)
        for c in costs
    }
    return {
        "assumed": asdict(machine),
        "rows": rows,
        "dominated_from": dominated,
        "samples_of_a_step": {c.config: samples_of[c.config] for c in costs},
        "budget": budget(costs, machine),
    }


def tables(costs: list[Cost], found: dict[str, Any]) -> str:
    """Markdown: costs, projection, budget."""
    lines = ["| experiment | GFLOP a sample | MB kept a sample | MB exchanged a step |"]
    lines += ["|---|---|---|---|"]
    for cost in costs:
        exchanged = cost.exchanged_values * found["assumed"]["bytes_a_number"] / 1e6
        lines.append(
            f"| {cost.config} | {cost.operations / 1e9:,.1f} | {cost.kept_bytes / 1e6:,.1f} "
            f"| {exchanged:,.0f} |"
        )
    heads = " | ".join(f"{devices}" for devices in DEVICES)
    lines += ["", f"| samples a second on devices | {heads} | memory, GB | dominated from |"]
    lines += ["|" + "---|" * (len(DEVICES) + 3)]
    for cost in costs:
        of = [row for row in found["rows"] if row["config"] == cost.config]
        rates = " | ".join(f"{r['samples_per_second']:,.0f} ({r['efficiency']:.0%})" for r in of)
        point = found["dominated_from"][cost.config]
        lines.append(
            f"| {cost.config} | {rates} | {of[-1]['memory_gb']:.1f} "
            f"| {'no number' if point is None else f'{point} devices'} |"
        )
    lines += [
        "",
        "| experiments such as | runs | device-hours | of the longest run | thread-hours |",
    ]
    lines += ["|---|---|---|---|---|"]
    for row in found["budget"]:
        lines.append(
            f"| {row['config']} | {row['runs']} | {row['device_hours']:,.0f} "
            f"| {row['largest_device_hours']:,.1f} | {row['thread_hours']:,.0f} |"
        )
    total = [sum(row[key] for row in found["budget"]) for key in ("runs", "device_hours")]
    threads = sum(row["thread_hours"] for row in found["budget"])
    lines.append(f"| all | {total[0]} | {total[1]:,.0f} | | {threads:,.0f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("costs", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    content = json.loads(options.costs.read_text(encoding="utf-8"))
    costs = [Cost(**row) for row in content["rows"]]
    found = computed(costs, Machine())
    print(tables(costs, found))
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
