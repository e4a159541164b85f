"""Which samples of the data the processes of a run see."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock, Mock

import pytest
import torch

from nda.data import EpochBatches
from nda.errors import LargeBatchError
from nda.recipes.gan.config import GanConfig
from nda.training.batches import batches_of_run, beside, drawn


def batches(rank: int, **changes: Any) -> EpochBatches:
    config = GanConfig(data="", out="", batch_size=4, **changes)
    return batches_of_run(range(24), config, Mock(global_rank=rank, world_size=3))


def test_processes_share_an_epoch_out_among_them() -> None:
    seen = [batches(rank).indices(step).tolist() for step in (0, 1) for rank in range(3)]
    assert all(len(some) == 4 for some in seen)
    assert sorted(index for some in seen for index in some) == list(range(24))


def test_a_batch_that_is_too_large_is_refused_and_what_is_held_out_is_told() -> None:
    config, fabric = GanConfig(data="", out="", batch_size=4), Mock(global_rank=0, world_size=1)
    with pytest.raises(LargeBatchError) as caught:
        batches_of_run(range(3), config, fabric)
    assert caught.value.reason == "A batch of 4 samples is larger than the data set of 3"
    with pytest.raises(LargeBatchError) as caught:
        batches_of_run(range(3), config, fabric, heldout=5)
    assert caught.value.reason == (
        "A batch of 4 samples is larger than the data set of 3 (training takes 3 of your 8 images, "
        "and the other 5 are held out)"
    )
    assert caught.value.fits == 3


def test_the_order_is_that_of_the_seed() -> None:
    first = batches(0).indices(0).tolist()
    assert batches(0, seed=0).indices(0).tolist() == first
    assert batches(0, seed=1).indices(0).tolist() != first


def test_samples_go_to_a_card_that_has_room_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = torch.arange(8.0)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (2 * samples.nbytes - 1, 10**9))
    assert beside(samples, torch.device("cuda")) is samples
    assert beside(samples, torch.device("meta")).device.type == "meta"


@pytest.mark.parametrize(("free", "moved"), [(63, False), (64, True)])
def test_samples_take_up_to_half_of_the_free_memory_of_a_card(
    free: int, moved: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples: Any = Mock(nbytes=32)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, 10**9))
    assert (beside(samples, torch.device("cuda")) is samples.to.return_value) == moved


@pytest.mark.parametrize("on_gpu", [True, False])
def test_only_the_way_to_a_card_goes_unwaited_for(on_gpu: bool) -> None:
    samples, rows, found = MagicMock(device="there", is_cuda=on_gpu), Mock(), Mock()
    samples.__getitem__.return_value = found
    drawn(samples, rows, torch.device("cuda"))
    rows.to.assert_called_once_with("there", non_blocking=on_gpu)
    samples.__getitem__.assert_called_once_with(rows.to.return_value)
    found.to.assert_called_once_with(torch.device("cuda"), non_blocking=True)


def test_rows_are_drawn_to_the_device_asked_for() -> None:
    samples, rows = torch.arange(8.0), torch.tensor([3, 1])
    assert drawn(samples, rows, torch.device("cpu")).tolist() == [3.0, 1.0]
    assert drawn(samples, rows, torch.device("meta")).device.type == "meta"
    assert drawn(samples.to("meta"), rows, torch.device("meta")).shape == (2,)
