"""What the pages say to type is what the program takes, and their Python runs."""

from __future__ import annotations

import io
import re
import shlex
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import nda
from nda.cli import COMMANDS, main
from nda.commands import parser as options
from nda.evaluation.outliers.detector import (
    Detector,
    DetectorSettings,
    build_network,
    save_detector,
)
from nda.recipes.shipped import FOLDER

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
CONFIGS = sorted(FOLDER.glob("*/*.yaml"))


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of every fenced block of a page."""
    return re.findall(r"^```(\w*)\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)


# --- what is typed


def typed(text: str) -> Iterator[str]:
    """The lines of a shell that call nda; continued ones joined, others beside it left out."""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        for part in re.split(r"&&|\|\|?|\s>>?\s", line.removeprefix("#")):
            call = part.strip().removeprefix("uv run ")
            if call.startswith("nda "):
                yield call


LINES = sorted(
    {
        line
        for page in PAGES
        for language, text in blocks(page)
        if not language
        for line in typed(text)
    }
    | {line for file in CONFIGS for line in typed(file.read_text("utf-8"))}
)


class ParsedError(Exception):
    """The words were understood; what they ask for is not done here."""


@pytest.fixture
def parsed_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], dict[str, Any]]:
    """Give a line; get the options that the program reads in it, without doing anything."""
    found: dict[str, Any] = {}

    def understood(values: object) -> NoReturn:
        found.update(vars(values))
        raise ParsedError

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(options, "checked", understood)

    def parse(line: str) -> dict[str, Any]:
        if run := re.search(r"--config (runs/\S+)", line):  # of which nothing is here
            monkeypatch.chdir(tmp_path)
            Path(run[1]).mkdir(parents=True)
            (Path(run[1]) / "config.yaml").write_text("data: normal/\n", encoding="utf-8")
        with pytest.raises(ParsedError):
            main(shlex.split(line, comments=True)[1:])
        return found

    return parse


@pytest.mark.parametrize("line", LINES)
def test_the_program_understands_what_the_pages_say_to_type(
    line: str, parsed_only: Callable[[str], dict[str, Any]]
) -> None:
    assert parsed_only(line)


def test_many_lines_were_found() -> None:
    assert len(LINES) > 100
    assert set(COMMANDS) - {line.split()[1] for line in LINES} == {"report"}


def test_a_wrong_line_is_noticed(parsed_only: Callable[[str], dict[str, Any]]) -> None:
    for wrong in ("nda trian gan", "nda train gan --data x --out y --widht 8"):
        with pytest.raises(pytest.fail.Exception):
            parsed_only(wrong)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_in_the_text_exist(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for span in re.findall(r"`(nda [^`\n]+)`", page.read_text("utf-8")):
        words = [word.strip("[]().,") for word in span.split()]
        names = [word.partition("=")[0] for word in words if word.startswith("--")]
        verb = words[1:3] if words[1] in ("train", "data") else words[1:2]
        if not names or verb[-1].isupper():
            continue
        with pytest.raises(SystemExit):
            main([*verb, "--help"])
        known = capsys.readouterr().out.replace("-", "_")
        for name in names:
            assert re.search(rf"{name.replace('-', '_')}\b", known), (span, name)


# --- Python


def in_readme(names: dict[str, Any]) -> None:
    names |= {name: torch.rand(4, 3, 8, 8) for name in ("real", "fake")}
    names["discriminator"] = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 1))
    names |= {f"{kind}_images": grey_levels(50) for kind in ("normal", "new")}


def grey_levels(count: int) -> torch.Tensor:
    """Images of 32 x 32 pixels, all of which differ."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, 3, 32, 32))
    return torch.from_numpy(pixels.astype(np.uint8))


def in_python(names: dict[str, Any]) -> None:
    names |= {"normal": grey_levels(220), "new": grey_levels(3)}


def in_concepts(names: dict[str, Any]) -> None:
    in_readme(names)
    names |= {name: torch.rand(4) for name in ("real_logits", "fake_logits", "negative_logits")}
    names["negative"] = torch.rand(4, 3, 8, 8)
    for name in ("real_logits", "fake_logits", "real_head", "negative_head", "null_head",
                 "fake_head"):  # fmt: skip
        names[name] = torch.zeros(4)


def in_how_to(names: dict[str, Any]) -> None:
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 16))
    names |= {"nda": nda, "torch": torch, "F": F, "model": model, "key_model": model}
    names |= {name: torch.rand(4, 3, 8, 8) for name in ("x_query", "x_key")}
    names["queue"] = F.normalize(torch.rand(10, 16), dim=1)


def in_anomaly(names: dict[str, Any]) -> None:
    about = DetectorSettings(32, "stretch", "plain", 8, "blemish", 0.01, 1, "")
    Path("runs/parts").mkdir(parents=True)
    detector = Detector(build_network("plain", 8), torch.rand(99), about)
    save_detector("runs/parts/detector.safetensors", detector)
    names["images"] = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)


def in_corruptions(names: dict[str, Any]) -> None:
    write_zip("cifar10.zip", [f"test/{name}/0.png" for name in ("cat", "dog")], 32)
    Path("CIFAR-10-C").mkdir()
    for name, shape in (("fog", (50_000, 32, 32, 3)), ("labels", (50_000,))):
        np.lib.format.open_memmap(f"CIFAR-10-C/{name}.npy", "w+", np.dtype(np.uint8), shape)


def in_linear_probe(names: dict[str, Any]) -> None:
    import torchvision

    network = torchvision.models.resnet18()
    network.fc = torch.nn.Identity()
    torch.save(network.state_dict(), "encoder-torchvision.pth")


def in_video(names: dict[str, Any]) -> None:
    frames = [f"{kind}/{n}/{k:03}.png" for kind in "ab" for n in range(4) for k in range(120)]
    write_zip("videos.zip", frames, 16)


def in_clevr(names: dict[str, Any]) -> None:
    pytest.importorskip("mitsuba")


def write_zip(path: str, names: list[str], side: int) -> None:
    """Pictures all of which differ."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(names):
            picture = io.BytesIO()
            pixels = np.random.default_rng(number).integers(0, 255, (side, side, 3))
            Image.fromarray(pixels.astype(np.uint8)).save(picture, "PNG")
            archive.writestr(name, picture.getvalue())


# What a page takes for granted; each of its blocks goes on where the one before ended.
TAKEN_FOR_GRANTED: dict[str, Callable[[dict[str, Any]], None]] = {
    "README.md": in_readme,
    "concepts.md": in_concepts,
    "python.md": in_python,
    "how-to.md": in_how_to,
    "anomaly-detection.md": in_anomaly,
    "corruptions.md": in_corruptions,
    "linear-probe.md": in_linear_probe,
    "video.md": in_video,
    "clevr.md": in_clevr,
}
# Of the page on oneDNN's fault the Python ends the process, on the processors that have the fault.
WITH_PYTHON = [
    page
    for page in PAGES
    if page.name != "onednn-crash.md" and any(language == "python" for language, _ in blocks(page))
]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.name)
def test_the_python_of_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    if page.name in TAKEN_FOR_GRANTED:
        TAKEN_FOR_GRANTED[page.name](names)
    for language, text in blocks(page):
        if language == "python":
            exec(compile(text, str(page), "exec"), names)


def test_no_block_has_another_language() -> None:
    assert {language for page in PAGES for language, _ in blocks(page)} <= {"", "python"}
