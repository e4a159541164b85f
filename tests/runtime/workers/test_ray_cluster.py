"""A cluster that does not answer is told in a sentence, before Ray would try for minutes."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nda.errors import ConfigError
from nda.runtime.workers import ray_cluster as rays
from nda.runtime.workers.ray_cluster import ray_cluster, refuse_address


class FakeRay:
    """What `ray_cluster` asks of Ray."""

    def __init__(self, *, initialized: bool = False, error: Exception | None = None) -> None:
        self.initialized, self.error = initialized, error
        self.asked: list[dict[str, object]] = []
        self.closed = 0
        self.environment: dict[str, str] = {}

        class Exceptions:
            RayError = OSError

        self.exceptions = Exceptions

    def is_initialized(self) -> bool:
        return self.initialized

    def init(self, **asked: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # as Ray does
        self.asked.append(asked)
        self.environment = dict(os.environ)
        if self.error is not None:
            raise self.error

    def shutdown(self) -> None:
        self.closed += 1


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    ray = FakeRay()
    monkeypatch.setattr(rays, "_imported", lambda _: ray)
    monkeypatch.setitem(sys.modules, "ray._private.worker", ray)
    return ray


def test_a_local_cluster_tells_nobody_and_takes_no_work_of_others(fake: FakeRay) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    before = dict(os.environ)
    with ray_cluster("local", 3):
        assert fake.asked[0]["num_cpus"] == 3
        assert fake.asked[0]["include_dashboard"] is False
        assert fake.environment["RAY_USAGE_STATS_ENABLED"] == "0"
        assert fake.environment["HTTP_PROXY"] == "http://127.0.0.1:9"
        assert len(fake.environment["RAY_AUTH_TOKEN"]) == 64
        assert signal.getsignal(signal.SIGTERM) == handler
    assert fake.closed == 1
    assert dict(os.environ) == before


def test_an_address_is_meant_whatever_the_environment_says(
    fake: FakeRay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "elsewhere:1")
    with answering(b"\0\0\x06\x04\0") as address, ray_cluster(address, 1):
        assert fake.asked[0]["address"] == fake.environment["RAY_ADDRESS"] == address
    with answering(b"\0\0\x06\x04\0") as address:
        monkeypatch.setenv("RAY_ADDRESS", address)
        with ray_cluster("auto", 1):
            assert fake.asked[-1]["address"] == "auto"
            assert fake.environment["RAY_ADDRESS"] == address


@contextmanager
def answering(said: bytes) -> Iterator[str]:
    """The address of a server that says so to whoever connects."""

    def serve() -> None:
        with server.accept()[0] as connection:
            connection.recv(1000)
            connection.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_a_caller_who_is_connected_stays_so(fake: FakeRay) -> None:
    fake.initialized = True
    with ray_cluster("auto", 1):
        assert fake.asked == []
    assert fake.closed == 0


def test_an_address_that_does_not_answer_is_refused_at_once(fake: FakeRay) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with (
        pytest.raises(ConfigError, match=rf"no cluster answers at 127\.0\.0\.1:{port} \("),
        ray_cluster(f"127.0.0.1:{port}", 1),
    ):
        pass
    with (
        answering(b"HTTP/1.0 400 Bad") as address,
        pytest.raises(ConfigError, match="something else than Ray answers"),
        ray_cluster(address, 1),
    ):
        pass
    assert fake.asked == []


def test_a_cluster_that_was_here_and_is_gone_is_told(
    fake: FakeRay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("127.0.0.1:1\n")
    with (
        pytest.raises(ConfigError, match=r"^--ray auto: no cluster answers at 127\.0\.0\.1:1"),
        ray_cluster("auto", 1),
    ):
        pass


def test_where_no_cluster_runs_the_remedy_is_told(
    fake: FakeRay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    fake.error = ConnectionError("Could not find any\nrunning Ray instance.")
    with (
        pytest.raises(ConfigError, match=r"there is no Ray cluster .*\(Could not find any running"),
        ray_cluster("auto", 1),
    ):
        pass
    assert fake.closed == 1


@pytest.mark.parametrize("address", ["local", "auto", "head:6379", "10.0.0.1:1", "[::1]:6379"])
def test_addresses_are_taken(address: str) -> None:
    refuse_address(address)


@pytest.mark.parametrize("address", ["", "head", "head:", "http://head:8265", "head:port"])
def test_others_are_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="is no cluster; give HOST:PORT"):
        refuse_address(address)
