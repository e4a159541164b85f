"""A detector of anomalous images in one object: fit, predict, save, load."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from nda.api.hub import Shareable, measured_in
from nda.api.media import expecting_images
from nda.api.options import settings_shown
from nda.api.places import refuse_absent
from nda.api.runs.result import RunResult
from nda.api.runs.settings import recipe_settings
from nda.api.score.judge import batches_of, judge
from nda.api.score.limits import Limit, limit_of, notes_of
from nda.api.score.result import Rows, Scores
from nda.api.score.sources import images_of
from nda.api.settings import ScoreOptions
from nda.data.images.given import stream_of_pictures
from nda.data.images.stream import Stream
from nda.errors import ConfigError, DataError
from nda.evaluation.outliers.conformal import p_values
from nda.evaluation.outliers.detector import LEARNED, Detector, save_detector
from nda.evaluation.record import Evaluation
from nda.export.detector import export_onnx
from nda.extras import require_training
from nda.recipes.anomaly.config import AnomalyConfig
from nda.recipes.anomaly.load import open_detector
from nda.report.model_card import Card, detector_card
from nda.runtime.devices import choose_device
from nda.runtime.files import StrPath, prepare_output
from nda.runtime.notes import overheard
from nda.runtime.plain_types import wrong_type
from nda.validators import counted

ELSEWHERE = {
    "data": "give the images to fit: nda.AnomalyDetector().fit(images)",
    "out": "give it to fit: nda.AnomalyDetector().fit(images, out=...)",
    "recipe": "it is always anomaly; nda.train(recipe, ...) trains the others",
}


class AnomalyDetector(Shareable):
    """A detector of anomalous images that learns from normal ones alone.

        detector = nda.AnomalyDetector(steps=1500).fit("normal.zip")
        found = detector.predict("new/")  # found.scores, found.p_values, found.flags, found.maps

    Settings are those of `nda train anomaly`, by the same names. Images of any size, also tensors,
    are brought to `resolution` as from the command line: in RGB, the whole of the image ("stretch")
    or its middle ("crop"), as `fit` says among the settings. With `tile` they are cut into tiles of
    their own pixels instead, and must all be of one size. Their values are 0 to 255, uint8.

    Examples:
        >>> normal = torch.randint(100, 156, (60, 3, 32, 32), dtype=torch.uint8)
        >>> detector = nda.AnomalyDetector(resolution=32, steps=2, false_alarm_rate=0.2)
        >>> found = detector.fit(normal).predict(normal[:4])
        >>> found.scores.shape, found.maps.shape
        (torch.Size([4]), torch.Size([4, 8, 8]))
        >>> bool((found.p_values > 0).all() and (found.p_values <= 1).all())
        True
    """

    @settings_shown(AnomalyConfig, without="data out recipe devices")
    def __init__(self, **settings: Any) -> None:
        self._settings = settings
        for name, instead in ELSEWHERE.items():
            if name in settings:
                raise ConfigError(f"{name} is no setting of AnomalyDetector; {instead}.")
        named = {"data": "-", "out": "-", "config": None, "full_size": False, **settings}
        recipe_settings(AnomalyConfig.recipe, **named)  # refuses what is wrong at once
        self._detector: Detector | None = None
        self._gone: Callable[[], object] = _nothing  # takes the run of before away
        self._read = ""  # the file that it was loaded from, which does not say how it was trained
        self.result: RunResult | None = None  # of the training: its run, figures and page

    def fit(self, images: Any, *, out: StrPath | None = None) -> AnomalyDetector:
        """Train on normal images and calibrate on some of them; gives this detector.

        Args:
            images: folder, .zip of a folder, or torchvision:NAME; or images at hand: a tensor uint8
                (N, 3, H, W), arrays, pictures of Pillow or a data set of them
            out: folder of the run to write; a temporary one, gone with this object, if not given

        Where it fails, a detector that was fitted before stays as it is.

        Raises:
            UserError: images that cannot be used or are too few, a folder that holds a run, a
                detector that was loaded, and where the extra `train` is not installed.
            KeyboardInterrupt: Ctrl-C; a run in `out` is kept, and `nda.resume` goes on with it.
        """
        if self._read:
            raise ConfigError(
                f"This detector was loaded from {self._read}, without the settings of its "
                "training; make a new one to fit, nda.AnomalyDetector(...), and give them anew."
            )
        require_training("AnomalyDetector.fit")
        from nda.api.runs.train import train

        gone: Callable[[], object] = _nothing
        if out is None:
            folder = tempfile.mkdtemp(prefix="nda-")
            gone = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            out = Path(folder) / "run"
        try:
            result = train(AnomalyConfig.recipe, data=images, out=out, **self._settings)
            detector = open_detector(str(result.run))
        except BaseException:
            gone()
            raise
        self._gone()
        self._gone, self.result, self._detector = gone, result, detector
        return self

    def predict(
        self,
        images: Any,
        *,
        false_alarm_rate: float | None = None,
        threshold: float | None = None,
        false_discovery_rate: float | None = None,
        batch_size: int = 64,
        device: str = "auto",
    ) -> Scores:
        """Scores, p-values, flags and maps of N images.

        Args:
            images: an image, folder or .zip; or images at hand: a picture of Pillow, an array uint8
                (H, W, 3), a tensor uint8 (3, H, W), batches of them, or any iterable or data set
            false_alarm_rate: share of normal images that may be flagged; as trained if not given
            threshold: flag images that score so high or higher, in place of a rate
            false_discovery_rate: share of the flagged images that may be normal, in place of a rate
                of false alarms
            batch_size: images scored at once
            device: auto, cpu, cuda, mps, or one card such as cuda:1

        Raises:
            UserError: floats or other shapes, no image at all, a rate that the calibration cannot
                promise, and a detector that was not fitted.
        """
        limits = {
            "false_alarm_rate": _plain_number(false_alarm_rate),
            "threshold": _plain_number(threshold),
            "false_discovery_rate": _plain_number(false_discovery_rate),
        }
        batch_size = _plain_number(batch_size)
        if wrong := wrong_type({**limits, "batch_size": batch_size}, ScoreOptions):
            raise ConfigError(f"{wrong}.")
        detector = self.module.to(choose_device(device))
        limit = limit_of(detector, **limits)
        if batch_size < 1:
            raise ConfigError(f"batch_size is {batch_size}; it must be at least 1.")
        with overheard() as remarks, _stream(images, detector.settings.bit_depth) as stream:
            return _scored(detector, stream, limit, batch_size, remarks)

    @property
    def module(self) -> Detector:
        """The trained `torch.nn.Module`: images uint8 (B, 3, R, R) to scores, p-values, maps.

        Raises `ConfigError` where nothing has been fitted or loaded.
        """
        if self._detector is None:
            raise ConfigError(
                "This detector has not been fitted; call fit with normal images, or load one with "
                "AnomalyDetector.load(path)."
            )
        return self._detector

    def save(self, path: StrPath) -> Path:
        """Write weights, calibration and settings as one .safetensors file, for `load`.

        Raises `ConfigError` for another ending, and for a folder.
        """
        save_detector(_ending(path, ".safetensors"), self.module)
        return Path(path)

    @classmethod
    def load(cls, path: StrPath) -> Self:
        """The detector in a file that `save` wrote, or of the folder of a run of anomaly.

        Raises `CheckpointError` for what is missing, damaged or of something else.
        """
        with overheard():
            detector = open_detector(str(path))
        about = detector.settings
        loaded = cls(resolution=about.resolution, false_alarm_rate=about.false_alarm_rate)
        loaded._detector, loaded._read = detector, str(path)
        return loaded

    def to_onnx(self, path: StrPath) -> Path:
        """Write an ONNX file, checked against PyTorch: uint8 images to scores, p_values, maps.

        Raises `ConfigError` for another ending, and where the extra `export` is not installed.
        """
        export_onnx(self.module, _ending(path, ".onnx"))
        return Path(path)

    _file = "detector.safetensors"

    def _card(self) -> tuple[Card, Evaluation | None]:
        measured = self.result.evaluation if self.result else measured_in(self._read)
        return detector_card(self.module.settings, len(self.module.calibration)), measured

    def __repr__(self) -> str:
        if self._detector is None:
            return f"AnomalyDetector(not fitted, {self._settings})"
        about = self._detector.settings
        how = f"{counted(about.step, 'step')} against {about.negative}"
        if about.method != LEARNED:
            noun = "normal image" if about.tiling is None else "tile"
            how = f"{about.method} of {about.backbone}, {counted(about.kept, noun)}"
        return (
            f"AnomalyDetector({how}, {about.resolution} pixels, "
            f"false-alarm rate {about.false_alarm_rate:g})"
        )

    def __getstate__(self) -> dict[str, Any]:
        """For copies, which do not own the temporary folder of the run and so know no run of it."""
        mine = {} if self._gone is _nothing else {"_gone": _nothing, "result": None}
        return {**vars(self), **mine}


def _nothing() -> None:
    """What there is to do where no temporary folder has to go."""


def _plain_number(value: Any) -> Any:
    """Python's number where NumPy or torch have one; anything else as it is."""
    one = isinstance(value, np.generic) or (isinstance(value, torch.Tensor) and not value.dim())
    return value.item() if one else value


def _ending(path: StrPath, ending: str) -> Path:
    """A path to write to, whose folder is made if need be."""
    if Path(path).suffix != ending:
        raise ConfigError(f"{path} must end in {ending}.")
    if Path(path).is_dir():
        raise ConfigError(f"{path} is a folder; give the name of a file to write.")
    return prepare_output(Path(path))


@contextmanager
def _stream(images: Any, bit_depth: int | None) -> Iterator[Stream]:
    if not isinstance(images, str | Path):
        yield stream_of_pictures(images)
        return
    refuse_absent(str(images))
    with (
        expecting_images(str(images), "this detector"),
        images_of(str(images), bit_depth) as stream,
    ):
        yield stream


@torch.inference_mode()
def _scored(
    detector: Detector, stream: Stream, limit: Limit, batch_size: int, remarks: list[str]
) -> Scores:
    rows, maps = Rows(), []
    for batch in batches_of(detector, stream, batch_size):
        broken = torch.tensor([bool(reason) for reason in batch.reasons])
        found = torch.full((len(broken), 2), float("nan"), dtype=torch.float64)
        heat: torch.Tensor | None = None
        places: Iterator[tuple[int, int]] = iter(())
        if len(batch.images):
            judged = judge(detector, batch.images, batch_size)
            places = iter(judged.places)
            heat = torch.full((len(broken), *judged.maps.shape[1:]), float("nan"))
            rare = p_values(judged.scores, detector.calibration)
            found[~broken] = torch.stack([judged.scores.double(), rare.double()], dim=1).cpu()
            heat[~broken] = judged.maps.float().cpu()
        for name, pair, reason in zip(batch.names, found.tolist(), batch.reasons, strict=True):
            rows.add(name, pair[0], pair[1], reason, None if reason else next(places, None))
        maps.append((len(broken), heat))
    if not rows.rows:
        raise DataError("No images were found, where at least one was expected; give one or more.")
    rarity = [p_value for _, _, p_value, reason in rows.rows if not reason]
    limit = limit.settled(rarity)
    why_none = notes_of(limit, detector, len(rarity), sum(map(limit.reached, rarity)))
    notes = [*remarks, *why_none, *stream.values.notes()]
    return rows.scores(limit.heat, _joined(maps), notes, limit)


def _joined(maps: list[tuple[int, torch.Tensor | None]]) -> torch.Tensor | None:
    """Maps of all images; NaN for batches of which none could be read, None where none ever was."""
    known = [places for _, places in maps if places is not None]
    if not known:
        return None
    blank = torch.full(known[0].shape[1:], float("nan"))
    return torch.cat(
        [blank.expand(count, -1, -1) if places is None else places for count, places in maps]
    )
