"""How every kind of input is read: the table of what is damaged and by which door it enters."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

from nda.commands.parser import parse
from nda.data.boxes.load import load_boxes
from nda.data.clips.load import load_clips
from nda.data.clips.split_files import read_split_files
from nda.data.images.load import load_images
from nda.data.pairs.palette import load_palette
from nda.data.reading.layout import class_names
from nda.evaluation.outliers.detector import load_detector
from nda.recipes.gan.config import GanConfig
from nda.report.contents import read_run
from nda.training.checkpoint import load_checkpoint
from nda.training.run_folder import RunFolder
from nda.training.start import config_of
from tests.faults.fuzz import Kind
from tests.faults.made_inputs import LISTS
from tests.faults.same_run import digest_of

TEXTS = ("boxes", *(f"{name} lists" for name in LISTS), "palettes", "class lists", "configurations")


def kinds(home: Path) -> dict[str, Kind]:
    """Every kind whose sound files `make_inputs` and `make_run` have written."""
    found = [
        *(_kind(f"{f.name} images", f, _images) for f in sorted((home / "images").glob("*"))),
        _kind("zips", home / "zips", _zip),
        _kind("boxes", home / "voc", _boxes, "*/*0.xml", "ImageSets/Main/*", "labels.txt"),
        *(_kind(f"{n} lists", home / "lists" / n, lambda path: read_split_files(path.parent, 1))
          for n in LISTS),
        _kind("palettes", home / "palettes", lambda path: load_palette(str(path))),
        _kind("class lists", home / "class_lists", _classes, "classes.txt"),
        _kind("configurations", home / "configs", _configuration),
        _kind("config.yaml", home / "run", _settings, "config.yaml"),
        _kind("log.jsonl", home / "run", _page, "log.jsonl"),
        _kind("metrics.json", home / "run", _page, "metrics.json"),
        _kind("checkpoints", home / "checkpoints", _checkpoint, exact=True),
        _kind("detectors", home / "detectors", _detector, exact=True),
        _kind("caches", home / "cache", _cache, exact=True),
    ]  # fmt: skip
    if importlib.util.find_spec("av"):
        found.append(_kind("videos", home / "videos", _video))
    return {kind.name: kind for kind in found if kind.files}


def _kind(
    name: str, folder: Path, read: Callable[[Path], object], *which: str, exact: bool = False
) -> Kind:
    paths = sorted(p for each in which or ("*",) for p in folder.glob(each) if p.is_file())
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in paths}
    files.pop("sound.png", None)
    return Kind(name, folder, files, read, exact)


def _images(path: Path) -> object:
    return load_images(path.parent, resolution=8, cache=False)


def _zip(path: Path) -> object:
    return load_images(path, resolution=8, cache=False)


def _boxes(path: Path) -> object:
    root = next(folder for folder in path.parents if folder.name == "voc")
    return load_boxes(root, longest=64)


def _classes(path: Path) -> object:
    chosen = class_names(path.read_bytes().decode(errors="surrogateescape"))
    return load_images(path.parent / "data", classes=chosen, resolution=8, cache=False)


def _configuration(path: Path) -> object:
    config = parse(["--config", str(path)], GanConfig, command="train gan", config_file=True)
    config.check()
    return config


def _settings(path: Path) -> object:
    return config_of(RunFolder.open(path.parent), GanConfig)


def _page(path: Path) -> object:
    run = RunFolder.open(path.parent)
    return run.log(), run.evaluations(), read_run(run, "run")


def _checkpoint(path: Path) -> object:
    return digest_of(load_checkpoint(path))


def _detector(path: Path) -> object:
    detector = load_detector(path)
    return digest_of([detector.state_dict(), vars(detector.settings)])


def _cache(path: Path) -> object:
    images = path.parents[1] / "images/png"
    return load_images(images, resolution=8, cache_dir=path.parent).fingerprint


def _video(path: Path) -> object:
    return load_clips(path, resolution=8, cache=False).frames(0)
