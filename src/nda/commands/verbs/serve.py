"""`nda serve RUN`: a detector behind a page on which images are dropped, and JSON for programs."""

from __future__ import annotations

import contextlib
import socket
import sys
from dataclasses import dataclass

from nda.api.places import refuse_no_run
from nda.bit_depths import check_bit_depth
from nda.commands.parser import parse
from nda.errors import ConfigError
from nda.runtime.idle_threads import sleep_when_idle
from nda.validators import at_least

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class ServeOptions:
    """Serve a detector: a page to drop images on, and JSON for programs, until Ctrl-C.

    Args:
        run: folder of the run, or a detector file that nda exported
        host: address to listen at; others than this machine's own let others in, without a password
        port: number of the port
        false_alarm_rate: share of normal images that may be flagged; as trained if not given
        most_images: images in a request at most
        most_megabytes: size of a request at most
        bit_depth: bits of the numbers in files of more than 8, where they are not those of the run
        device: auto, cpu, cuda, mps
    """

    run: str
    host: str = "127.0.0.1"
    port: int = 8000
    false_alarm_rate: float | None = None
    most_images: int = 32
    most_megabytes: int = 64
    bit_depth: int | None = None
    device: str = "auto"


def serve(words: list[str]) -> int:
    """Serve until it is interrupted; gives the exit code."""
    options = parse(words, ServeOptions, command="serve", positional="run")
    refuse_serve(options)

    from nda.extras import require

    uvicorn = require("uvicorn", "nda serve needs uvicorn and FastAPI", "serve")
    for module in ("fastapi", "python_multipart"):
        require(module, "nda serve needs FastAPI and python-multipart", "serve")

    sleep_when_idle()
    from nda.recipes.anomaly.load import open_detector
    from nda.runtime.devices import choose_device
    from nda.serve.app import build_app
    from nda.serve.judge import Judge
    from nda.serve.limits import Limits

    detector = open_detector(options.run).to(choose_device(options.device))
    own = options.host in LOOPBACK
    app = build_app(
        Judge(detector, options.false_alarm_rate, options.bit_depth),
        name=options.run.rstrip("/").rpartition("/")[2],
        limits=Limits(options.most_images, options.most_megabytes),
        hosts=(*LOOPBACK, "[::1]") if own else ("*",),
    )
    if not own:
        print(
            f"nda: whoever reaches {options.host} can have images judged; nobody is asked for a "
            "password. Without --host only this machine can.",
            file=sys.stderr,
        )
    with listening(options.host, options.port) as listener:
        address = f"[{options.host}]" if ":" in options.host else options.host
        print(f"nda: http://{address}:{options.port}, until Ctrl-C", file=sys.stderr, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
    return 0


def listening(host: str, port: int) -> socket.socket:
    """A socket at that address; refuses (`ConfigError`) one that is taken or not to be had."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"nda serve cannot listen at {host}, port {port} ({error.strerror}); give another "
            "--port or --host."
        ) from error
    return listener


def refuse_serve(options: ServeOptions) -> None:
    """Of serving a detector."""
    refuse_no_run(options.run, or_file=True)
    check_bit_depth(options.bit_depth)
    for name in ("port", "most_images", "most_megabytes"):
        at_least(options, name, 1)
    if options.port > 65_535:
        raise ConfigError(f"port is {options.port}; it must be at most 65535.")
