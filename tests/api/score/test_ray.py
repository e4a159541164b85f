"""Scoring on a Ray cluster of two nodes, of which one loses its worker on the way."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nda.api.score import spread
from nda.api.score.batches import score_batch
from nda.api.score.elsewhere import Opening, Share
from nda.api.score.worker import worker_of
from nda.cli import main
from nda.errors import DataError
from nda.runtime.workers.ray_cluster import ray_cluster
from nda.runtime.workers.ray_data import mapped_on_ray
from tests.api.score.test_spread import job
from tests.support.processes import PATIENCE

pytest.importorskip("ray")
pytest.importorskip("pyarrow")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of what Ray's own code warns
]
COUNT = 96


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of one core each, which this process joins by their address."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_BACKEND_LOG_LEVEL", "fatal")
        utils: Any = importlib.import_module("ray.cluster_utils")
        node = {"num_cpus": 1, "object_store_memory": 200 * 2**20}
        nodes = utils.Cluster(
            initialize_head=True, head_node_args={**node, "include_dashboard": False}
        )
        nodes.add_node(**node)
        yield nodes
        nodes.shutdown()


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """So many pictures, each of which takes a while to decode."""
    folder = tmp_path / "large"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (900, 1200, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "000.png", compress_level=1)
    for number in range(1, COUNT):
        os.link(folder / "000.png", folder / f"{number:03d}.png")
    (folder / "empty.png").touch()
    return folder


def scoring_processes() -> list[int]:
    """Those that Ray Data has at work, by the names that Ray gives them."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "cmdline").read_bytes()
        except OSError:
            continue  # it has ended
        if name.startswith(b"ray::MapWorker(Map(Maker)).submit"):
            found.append(int(process.name))
    return found


class Killer(threading.Thread):
    """Kills one of the workers once some rows are written; `rows` says how many there were."""

    def __init__(self, part: Path) -> None:
        super().__init__(daemon=True)
        self.part, self.rows = part, 0
        self.before = part.read_bytes().count(b"\n")

    def run(self) -> None:
        for _ in range(PATIENCE * 100):
            self.rows = self.part.read_bytes().count(b"\n")
            if self.rows > self.before and (found := scoring_processes()):
                os.kill(found[0], signal.SIGKILL)
                return
            time.sleep(0.01)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds a process by its name in /proc")
def test_a_scoring_goes_on_on_a_cluster_that_loses_a_worker(
    run: Path, large: Path, tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], refusal: Callable[[list[str]], str],
) -> None:  # fmt: skip
    words = ["score", str(run), str(large), "--batch_size", "2", "--drift", "0.01"]
    places = ["--out", "s.csv", "--html", "s.html", "--heatmaps", "heat"]
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "one")
    assert main([*words, *places]) == 0
    said = capsys.readouterr().out

    monkeypatch.chdir(tmp_path / "two")
    with monkeypatch.context() as patch:
        patch.setattr(spread, "score_batch", _cut_off_after(3))
        assert main([*words, *places]) == 130
    killer = Killer(Path("s.csv.part"))
    killer.start()
    capsys.readouterr()
    on_ray = ["--ray", cluster.address]
    assert main([*words, *places, *on_ray, "--resume"]) == 0
    killer.join()
    assert killer.before < killer.rows < COUNT
    assert capsys.readouterr() == (said, "")
    pages = [tmp_path / name / "s.html" for name in ("one", "two")]
    for path in sorted((tmp_path / "one").rglob("*.*")):
        if path not in pages:
            other = tmp_path / "two" / path.relative_to(tmp_path / "one")
            assert other.read_bytes() == path.read_bytes()
    assert len(list(Path("heat").iterdir())) == COUNT
    cards = [page.read_text().count('alt="heat of') for page in pages]
    assert cards == [COUNT, COUNT]  # in an order of their own, as kept scores have six digits
    assert "s.csv exists already and would be lost" in refusal([*words, *places, *on_ray])


def _cut_off_after(batches: int) -> Callable[..., Any]:
    inner, left = score_batch, iter(range(batches))

    def stopping(*given: Any) -> Any:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return inner(*given)

    return stopping


def test_what_a_machine_does_not_have_is_told(
    run: Path, photos: Path, tmp_path: Path, cluster: Any
) -> None:
    gone = str(tmp_path / "gone.zip")
    made = partial(worker_of, job(run, gone, opening=Opening(gone, False, None)))
    with (
        ray_cluster(cluster.address, 1) as ray,
        pytest.raises(DataError, match=r"On .*, a machine of the Ray cluster: There is no .*gone"),
    ):
        list(mapped_on_ray(ray, made, [Share(["a.png"], [(1, 1)])], 1))


def test_ctrl_c_ends_a_local_cluster_whose_rows_are_kept(
    run: Path, large: Path, tmp_path: Path
) -> None:
    """As a terminal sends it: to all processes of the group."""
    part = tmp_path / "s.csv.part"
    words = ["score", str(run), str(large), "--batch_size", "2", "--out", str(tmp_path / "s.csv")]
    process = subprocess.Popen(
        [sys.executable, "-m", "nda", *words, "--ray", "local", "--workers", "1"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        for _ in range(PATIENCE * 20):
            if process.poll() is not None or (part.exists() and part.read_bytes().count(b"\n") > 4):
                break
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert process.returncode == 130, err
    assert out == ""
    assert [line.rpartition(":")[2] for line in err.splitlines()][1:] == [" interrupted"], err
    assert "rows are kept in" in err.splitlines()[0]
