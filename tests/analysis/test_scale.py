"""The projection of docs/scale.md: laws that it must hold, and that the page says what it gives."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "analysis"))
from hypothesis import given
from hypothesis import strategies as st
from scale import (
    DEVICES,
    Cost,
    Machine,
    budget,
    computed,
    dominated_from,
    exchange,
    kind,
    projected,
    published,
    tables,
)

ROOT = Path(__file__).parents[2]
COST = Cost("gan/cifar10-jigsaw", 2e9, 3e6, 0.5, 10**6, 5 * 10**6)
MACHINE = Machine(operations=1e12, within=1e9, across=1e8, latency=0.0, node=8)


def test_a_ring_sends_all_but_its_own_share_twice() -> None:
    assert exchange(COST, 1, MACHINE) == (0, 0)
    assert exchange(COST, 2, MACHINE) == pytest.approx((2e7, 0.02))
    assert exchange(COST, 8, MACHINE) == pytest.approx((3.5e7, 0.035))
    assert exchange(COST, 16, MACHINE) == pytest.approx((3.75e7, 0.375))  # between nodes
    slow = dataclasses.replace(MACHINE, latency=1.0)
    assert exchange(COST, 8, slow)[1] == pytest.approx(6.035)


def test_a_step_is_computing_and_then_talking() -> None:
    alone, eight = (projected(COST, 100, 25, devices, MACHINE) for devices in (1, 8))
    assert alone["samples_per_second"] == pytest.approx(500)  # 100 samples in 0.2 s
    assert alone["efficiency"] == 1
    assert alone["memory_gb"] == pytest.approx((5 * 4e6 + 25 * 3e6) / 1e9)
    assert eight["samples_per_second"] == pytest.approx(800 / 0.235)
    assert eight["efficiency"] == pytest.approx(0.2 / 0.235)
    assert eight["sent_mb"] == pytest.approx(35)


@given(batch=st.integers(1, 4096), operations=st.floats(1e6, 1e12), power=st.integers(1, 8))
def test_exchange_prevails_from_the_number_named_and_not_before(
    batch: int, operations: float, power: int
) -> None:
    cost = dataclasses.replace(COST, operations=operations)
    point = dominated_from(cost, 5 * batch, batch, MACHINE)
    devices = 2**power
    if devices <= batch:
        computing = 5 * batch / devices * operations / MACHINE.operations
        talks = exchange(cost, devices, MACHINE)[1] > computing
        assert talks == (point is not None and devices >= point)
    else:
        assert point is None or point <= batch


def test_every_configuration_of_the_papers_scale_is_there_once() -> None:
    runs = list(published())
    names = [name for name, *_ in runs]
    assert len(names) == len(set(names)) > 60
    assert not any("cpu-" in name for name in names)
    settings = {name: given for name, given, _, _ in runs}
    alike = kind("gan/cifar10-jigsaw", settings["gan/cifar10-jigsaw"])
    assert kind("gan/cifar100-mixup", settings["gan/cifar100-mixup"]) == alike
    assert kind("gan/celeba64-jigsaw", settings["gan/celeba64-jigsaw"]) != alike


def test_a_budget_is_the_sum_over_the_runs() -> None:
    (row,) = budget([COST], MACHINE)
    runs = [run for run in published() if run[0].startswith("gan/") and "celeba" not in run[0]]
    samples = [steps * each for _, _, steps, each in runs]
    assert row["runs"] == len(runs)
    assert row["samples"] == sum(samples)
    assert row["device_hours"] == pytest.approx(sum(samples) * 2e9 / 1e12 / 3600)
    assert row["thread_hours"] == pytest.approx(sum(samples) * 0.5 / 3600)
    assert row["largest_device_hours"] == pytest.approx(max(samples) * 2e9 / 1e12 / 3600)


def test_two_of_a_kind_are_counted_once() -> None:
    other = dataclasses.replace(COST, config="gan/cifar100-cutmix", operations=9e9)
    assert budget([COST, other], MACHINE) == budget([COST], MACHINE)


def test_the_page_shows_what_the_file_of_costs_gives() -> None:
    folder = ROOT / "results" / "benchmarks"
    content = json.loads((folder / "published_steps.json").read_text(encoding="utf-8"))
    costs = [Cost(**row) for row in content["rows"]]
    found = computed(costs, Machine())
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    assert tables(costs, found) in page
    assert json.loads((folder / "scale.json").read_text(encoding="utf-8")) == found
    assert {row["devices"] for row in found["rows"]} == set(DEVICES)
    machine = Machine()
    for words in ("40 TFLOP", "200 GB/s", "25 GB/s", "10 µs", "projection"):
        assert words in page
    assert (machine.operations, machine.within, machine.across) == (40e12, 200e9, 25e9)
    assert machine.latency == 10e-6
