"""The first signal asks for a stop, the second one acts."""

from __future__ import annotations

import os
import signal

import pytest

from nda.training.signals import stop_on_signal

BOTH = (signal.SIGINT, signal.SIGTERM)


@pytest.mark.parametrize("number", BOTH)
def test_a_signal_only_sets_the_flag(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in BOTH]
    with stop_on_signal() as stop:
        assert not stop
        os.kill(os.getpid(), number)
        assert stop
        assert stop.signal is number
    assert [signal.getsignal(each) for each in BOTH] == before


def test_a_second_ctrl_c_acts_at_once() -> None:
    before = [signal.getsignal(each) for each in BOTH]
    with stop_on_signal() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert [signal.getsignal(each) for each in BOTH] == before


def test_handlers_come_back_after_an_error() -> None:
    before = [signal.getsignal(each) for each in BOTH]
    with pytest.raises(RuntimeError, match="within"), stop_on_signal():
        raise RuntimeError("within")
    assert [signal.getsignal(each) for each in BOTH] == before
