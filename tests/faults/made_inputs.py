"""One sound file of every kind that `nda` reads, to be damaged."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image

from nda.data import load_images
from nda.evaluation.outliers.detector import (
    Detector,
    DetectorSettings,
    build_network,
    save_detector,
)
from nda.training.checkpoint import save_checkpoint
from tests.support.made_boxes import write_voc
from tests.support.made_pairs import PALETTE
from tests.support.made_videos import encode
from tests.support.tiny_gan import tiny

LISTS = {
    "plain": {"train.txt": "walk/a.mp4\nrun/b.mp4\n", "test.txt": "walk/c.mp4\nrun/d.mp4\n"},
    "ucf": {"trainlist01.txt": "walk/a.mp4 1\nrun/b.mp4 2\n", "testlist01.txt": "walk/c.mp4\n"},
    "hmdb": {"walk_test_split1.txt": "a.mp4 1\nc.mp4 2 \n", "run_test_split1.txt": "b.mp4 1\n"},
}
SAVED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "rgb.png": ("RGB", "PNG", {}), "deep.png": ("I;16", "PNG", {}), "few.png": ("P", "PNG", {}),
    "alpha.png": ("RGBA", "PNG", {}), "plain.jpg": ("RGB", "JPEG", {}),
    "rising.jpg": ("RGB", "JPEG", {"progressive": True}), "print.jpg": ("CMYK", "JPEG", {}),
    "grey.jpg": ("L", "JPEG", {}), "a.gif": ("P", "GIF", {}), "a.bmp": ("RGB", "BMP", {}),
    "few.bmp": ("P", "BMP", {}), "a.ppm": ("RGB", "PPM", {}), "a.pgm": ("L", "PPM", {}),
    "plain.tif": ("RGB", "TIFF", {}), "lzw.tif": ("RGB", "TIFF", {"compression": "tiff_lzw"}),
    "deep.tif": ("I;16", "TIFF", {}), "a.webp": ("RGB", "WEBP", {}),
    "exact.webp": ("RGBA", "WEBP", {"lossless": True}),
}  # fmt: skip


def make_inputs(home: Path) -> int:
    """Write the folders that `readers.kinds` damages: for a child, since it runs torch."""
    torch.manual_seed(0)
    for name, content in pictures().items():
        ending = name.rsplit(".", 1)[1]
        _write(home / "images" / ending / name, content)
        _write(home / "images" / ending / "sound.png", pictures()["rgb.png"])
    for name, how in (("a.zip", zipfile.ZIP_STORED), ("b.zip", zipfile.ZIP_DEFLATED)):
        _write(home / "zips" / name, _zip(how))
    for container, codec in (("mp4", "mpeg4"), ("avi", "mjpeg"), ("gif", "gif")):
        _write(
            home / "videos" / f"a.{container}",
            encode(6, size=(31, 23), container=container, codec=codec),
        )
    make_texts(home)
    _make_weights(home)
    load_images(home / "images/png", resolution=8, cache_dir=home / "cache")
    return 0


def make_texts(home: Path) -> None:
    """The texts among them, beside the pictures that they speak of."""
    write_voc(home / "voc", train=2, test=2, labels="disc\nbar\n")
    for name, texts in LISTS.items():
        for file, text in texts.items():
            _write(home / "lists" / name / file, text.encode())
    _write(home / "palettes/a.txt", PALETTE.encode())
    rows = [
        [int(i), name, *map(int, rgb)] for i, name, *rgb in map(str.split, PALETTE.splitlines())
    ]
    _write(home / "palettes/a.json", json.dumps(rows).encode())
    _write(home / "class_lists/classes.txt", b"dark, light,two words\n")
    for name in ("dark", "light"):
        _write(home / "class_lists/data" / name / "a.png", pictures()["rgb.png"])
    config = tiny(home / "data", home / "run")
    given = {name: value for name, value in config.as_dict().items() if value is not None}
    _write(home / "configs/gan.yaml", yaml.safe_dump(given, sort_keys=False).encode())


def make_run(home: Path, finished: Path) -> None:
    """The text files of a finished run."""
    for name in ("config.yaml", "log.jsonl", "metrics.json"):
        (home / "run").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(finished / name, home / "run" / name)


def pictures() -> dict[str, bytes]:
    """Small pictures in every format and mode that is read."""
    draws = np.random.default_rng(0)
    small = Image.fromarray(draws.integers(0, 256, (3, 3, 3), np.uint8)).resize((12, 12))
    found = {}
    for name, (mode, form, options) in SAVED.items():
        deep = np.asarray(small.convert("L")).astype(np.uint16) * 257
        image = Image.fromarray(deep) if mode == "I;16" else small.convert(mode)
        buffer = io.BytesIO()
        image.save(buffer, form, **options)
        found[name] = buffer.getvalue()
    return found


def _make_weights(home: Path) -> None:
    network = build_network("plain", 8)
    settings = DetectorSettings(32, "crop", "plain", 8, "blemish", 0.1, 4, "abc")
    (home / "detectors").mkdir(parents=True)
    save_detector(home / "detectors/a.safetensors", Detector.of(network, torch.randn(30), settings))
    state = {"network": torch.nn.Linear(20, 30).state_dict(), "order": {"n": 3, "list": [1.5, "a"]}}
    content = {"config": {"recipe": "gan"}, "data": "abc", "seconds": 1.0, "state": state}
    save_checkpoint(home / "checkpoints", 4, content, keep=1)
    (home / "checkpoints/latest").unlink()


def _zip(how: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as archive:
        for name in ("rgb.png", "plain.jpg", "few.png"):
            archive.writestr(f"data/class {name[0]}/{name}", pictures()[name])
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
