"""What the playground needs beside its page: photographs, a detector as ONNX, and a runtime for it.

All of it is made or brought while the site is built, and served by the site itself. Where the
runtime cannot be had, the page shows the negatives and says why there are no verdicts.
"""

from __future__ import annotations

import html
import importlib.util
import io
import json
import logging
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from boards import Fault, board  # beside this file
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File
from mkdocs.utils import get_relative_url
from PIL import Image
from torch import Tensor
from web_runtime import AbsentError, TamperedError, web_runtime

import nda

PAGE = "playground.md"
FOLDER = "assets/playground"
_FITTED, _ASKED = 600, 40  # boards to learn from, and of each kind to be asked about
SAMPLES: tuple[tuple[str, int, Fault | None, int], ...] = (  # name, seed, fault, lacquer
    ("a good board", 9001, None, 0),
    ("another, in blue", 9002, None, 1),
    ("another, in red", 9003, None, 2),
    ("a scratch", 9001, "scratch", 0),
    ("solder astray", 9002, "solder", 1),
    ("a part is missing", 9003, "missing", 2),
)
FAULTS: dict[Fault, str] = {
    "scratch": "a scratch", "solder": "solder astray", "missing": "a part missing",
}  # fmt: skip
_log = logging.getLogger("mkdocs.hooks.playground")


# --8<-- [start:fit]
def fitted(normal: Tensor) -> nda.AnomalyDetector:
    """The detector of the page, from photographs of good boards uint8 (N, 3, 96, 96)."""
    detector = nda.AnomalyDetector(
        resolution=96,
        width=8,  # channels: a small network, 0.3 MB
        steps=400,
        lr=4e-3,
        negative="blemish+blemish+cutout+jigsaw+stitch+missing",  # made of good boards
        positives="gaussian_noise:std=0.02",
        false_alarm_rate=0.01,
        device="cpu",
    )
    return detector.fit(normal)


# --8<-- [end:fit]


@cache
def detector() -> nda.AnomalyDetector:
    """Fitted once a process, however often its pages are built."""
    normal = np.stack([board(seed) for seed in range(_FITTED)])
    return fitted(torch.from_numpy(normal).permute(0, 3, 1, 2).contiguous())


def on_files(files: Any, *, config: Any) -> Any:
    """Add the files that no one keeps."""
    contents = {f"made/{name}": content for name, content in photographs().items()}
    try:
        contents |= with_detector()
    except AbsentError as why:
        config.extra["playground_absent"] = f"There are no verdicts here: {why} as this was built."
        _log.info("The playground has no detector: %s.", why)
    except TamperedError as error:
        raise PluginError(str(error)) from error
    for name, content in contents.items():
        files.append(File.generated(config, f"{FOLDER}/{name}", content=content))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Put the playground where its page says `<!-- playground -->`."""
    if page.file.src_uri != PAGE:
        return markdown
    here = get_relative_url(FOLDER, page.url)
    samples = [{"name": name, "file": f"made/{_file(name)}"} for name, *_ in SAMPLES]
    absent = config.extra.get("playground_absent", "")
    shares = "" if absent else found()
    return markdown.replace("<!-- found -->", shares).replace(
        "<!-- playground -->",
        f'<link rel="stylesheet" href="{here}/page.css">\n'
        f'<div class="playground" data-samples="{html.escape(json.dumps(samples))}" '
        f'data-absent="{html.escape(absent)}">'
        "<noscript>The playground needs JavaScript.</noscript></div>\n"
        f'<script type="module" src="{here}/page.js"></script>\n',
    )


def photographs() -> dict[str, bytes]:
    """The photographs that the page offers, as PNG."""
    found = {}
    for name, seed, fault, lacquer in SAMPLES:
        file = io.BytesIO()
        Image.fromarray(board(seed, fault, lacquer)).save(file, "png")
        found[_file(name)] = file.getvalue()
    return found


def with_detector() -> dict[str, bytes]:
    """The runtime, the detector and what the page must know of it; raises `AbsentError`."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        if importlib.util.find_spec(package) is None:
            raise AbsentError(f"{package}, of nda's extra export, was not installed")
    runtime = {f"onnxruntime-web/{name}": content for name, content in web_runtime().items()}
    with tempfile.TemporaryDirectory(prefix="nda-") as folder:
        model = Path(detector().to_onnx(Path(folder) / "detector.onnx")).read_bytes()
    return {**runtime, "made/detector.onnx": model, "made/about.json": about()}


def about() -> bytes:
    """What the heat is coloured by, and the rate that verdicts are held to."""
    inner = detector().module
    hottest = [round(value, 6) for value in inner.hottest.tolist()]
    settings = inner.settings
    said = {"side": settings.resolution, "rate": settings.false_alarm_rate, "calibration": hottest}
    return json.dumps(said).encode()


def found() -> str:
    """How many of new boards it flags, as a sentence."""
    counts = []
    for number, fault in enumerate((None, *FAULTS)):
        boards = np.stack([board(10_000 * (number + 1) + seed, fault) for seed in range(_ASKED)])
        images = torch.from_numpy(boards).permute(0, 3, 1, 2).contiguous()
        counts.append(int(detector().predict(images).flags.sum()))
    good, *faulty = counts
    each = zip(FAULTS.values(), faulty, strict=True)
    kinds = ", ".join(f"{count} with {words}" for words, count in each)
    return f"Of {_ASKED} new boards of each kind it flags {good} good ones, {kinds}."


def _file(name: str) -> str:
    return name.replace(",", "").replace(" ", "-") + ".png"
