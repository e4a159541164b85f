"""ONNX Runtime Web for the playground, from npm: of one version, whose content is known."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from nda.runtime.files import cache_folder, write_atomically

VERSION = "1.30.0"
INTEGRITY = (  # SHA-512 of the package, as npm writes it
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
_PATIENCE = 600  # seconds for 33 MB
FILES = {  # of the 150 MB in it: the runtime for one thread or more, without a GPU
    "ort.js": "package/dist/ort.wasm.bundle.min.mjs",
    "ort.wasm": "package/dist/ort-wasm-simd-threaded.wasm",
}
_LICENSE = """ONNX Runtime Web {version} (npm: onnxruntime-web), unchanged but for names of files.

MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT
OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


class AbsentError(Exception):
    """Why the runtime cannot be had: half a sentence."""


class TamperedError(Exception):
    """The package is not the one that is pinned."""


def web_runtime() -> dict[str, bytes]:
    """The files to serve, by name.

    Raises `AbsentError` where npm cannot bring them, `TamperedError` where they are others.
    """
    package = cache_folder() / "site" / f"onnxruntime-web-{VERSION}.tgz"
    if not package.is_file():
        packed = _packed()
        package.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(package, lambda file: file.write(checked(packed)))
    checked(package.read_bytes())
    with tarfile.open(package) as archive:
        found = {name: archive.extractfile(member) for name, member in FILES.items()}
        files = {name: file.read() for name, file in found.items() if file is not None}
    return {**files, "LICENSE.txt": _LICENSE.format(version=VERSION).encode()}


def checked(package: bytes) -> bytes:
    """The same bytes, if their SHA-512 is the one that is pinned."""
    if base64.b64encode(hashlib.sha512(package).digest()).decode() != INTEGRITY:
        raise TamperedError(
            f"The package onnxruntime-web {VERSION} has another SHA-512 than the one in "
            "docs/hooks/web_runtime.py; remove it from the folder site/ of the cache, and find "
            "out where it came from."
        )
    return package


def _packed() -> bytes:
    npm = shutil.which("npm")
    if npm is None:
        raise AbsentError("npm, which brings ONNX Runtime Web, was not there")
    with tempfile.TemporaryDirectory(prefix="nda-") as folder:
        command = [npm, "pack", f"onnxruntime-web@{VERSION}", "--silent"]
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=_PATIENCE)
            (package,) = Path(folder).glob("*.tgz")
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            raise AbsentError("npm could not bring ONNX Runtime Web") from error
        return package.read_bytes()
