"""Scoring spread over processes: the same table, row for row, whoever makes the rows."""

from __future__ import annotations

import gc
import os
import signal
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch

from nda.api.score import spread
from nda.api.score.elsewhere import Opening, Share, shares_of
from nda.api.score.limits import Limit
from nda.api.score.run import score
from nda.api.score.spread import Spread, kind_there, refuse_missing
from nda.api.score.worker import Done, Job, content_of, worker_of
from nda.api.settings import ScoreOptions
from nda.cli import main
from nda.data.images.stream import open_stream
from nda.data.reading.values import Values
from nda.errors import ConfigError, DataError, DeviceError
from nda.evaluation.outliers.detector import load_detector
from tests.api.score.conftest import standard_input

Refusal = Callable[[list[str]], str]


def job(run: Path, source: str, **changes: Any) -> Job:
    found = Job(
        detector=content_of(load_detector(run / "detector.safetensors")),
        limit=Limit(0.05, 0.05),
        opening=Opening(source, not source.endswith(".zip"), None),
        batch_size=4,
        painted=False,
        device="cpu",
        threads=torch.get_num_threads(),
        folder=str(Path.cwd()),
        version=version("nda-torch"),
    )
    return replace(found, **changes)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As each of two processes has on two cores: on another number the last digits may differ."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_two_processes_give_what_one_gives(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Table, page, heat maps and what is said, also of drift and of false discoveries."""
    archive = tmp_path / "photos.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in photos.iterdir():
            packed.write(path, path.name)
    said = []
    usual = ["--batch_size", "3", "--drift", "0.5", "--false_discovery_rate", "0.9"]
    for folder, workers in (("one", []), ("two", ["--workers", "2"])):
        out, words = tmp_path / folder, [*usual, *workers]
        for source in (str(photos), str(archive)):
            name = Path(source).suffix[1:] or "folder"
            places = ["--out", str(out / f"{name}.csv"), "--html", str(out / f"{name}.html")]
            heat = ["--heatmaps", str(out / name)]
            assert main(["score", str(run), source, *places, *heat, *words]) == 0
        said.append(capsys.readouterr().out.replace(str(out), ""))
    assert said[0] == said[1]
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert len(files) == 4 + 2 * 11
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.slow
def test_a_killed_process_is_told_and_the_rest_goes_on(
    run: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """What was scored in processes goes on in one, and a whole table is not touched."""
    words = ["score", str(run), str(photos), "--batch_size", "2", "--out"]
    assert main([*words, str(tmp_path / "whole.csv")]) == 0
    monkeypatch.setattr(spread, "worker_of", dying_at_the_third)
    assert main([*words, str(tmp_path / "s.csv"), "--workers", "1"]) == 2
    said = capsys.readouterr().err
    assert "4 rows are kept in" in said
    assert "A worker process was killed, perhaps for want of memory. Fewer --workers" in said
    monkeypatch.undo()
    assert main([*words, str(tmp_path / "s.csv"), "--resume"]) == 0
    whole = (tmp_path / "whole.csv").read_bytes()
    assert (tmp_path / "s.csv").read_bytes() == whole
    assert main([*words, str(tmp_path / "s.csv"), "--workers", "2"]) == 2
    assert "exists already and would be lost" in capsys.readouterr().err
    assert (tmp_path / "s.csv").read_bytes() == whole


def dying_at_the_third(job: Job, number: int) -> Callable[[Share], Done]:
    work, count = worker_of(job, number), 0

    def dying(share: Share) -> Done:
        nonlocal count
        count += 1
        if count == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return work(share)

    return dying


@pytest.mark.slow
def test_a_list_is_scored_by_processes(
    run: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    names = [*sorted(path.name for path in photos.iterdir()), "nowhere.png"]
    for out, workers in (("a.csv", []), ("b.csv", ["--workers", "2"])):
        standard_input(monkeypatch, "\n".join(names))
        words = ["--batch_size", "5", "--out", str(tmp_path / out), *workers]
        assert main(["score", str(run), "-", *words]) == 0
    table = (tmp_path / "a.csv").read_text()
    assert "nowhere.png" in table
    assert (tmp_path / "b.csv").read_text() == table


def test_a_worker_keeps_an_archive_open(run: Path, photos: Path, tmp_path: Path) -> None:
    archive = tmp_path / "photos.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(photos / "0.png", "0.png")
    with open_stream(archive) as stream:
        share = next(shares_of(stream, 4))
    work = worker_of(job(run, str(archive)), 0)
    gc.collect()
    for _ in range(2):
        assert [row.reason for row in work(share).rows] == [""]


def test_a_worker_gives_rows_without_pictures_or_the_heat_alone(run: Path, photos: Path) -> None:
    with open_stream(photos) as stream:
        share = next(shares_of(stream, 4))
        opening = Opening.of(stream)
    done = worker_of(job(run, opening.where, opening=opening), 0)(share)
    assert [row.file for row in done.rows] == list(share.names)
    assert done.missing == []
    assert all(row.pixels is None and row.painted is None for row in done.rows)
    painted = worker_of(job(run, opening.where, opening=opening, painted=True), 0)(share)
    found = [row.painted for row in painted.rows if row.verdict != "broken"]
    assert all(content and content.startswith(b"\x89PNG") for content in found)


def test_another_version_is_refused(run: Path, photos: Path) -> None:
    with pytest.raises(ConfigError, match=r"nda is of version .* there and 0\.0\.1 here"):
        worker_of(job(run, str(photos), version="0.0.1"), 0)


def test_files_that_a_machine_does_not_have_are_refused_and_lost_ones_are_rows(
    photos: Path,
) -> None:
    opening = Opening(str(photos), True, None)
    done = Done([], Values(), ["0.png"], "node7")
    size = (photos / "0.png").stat().st_size
    share = Share(["0.png"], [(size, 0)])
    with pytest.raises(DataError, match=r"0\.png is here, and on node7 it is not, or another"):
        refuse_missing(done, share, opening)
    refuse_missing(done, Share(["0.png"], [(size + 1, 0)]), opening)  # changed here too
    (photos / "0.png").unlink()
    refuse_missing(done, share, opening)
    paths = Opening("", True, None)
    with pytest.raises(DataError, match="every machine of the Ray cluster needs the images"):
        refuse_missing(replace(done, missing=[str(photos / "1.png")]), share, paths)


def test_a_cluster_without_cards_refuses_them() -> None:
    assert kind_there("auto", {"CPU": 4, "GPU": 2}) == "cuda"
    assert kind_there("auto", {"CPU": 4}) == "cpu"
    assert kind_there("cuda:1", {"GPU": 2}) == "cuda"
    with pytest.raises(DeviceError, match="--device cuda was asked for, and the Ray cluster"):
        kind_there("cuda", {"CPU": 4})
    with pytest.raises(DeviceError, match="--device tpu is not known"):
        kind_there("tpu", {"GPU": 1})


def test_more_workers_than_cards_share_them() -> None:
    class Ray:
        @staticmethod
        def cluster_resources() -> dict[str, float]:
            return {"GPU": 2.0}

    assert [spread.cards_each(Ray, workers) for workers in (1, 2, 8)] == [1.0, 1.0, 0.25]


def test_pictures_of_a_page_are_scored_where_a_device_is() -> None:
    options = ScoreOptions("run", "images", device="cuda:3")
    there = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    assert Spread(options, "cuda", 2, ray=object()).here == there


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--workers", "0"], "workers is 0; it must be at least 1"),
        (["--ray", "auto", "--workers", "-1"], "workers is -1; it must be at least 1"),
        (["--ray", "nowhere"], "--ray nowhere is no cluster; give HOST:PORT"),
        (["--ray", "ray://head:10001"], "run nda on a machine of the cluster, with --ray auto"),
    ],
)
def test_what_makes_no_workers_is_refused(
    run: Path, photos: Path, refusal: Refusal, words: list[str], expected: str
) -> None:
    assert expected in refusal(["score", str(run), str(photos), *words])


def test_without_ray_its_extra_is_named(
    run: Path, photos: Path, refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    said = refusal(["score", str(run), str(photos), "--ray", "local"])
    assert (
        "--ray local needs Ray Data; install nda with its extra: pip install 'nda-torch[ray]'"
        in said
    )


def test_images_at_hand_stay_in_this_process(run: Path) -> None:
    images = torch.zeros(2, 3, 16, 16, dtype=torch.uint8)
    for name, value in (("workers", 2), ("ray", "local")):
        with pytest.raises(ConfigError, match=f"^{name} is {value!r}: images at hand are scored"):
            score(run, images, **{name: value})
