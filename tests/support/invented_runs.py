"""Run folders as training leaves them, for tests of the pages made from them."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
import yaml

from nda.evaluation.record import Evaluation, Histogram, Metric, Protocol
from nda.report.pictures.grid import image_grid, save_png
from nda.training.run_folder import RunFolder

SETTINGS: dict[str, Any] = {
    "data": "/data/sets/cifar10.zip",
    "steps": 20,
    "seed": 0,
    "device": "cuda",
    "precision": "bf16-mixed",
    "recipe": "gan",
    "negative": "jigsaw",
    "negative_data": None,
    "fake_weight": 0.25,
}
PROTOCOL: Protocol = {
    "split": "test",
    "ema": True,
    "generated_images": 12_345,
}


def distance(value: float, **changes: str | float) -> Metric:
    """A metric under PROTOCOL, or under one with changes."""
    return Metric("distance", "Distance of features", value, "lower", {**PROTOCOL, **changes})


def gap(**changes: str | float) -> Histogram:
    """A histogram under PROTOCOL, or under one with changes."""
    series = {"real": [0, 2, 8], "negative": [7, 3, 0]}
    return Histogram(
        "gap", "Gap of scores", "D(x)", [-1.0, 0, 1, 2], series, {**PROTOCOL, **changes}
    )


def bare_run(path: Path, **settings: Any) -> RunFolder:
    """A run that was interrupted before it wrote anything but its settings."""
    path.mkdir(parents=True)
    content = SETTINGS | {"out": str(path)} | settings
    head = "# nda 0.1.0, torch 2.11.0, Python 3.12.3\n"
    (path / "config.yaml").write_text(head + yaml.safe_dump(content, sort_keys=False))
    return RunFolder(path)


def evaluated_run(path: Path, *evaluations: Evaluation, **settings: Any) -> RunFolder:
    """A run with evaluations, without log or pictures."""
    run = bare_run(path, **settings)
    for evaluation in evaluations:
        run.save_evaluation(evaluation.as_dict())
    return run


def whole_run(path: Path, **settings: Any) -> RunFolder:
    """A run with everything: log, pictures, two evaluations with histograms and a note."""
    notes = ["FID: no weights on this machine."]
    run = evaluated_run(
        path,
        Evaluation(10, [distance(50.5)], [gap()], notes),
        Evaluation(20, [distance(40.25)], [gap()], notes),
        **settings,
    )
    rows = [
        {"step": step, "images": step * 64, "seconds": step * 0.5, "images_per_second": 128.0}
        | {"loss_d": 2 / step, "loss_g": 1.0, "d_real": 0.5, "d_fake": -0.5, "d_negative": -1.0}
        for step in range(1, 21)
    ]
    run.log_path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    images = torch.arange(4 * 3 * 8 * 8).reshape(4, 3, 8, 8).to(torch.uint8)
    for step in range(0, 21, 2):
        save_png(image_grid(images, 2), run.samples / f"step-{step:08d}.png")
    save_png(image_grid(images, 2, row_labels=["real", "jigsaw"]), run.samples / "negatives.png")
    return run


class Read(HTMLParser):
    """A page as a browser takes it: its text, its tags and what they point to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.pointers: list[str] = []
        self.ids: list[str] = []
        self.pictures: list[str] = []
        self.scripts: list[str] = []
        self._pieces: list[str] = []
        self.feed(page)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._pieces).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
                self.pointers.append(value or "")
            if name == "id":
                self.ids.append(value or "")
            if tag == "img" and name == "alt":
                self.pictures.append(value or "")

    def handle_data(self, data: str) -> None:
        in_script = self.tags[-1:] == ["script"] and self.cdata_elem == "script"
        (self.scripts if in_script else self._pieces).append(data)


OURS = files("nda.report").joinpath("templates/page.js").read_text("utf-8")


def check_scripts(page: str) -> None:
    """The one script is ours, and the page allows no other."""
    assert ["".join(Read(page).scripts)] == [OURS]
    assert Read(page).tags.count("script") == 1
    (allowed,) = re.findall(r"script-src '(.*?)'", page)
    digest = base64.b64encode(hashlib.sha256(OURS.encode()).digest()).decode()
    assert html.unescape(allowed) == f"sha256-{digest}"


def check_self_contained(page: str) -> None:
    """Nothing is fetched, nothing runs but our script, and no two elements share an id."""
    read = Read(page)
    check_scripts(page)
    assert "http:" not in page
    assert "https:" not in page
    assert "@import" not in page
    assert page.count("url(") == page.count("url(#")
    assert read.pointers
    assert all(pointer.startswith(("data:image/png;base64,", "#")) for pointer in read.pointers)
    assert not {"link", "iframe", "object", "embed"} & set(read.tags)
    assert len(read.ids) == len(set(read.ids))
    assert {pointer[1:] for pointer in read.pointers if pointer.startswith("#")} <= set(read.ids)
