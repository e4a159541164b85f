"""A folder behind HTTP on this machine, below a path, as a static host serves a project."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BELOW = "/some/where"


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder's files, without a slash at its end."""

    class Handler(SimpleHTTPRequestHandler):
        def translate_path(self, path: str) -> str:
            plain = super().translate_path(path.removeprefix(BELOW))
            return plain if path.startswith(BELOW) else str(folder / "not there")

        def do_GET(self) -> None:
            if self.path == "/favicon.ico":  # which browsers ask for by themselves
                self.send_response(204)
                self.end_headers()
            else:
                super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    def handler(*given: object) -> Handler:
        return Handler(*given, directory=str(folder))  # type: ignore[arg-type]

    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{BELOW}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
