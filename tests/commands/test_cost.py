"""Counts that would take hours or fill the disk are told and refused before anything is made."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from nda.cli import main
from nda.commands.cost import refuse_costly
from nda.data.dots import cost_of_dots
from nda.errors import ConfigError
from nda.recipes.gan.config import GanConfig
from nda.recipes.gan.sampler import BATCH_SIZE, Sampler
from nda.report.pictures.grid import check_place, refuse_large_picture

Refusal = Callable[[list[str]], str]
GIB = 2**30


@pytest.fixture(autouse=True)
def _room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100 * GIB))


@pytest.mark.parametrize(
    ("seconds", "size", "allowed"),
    [(7200, 0, False), (7201, 0, True), (0, 20 * GIB, False), (0, 20.1 * GIB, True)],
)
def test_what_takes_hours_or_much_room_must_be_allowed(
    seconds: float, size: float, allowed: bool, tmp_path: Path
) -> None:
    each = (seconds / 1000, size / 1000)
    refuse_costly(tmp_path, 1000, each, allowed=True)
    if not allowed:
        refuse_costly(tmp_path, 1000, each, allowed=False)
        return
    with pytest.raises(ConfigError, match=r"^1,000 images take about .* GiB\. Give --costly true"):
        refuse_costly(tmp_path, 1000, each, allowed=False)


def test_what_does_not_fit_is_refused_even_where_it_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"101.0 GiB, and there is room for 100.0 GiB at .*new/a"):
        refuse_costly(tmp_path / "new" / "a", 101, (0, GIB), allowed=True)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.1, "1 seconds"), (90, "90 seconds"), (150, "2 minutes"), (13 * 3600, "13 hours"),
     (4 * 86400, "4 days")],
)  # fmt: skip
def test_times_are_told_in_words(seconds: float, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"take about {words} and"):
        refuse_costly(tmp_path, 1, (seconds, 30 * GIB), allowed=False)


def test_the_cost_of_dots_is_measured() -> None:
    seconds, size = cost_of_dots(4, 32)
    assert 0 < seconds < 1
    assert 200 < size < 4000
    assert cost_of_dots(4, 128)[1] > 2 * size


@pytest.mark.parametrize(
    "words",
    [
        ["data", "dots", "--count", "30000000"],
        ["data", "clevr", "--count", "30000000"],
    ],
)
def test_an_archive_that_takes_days_is_not_begun(
    words: list[str], tmp_path: Path, refusal: Refusal
) -> None:
    if words[1] == "clevr":
        pytest.importorskip("mitsuba")
    told = refusal([*words, "--out", str(tmp_path / "a.zip")])
    assert "0,000,000 images take about" in told
    assert "smaller --count" in told
    assert not list(tmp_path.iterdir())


class Flat(nn.Module):
    """A generator of even images, which tells how many it made at once."""

    made: list[int]

    def __init__(self) -> None:
        super().__init__()
        self.made = []
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, latents: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        self.made.append(len(latents))
        return latents.mean(dim=1).view(-1, 1, 1, 1).expand(-1, 3, 8, 8) + self.weight


def test_images_are_made_some_at_a_time_and_are_the_same_as_all_together() -> None:
    sampler = Sampler(Flat(), 4, torch.zeros(2, dtype=torch.int64), seed=0)
    parts = list(sampler.sampled(2 * BATCH_SIZE + 3, seed=5))
    assert [len(part) for part in parts] == [BATCH_SIZE, BATCH_SIZE, 3]
    before = sampler.sample(2 * BATCH_SIZE + 3, seed=5)
    seconds, size = sampler.cost()
    assert seconds > 0
    assert size == 4096  # a block of the disk
    assert sampler.resolution == 8
    assert torch.equal(torch.cat(parts), before)
    assert torch.equal(sampler.sample(2 * BATCH_SIZE + 3, seed=5), before)


def test_a_grid_that_nothing_could_open_is_refused(tmp_path: Path) -> None:
    refuse_large_picture(200, 200, 64)
    with pytest.raises(ConfigError, match=r"1,000 x 1,000 images would have 64,000 x 64,000"):
        refuse_large_picture(1000, 1000, 64)
    with pytest.raises(ConfigError, match="Give a smaller --count, or a folder"):
        check_place(tmp_path / "a.png", 3_000_000, 32)
    assert check_place(tmp_path / "a", 3_000_000, 32) == tmp_path / "a"


def test_samples_to_measure_with_have_a_limit() -> None:
    GanConfig(data="d", out="o", evaluation_samples=1_000_000).check()
    with pytest.raises(ConfigError, match=r"evaluation_samples is 1000001; .* at most 1,000,000"):
        GanConfig(data="d", out="o", evaluation_samples=1_000_001).check()


def test_samples_that_would_fill_the_disk_are_refused(
    refusal: Refusal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler = Sampler(Flat(), 4, torch.zeros(2, dtype=torch.int64), seed=0)
    monkeypatch.setattr("nda.recipes.gan.load.load_sampler", lambda *_: (sampler, {"step": 3}))
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text("recipe: gan\ndevice: cpu\n")
    out = tmp_path / "out"
    told = refusal(["sample", str(run), "--count", "30000000", "--out", str(out)])
    assert "30,000,000 images take about" in told
    assert "room for 100.0 GiB" in told
    assert main(["sample", str(run), "--count", "3", "--out", str(out)]) == 0
    assert len(list(out.iterdir())) == 3
