"""The first signal asks for a stop, the second one acts."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import pytest

from nda.runtime.signals import Interrupted, ended_by_signals, stop_on_signal

BOTH = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_outside_of_training_a_signal_ends_the_command(number: signal.Signals, code: int) -> None:
    with pytest.raises(Interrupted) as caught, ended_by_signals():
        os.kill(os.getpid(), number)
    assert caught.value.code == code


def test_a_signal_in_a_destructor_ends_the_command_and_prints_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    class Dying:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0)  # where Python acts on it

    def wait() -> None:
        with ended_by_signals():
            Dying()
            time.sleep(10)

    before = sys.unraisablehook
    with pytest.raises(Interrupted) as caught:
        wait()
    assert caught.value.code == 143
    assert capfd.readouterr().err == ""
    assert sys.unraisablehook is before


def test_a_signal_in_a_destructor_starts_no_thread_and_takes_its_alarm_away() -> None:
    class Dying:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0)

    def end_in_time() -> int:
        with ended_by_signals():
            Dying()
            return threading.active_count()

    threads, before = threading.active_count(), signal.getsignal(signal.SIGALRM)
    assert end_in_time() == threads
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def interrupt_as_c_does() -> None:
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except Interrupted as interrupt:
        raise RuntimeError("unexpected pos 34048 vs 33944") from interrupt


def test_an_error_that_comes_of_a_signal_is_no_error() -> None:
    with pytest.raises(Interrupted) as caught, ended_by_signals():
        interrupt_as_c_does()
    assert caught.value.code == 143


def test_an_error_that_comes_of_a_signal_in_an_evaluation_is_no_error() -> None:
    with (
        pytest.raises(Interrupted) as caught,
        ended_by_signals(),
        stop_on_signal() as stop,
        stop.at_once(),
    ):
        interrupt_as_c_does()
    assert caught.value.code == 143


def test_an_error_after_a_signal_that_only_asks_to_stop_is_one() -> None:
    def fail_after_a_signal() -> None:
        with ended_by_signals(), stop_on_signal() as stop:
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        fail_after_a_signal()


def test_what_else_fails_in_a_destructor_is_told_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Dying:
        def __del__(self) -> None:
            raise RuntimeError("dying")

    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: told.append(found.exc_type))
    with ended_by_signals():
        Dying()
    assert told == [RuntimeError]


def test_a_second_signal_of_another_kind_acts_too() -> None:
    with ended_by_signals(), stop_on_signal() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop
        with pytest.raises(Interrupted):
            os.kill(os.getpid(), signal.SIGHUP)


def test_what_takes_long_is_broken_off_at_the_first_signal() -> None:
    with stop_on_signal() as stop:
        with pytest.raises(Interrupted), stop.at_once():
            os.kill(os.getpid(), signal.SIGINT)
        assert stop
        with pytest.raises(Interrupted), stop.at_once():
            pass  # not even begun


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signal() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop
    finally:
        signal.signal(signal.SIGHUP, before)
