"""A Ray cluster that is there, or one on this machine for a while, without noise.

What Ray would report to its makers is off, its own pages are not served, and a cluster of ours
takes work from nobody else. Ray is imported only when it is asked for.
"""

from __future__ import annotations

import importlib
import logging
import os
import re
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nda.errors import ConfigError
from nda.extras import require

LOCAL, RUNNING = "local", "auto"  # in place of an address
ADDRESS = re.compile(r"[^\s/]+:\d{1,5}")
ANSWERS_WITHIN = 5.0  # seconds
# How a client of HTTP/2 begins, as which Ray speaks, with no settings; the server has some too.
GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
SETTINGS = bytes([4])
STORE = 512 * 2**20  # bytes of shared memory for what the processes of a local cluster exchange

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nobody is told that Ray is used, and for what
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # its parts in C++ write to stderr by themselves
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else it warns of what will change
}
# A door that is shut: with its statistics off Ray still asks whether this is a machine of a cloud.
NOBODY = {"HTTP_PROXY": "http://127.0.0.1:9"}
_SECRET = secrets.token_hex(32)  # of local clusters, whose ports are open to others


def refuse_address(address: str) -> None:
    """Refuse (`ConfigError`) what no cluster is called."""
    if address.startswith("ray://"):
        raise ConfigError(
            f"--ray {address} is the address of a Ray client, through which Ray Data does not "
            "work; run nda on a machine of the cluster, with --ray auto."
        )
    if address not in (LOCAL, RUNNING) and not ADDRESS.fullmatch(address):
        raise ConfigError(
            f"--ray {address} is no cluster; give HOST:PORT as 'ray start --head' says it, "
            "auto for the cluster that this machine belongs to, or local for one of its own."
        )


@contextmanager
def ray_cluster(address: str, cpus: int) -> Iterator[Any]:
    """The module `ray`, connected; a local cluster has so many `cpus` and goes at the end.

    A caller in Python who has connected already keeps that cluster. Raises `ConfigError` where
    Ray is not installed or the cluster does not answer.
    """
    with _environment({**QUIET, **_whose(address)}):
        ray = _imported(address)
        if ray.is_initialized():
            yield ray
            return
        with _handlers_kept():
            _connect(ray, address, cpus)
        with _told_nothing():
            try:
                yield ray
            finally:
                ray.shutdown()  # which says what it has not said yet


def _whose(address: str) -> dict[str, str]:
    """Variables that say which cluster is meant, and shut a local one off from others."""
    if address == RUNNING:
        return {}
    if address != LOCAL:
        return {"RAY_ADDRESS": address}  # which goes before what is asked for
    # Ray settles as it is imported whether there are secrets; later it has to decide by itself.
    mode = {} if "ray" in sys.modules else {"RAY_AUTH_MODE": "token"}
    return {"RAY_AUTH_TOKEN": _SECRET, **mode, **NOBODY}


def _imported(address: str) -> Any:
    needs = f"--ray {address} needs Ray Data"
    ray = require("ray", needs, "ray")
    require("ray.data", needs, "ray")
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    for handler in logging.getLogger("ray.data").handlers:  # its file goes on
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.CRITICAL + 1)
    return ray


def _connect(ray: Any, address: str, cpus: int) -> None:
    quiet = {"log_to_driver": False, "configure_logging": False}
    if address == LOCAL:
        with _stderr_away():
            ray.init(
                address=LOCAL,
                num_cpus=cpus,
                include_dashboard=False,
                object_store_memory=STORE,
                _node_ip_address="127.0.0.1",
                **quiet,
            )
        return
    if where := _running() if address == RUNNING else address:
        _refuse_silence(address, where)
    try:
        with _stderr_away():
            ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        ray.shutdown()
        reason = " ".join(str(error).split())[:200].rstrip(". ")
        raise ConfigError(
            f"--ray {address}: there is no Ray cluster that this machine belongs to ({reason}). "
            "Start one with 'ray start --head', join it with 'ray start --address HOST:PORT', or "
            "give --ray local."
        ) from error


def _refuse_silence(asked: str, address: str) -> None:
    """Refuse an address where no Ray answers, for which Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), ANSWERS_WITHIN) as there:
            if os.environ.get("RAY_USE_TLS", "0") == "0":
                there.sendall(GREETING)
                if there.recv(4)[3:] != SETTINGS:
                    raise ConnectionError("something else than Ray answers")
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"--ray {asked}: no cluster answers at {address} ({error}); give the address that "
            "'ray start --head' said, auto for the cluster that this machine belongs to, or local."
        ) from error


def _running() -> str:
    """The address that Ray would take for the cluster that this machine belongs to, if any."""
    noted = Path(os.environ.get("RAY_TMPDIR", "/tmp"), "ray", "ray_current_cluster")
    found = os.environ.get("RAY_ADDRESS", "")
    if not found and noted.is_file():
        found = noted.read_text(encoding="utf-8").strip()
    return found if ADDRESS.fullmatch(found) else ""


@contextmanager
def _environment(told: Mapping[str, str]) -> Iterator[None]:
    """Within, these variables are set for Ray and the processes that it starts."""
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _told_nothing() -> Iterator[None]:
    """Within, Ray does not print on our stdout which process died: its work is done again.

    It has no public switch for that.
    """
    worker: Any = importlib.import_module("ray._private.worker")
    before = getattr(worker, "_worker_logs_enabled", True)
    worker._worker_logs_enabled = False
    try:
        yield
    finally:
        worker._worker_logs_enabled = before


@contextmanager
def _stderr_away() -> Iterator[None]:
    """Within, nothing is written to stderr: code in C++ says there how quiet it will be."""
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Afterwards SIGTERM does what it did: Ray makes it end the process at once."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread() and before is not None:
            signal.signal(signal.SIGTERM, before)
