"""A detector of tiny images, served on a free port of this machine."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from PIL import Image

from nda.evaluation.outliers.detector import Detector, DetectorSettings, build_network

SIDE = 16


@pytest.fixture(scope="session")
def detector() -> Detector:
    about = DetectorSettings(SIDE, "stretch", "plain", 8, "blemish", 0.05, 1, "")
    network = build_network("plain", 8)
    images = torch.from_numpy(np.stack([pixels(seed) for seed in range(99)]))
    unscored = Detector.of(network, torch.zeros(1), about)
    scores = unscored(images.permute(0, 3, 1, 2).contiguous())[0]
    return Detector.of(network, scores, about)


def pixels(seed: int) -> np.ndarray:
    """An image (16, 16, 3) that no other seed has."""
    return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)


def png(seed: int) -> bytes:
    """The same as a file."""
    file = io.BytesIO()
    Image.fromarray(pixels(seed)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="session")
def address(detector: Detector) -> Iterator[str]:
    pytest.importorskip("fastapi")
    pytest.importorskip("python_multipart")
    uvicorn = pytest.importorskip("uvicorn")
    from nda.serve.app import build_app
    from nda.serve.judge import Judge
    from nda.serve.limits import Limits

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    limits = Limits(images=4, megabytes=1)
    app = build_app(Judge(detector), name="parts", limits=limits, hosts=("127.0.0.1",))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(timeout=10)
