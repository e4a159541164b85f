"""Every script of `benchmarks/` runs at its smallest size; how fast is not asserted."""

from __future__ import annotations

import json
import math
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from nda.data.dots import write_dots_archive
from nda.recipes import shipped
from tests.conftest import write_split

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks"
# Not scripts, and one that tests/faults/test_campaign.py runs.
ELSEWHERE = {"__main__", "record", "mutants", "mutation_tables", "faults"}
SCRIPTS = sorted({path.stem for path in FOLDER.glob("*.py")} - ELSEWHERE)
NEEDS = {
    "clevr": "mitsuba",
    "clips": "av",
    "moco_step": "lightly",
    "negatives": "kornia",
    "score_ray": "ray",
}
# They fork and change the process, so they have one of their own; the others save its imports.
APART = {"mutation", "score_ray"}
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**32)}
# What the file of each must hold.
PROMISED = {
    "against": {"rows"},
    "check": {"seconds", "processor_seconds", "peak_mib"},
    "clevr": {"samples", "rows"},
    "clevr_counter": {"rows"},
    "clips": {"reading", "transforms", "memory_mib"},
    "dots": {"images_drawn", "seconds_to_draw", "seconds_to_draw_and_pack"},
    "dpc_step": {"rows"},
    "gan_step": {"rows"},
    "gpu_campaign": {"steps_done", "runs", "seconds"},
    "idle_threads": {"rows"},
    "interval_coverage": {"nominal", "mean", "least", "rows"},
    "large_sets": {"rows"},
    "moco_step": {"rows"},
    "mutation": {"unnoticed", "modules"},
    "negatives": {"versions", "absent", "allocator", "rows"},
    "numerosity_step": {"images_per_second", "share_of_time"},
    "pix2pix_step": {"rows"},
    "plain_loop": {"rows"},
    "published_steps": {"rows"},
    "shards": {"rates", "memory"},
    "score": {"bare_network", "bare_decoder", "scored"},
    "score_ray": {"pairs"},
    "two_processes": {"ratio", "pairs"},
}


def words_for(script: str, folder: Path) -> list[str]:
    """What a script must be given: data made here, or a configuration."""
    if script == "check":
        write_split(folder / "images", 100)  # of each of two classes
        return [str(folder / "images")]
    if script == "gpu_campaign":
        write_split(folder / "images", 100)
        return ["--data", str(folder / "images")]
    if script == "clevr_counter":
        rng = torch.Generator().manual_seed(0)
        write_dots_archive(folder / "dots.zip", {1: 20, 2: 20}, 32, generator=rng)
        return [str(folder / "dots.zip")]
    if script == "clips":
        from tests.support.made_videos import encode

        for split in ("train", "test"):
            for label in ("left", "right"):
                place = folder / "videos" / split / label / "v.mp4"
                place.parent.mkdir(parents=True)
                place.write_bytes(encode(130))
        return [str(folder / "videos")]
    if script == "numerosity_step":
        return ["--config", str(shipped.FOLDER / "numerosity" / "cpu-dots.yaml")]
    return [str(ROOT / "src")] if script == "against" else []


def numbers(found: Any) -> Iterator[float]:
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, list):
        for each in found:
            yield from numbers(each)
    elif isinstance(found, int | float):
        yield found


@pytest.fixture
def as_before() -> Iterator[None]:
    """Threads and the path of imports, which a script may change; nothing else of the process."""
    threads, path, others = torch.get_num_threads(), [*sys.path], left_behind()
    yield
    torch.set_num_threads(threads)
    sys.path[:] = path
    after = left_behind()
    assert {name: after[name] for name in others} == others


def left_behind() -> dict[str, Any]:
    """What would reach the tests after this one: the variables of the system, limits of modules."""
    variables = {name: text for name, text in os.environ.items() if "PYTEST" not in name}
    return variables | {
        f"{module}.{name}": value
        for module, loaded in [*sys.modules.items()]
        if module.startswith("nda.")
        for name, value in vars(loaded).items()
        if name.isupper() and isinstance(value, int | float)
    }


def run_here(script: str, words: list[str], patch: pytest.MonkeyPatch) -> None:
    path = FOLDER / f"{script}.py"
    patch.setattr(sys, "argv", [str(path), *words])
    patch.syspath_prepend(str(FOLDER))
    for name, value in ALLOCATOR.items():  # else a script that needs them begins anew
        patch.setenv(name, value)
    patch.setattr(os, "execve", lambda *_: pytest.fail(f"{script} begins anew"))
    try:
        runpy.run_path(str(path), run_name="__main__")
    except SystemExit as ended:
        if ended.code:
            pytest.fail(f"{script} ended with {ended.code}")


def run_apart(script: str, words: list[str]) -> None:
    found = subprocess.run(
        [sys.executable, str(FOLDER / f"{script}.py"), *words],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert found.returncode == 0, found.stdout[-1000:] + found.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the peers that some compare with
@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize("script", SCRIPTS)
def test_it_runs_at_its_smallest_size(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if script in NEEDS:
        pytest.importorskip(NEEDS[script])
    out = tmp_path / "figures.json"
    words = [*words_for(script, tmp_path), "--quick", "--out", str(out)]
    monkeypatch.chdir(tmp_path)
    if script in APART:
        run_apart(script, words)
    else:
        run_here(script, words, monkeypatch)
        assert capsys.readouterr().out.strip(), "nothing was printed"
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found.keys() >= PROMISED[script]
    promised = [*numbers([found[name] for name in PROMISED[script]])]
    assert promised
    assert all(math.isfinite(value) for value in promised)
