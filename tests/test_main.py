"""What is started as `nda`, before its command line is there."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from nda import cli
from nda.__main__ import entry


@pytest.fixture
def handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("before", "within"),
    [(signal.default_int_handler, signal.SIG_DFL), (signal.SIG_IGN, signal.SIG_IGN)],
    ids=["plain", "ignored"],
)
@pytest.mark.usefixtures("handler")
def test_ctrl_c_leaves_no_trace_while_the_program_loads(
    before: signal.Handlers, within: signal.Handlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal.signal(signal.SIGINT, before)
    found: list[object] = []

    def main() -> int:
        found.append(signal.getsignal(signal.SIGINT))
        return 7

    monkeypatch.setattr(cli, "main", main)
    assert entry() == 7
    assert found == [within]
