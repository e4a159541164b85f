"""Means over intervals, the first scalar gone wrong, and the log on disk."""

from __future__ import annotations

import json
import math
import threading
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda.errors import TrainingError
from nda.training.log import LogWriter, Means
from nda.training.run_folder import RunFolder

numbers = st.floats(-1e3, 1e3, width=32)


def scalars(**values: float) -> dict[str, Tensor]:
    return {name: torch.tensor(value) for name, value in values.items()}


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=20))
def test_means_are_means(rows: list[tuple[float, float]]) -> None:
    means = Means()
    for step, (a, b) in enumerate(rows):
        means.add(step, scalars(a=a, b=b))
    taken = means.take()
    assert taken["a"] == pytest.approx(sum(a for a, _ in rows) / len(rows), rel=1e-4, abs=1e-3)
    assert taken["b"] == pytest.approx(sum(b for _, b in rows) / len(rows), rel=1e-4, abs=1e-3)


def test_each_interval_starts_anew() -> None:
    means = Means()
    means.add(1, scalars(loss=1.0))
    means.add(2, scalars(loss=3.0))
    assert means.take() == {"loss": 2.0}
    means.add(3, scalars(loss=7.0))
    assert means.take() == {"loss": 7.0}


def test_half_precision_is_summed_in_full() -> None:
    means = Means()
    for step in range(1000):
        means.add(step, {"loss": torch.tensor(1.0, dtype=torch.bfloat16)})
    assert means.take() == {"loss": 1.0}


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_the_first_step_gone_wrong_is_named_though_it_is_asked_later(wrong: float) -> None:
    means = Means()
    for step in range(1, 10):
        late, early = (wrong if step >= 6 else 1.0), (wrong if step == 4 else 1.0)
        means.add(step, scalars(fine=1.0, late=late, early=early))
    with pytest.raises(TrainingError, match="early was not finite at step 4, so the run stopped"):
        means.check_finite()
    with pytest.raises(TrainingError, match="early was not finite at step 4"):
        means.take()


def test_an_interval_half_way_can_be_kept() -> None:
    whole, first, second = Means(), Means(), Means()
    for step in range(1, 8):
        whole.add(step, scalars(loss=0.1 * step))
        (first if step <= 3 else second).add(step, scalars(loss=0.1 * step))
        if step == 3:
            second.load_state_dict(first.state_dict())
            second.to(torch.device("cpu"))
    assert second.take() == whole.take()  # exactly: the sums go on where they were


def test_what_went_wrong_before_a_break_is_known_after_it() -> None:
    before, after = Means(), Means()
    before.add(3, scalars(loss=math.nan))
    after.load_state_dict(before.state_dict())
    with pytest.raises(TrainingError, match="loss was not finite at step 3"):
        after.check_finite()


def test_rows_are_appended_as_json_and_for_tensorboard(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    log = LogWriter(folder, last_step=0)
    log.write({"step": 5, "seconds": 0.1, "loss": 0.25})
    assert folder.log() == [{"step": 5, "seconds": 0.1, "loss": 0.25}]  # at once, not at the end
    log.close()
    assert list((tmp_path / "tensorboard").glob("events.*"))


def test_rows_after_the_checkpoint_are_dropped(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    rows = [{"step": step, "loss": step / 8} for step in (5, 10, 15, 20)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    folder.log_path.write_text(text + '{"step": 25, "lo')
    log = LogWriter(folder, last_step=10)
    log.write({"step": 15, "loss": 0.5})
    log.close()
    assert folder.log() == [*rows[:2], {"step": 15, "loss": 0.5}]


def test_a_writer_of_tensorboard_that_never_ends_does_not_hold_up_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nda.training.log._PATIENCE", 0.2)
    log = LogWriter(RunFolder(tmp_path), last_step=0)
    log.write({"step": 1, "loss": 0.5})
    held = threading.Event()
    close = log._tracker.finalize
    monkeypatch.setattr(log._tracker, "finalize", lambda how: (held.wait(60), close(how)))
    begun = time.monotonic()
    log.close()
    assert time.monotonic() - begun < 20
    assert RunFolder(tmp_path).log() == [{"step": 1, "loss": 0.5}]
    held.set()
