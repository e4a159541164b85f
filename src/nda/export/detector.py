"""Detectors for other programs. Every export is read back and compared before it is kept."""

from __future__ import annotations

import contextlib
import copy
import importlib
import io
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nda.errors import ConfigError
from nda.evaluation.outliers.detector import Detector, load_detector, save_detector
from nda.runtime.files import StrPath, temporary_folder, write_atomically

IMAGES = 256  # of random pixels and of smooth ones, on which scores are compared
TOLERANCE = 1e-4
_BATCH = 32
_OPSET = 18
OUTPUTS = ("scores", "p_values", "maps")

Scorer = Callable[[Tensor], tuple[Tensor, Tensor]]  # images uint8 to scores and p-values


@dataclass(frozen=True)
class Parity:
    """How well an exported file agrees with the detector it was made of."""

    images: int
    largest_difference: float  # of a score, in units of the larger of 1 and the score itself


class ExportError(RuntimeError):
    """The exported file does not give PyTorch's scores: a fault of ours, and nothing is written."""


def export_safetensors(detector: Detector, path: StrPath) -> Parity:
    """Write weights, calibration and settings; `nda.load_detector(path)` gives the module back."""
    path = Path(path)
    with temporary_folder(path) as folder:
        written = folder / path.name
        save_detector(written, detector)
        again = load_detector(written)
        parity = compare(detector, lambda images: again(images)[:2])
        written.replace(path)
    return parity


def export_onnx(detector: Detector, path: StrPath) -> Parity:
    """Write an ONNX file: `images` uint8 (N, 3, R, R) to `scores` (N,), `p_values` (N,), `maps`.

    N is free. Its metadata hold the settings. Raises `ConfigError` where the extra `export` is not
    installed.
    """
    content = onnx_model(detector, "onnx")
    parity = compare(detector, onnx_scorer(content))
    write_atomically(Path(path), lambda file: file.write(content))
    return parity


def onnx_model(detector: Detector, asked: str) -> bytes:
    """The ONNX file of a detector, checked for its form; `asked` is the format it is for.

    Raises `ConfigError` where the extra `export` is not installed.
    """
    require_onnx(asked)
    side = detector.settings.resolution
    plain = copy.deepcopy(detector).cpu().to(memory_format=torch.contiguous_format)
    images = torch.zeros(2, 3, side, side, dtype=torch.uint8)
    return checked_onnx(onnx_graph(plain, images, ["images"], OUTPUTS), vars(detector.settings))


def require_onnx(asked: str) -> None:
    """Refuse (`ConfigError`) what is `asked` where the extra `export` is not installed."""
    try:
        onnx_runtime()  # before others import it
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"--format {asked} needs the package {error.name}; install nda with its extra: "
            "pip install 'nda-torch[export]'."
        ) from error


def onnx_graph(
    module: nn.Module,
    taken: Tensor | list[Tensor],
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> Any:
    """The ONNX model of a module on the CPU that takes a tensor or a list of some, N rows each."""
    many = {0: torch.export.Dim("N", min=1)}
    with _quiet_exporter():
        program = torch.onnx.export(
            module,
            (taken,),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=([many for _ in taken] if isinstance(taken, list) else many,),
            opset_version=_OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def checked_onnx(model: Any, about: Mapping[str, object]) -> bytes:
    """The file of an ONNX model, with what is told `about` it among its metadata."""
    import onnx

    for name, value in about.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = name, str(value)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def onnx_scorer(content: bytes) -> Scorer:
    """ONNX Runtime on an exported model."""
    session = onnx_runtime().InferenceSession(content, providers=["CPUExecutionProvider"])

    def score(images: Tensor) -> tuple[Tensor, Tensor]:
        scores, rarity, _ = session.run(None, {"images": images.numpy()})
        return torch.from_numpy(scores), torch.from_numpy(rarity)

    return score


def onnx_runtime() -> Any:
    """The package `onnxruntime`, which reports to nobody.

    From 1.32 on it otherwise writes a device's id into the user's cache and contacts a host of its
    maker, from the import on: only the environment can tell it not to.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    return importlib.import_module("onnxruntime")


@torch.no_grad()
def compare(detector: Detector, exported: Scorer) -> Parity:
    """Scores and p-values of both on the same images (`ExportError` where they differ)."""
    images = compared_images(detector.settings.resolution)
    known, device = detector.calibration.cpu(), detector.calibration.device
    differences = []
    for part in images.split(_BATCH):
        theirs, their_rarity = exported(part)
        ours, our_rarity = (each.cpu() for each in detector(part.to(device))[:2])
        unit = ours.abs().clamp(min=1)
        differences.append((theirs - ours).abs() / unit)
        # A score within the tolerance of a calibration score may fall on its other side.
        near = (known - ours[:, None]).abs().amin(dim=1) < TOLERANCE * unit
        if not bool((near | ((their_rarity - our_rarity).abs() < 1e-6)).all()):
            raise ExportError("the exported file gives other p-values than PyTorch")
    largest = float(torch.cat(differences).max())
    if not largest <= TOLERANCE:  # so written that a score that is not a number is refused
        raise ExportError(f"the exported scores differ from PyTorch's by {largest:.2e}")
    return Parity(len(images), largest)


def compared_images(side: int) -> Tensor:
    """Images from noise to smooth, so that scores of every size are compared."""
    rng = torch.Generator().manual_seed(0)
    parts = []
    for grain in (1, 2, 4, 8):
        small = torch.rand(IMAGES // 4, 3, side // grain, side // grain, generator=rng)
        large = torch.nn.functional.interpolate(small, (side, side), mode="bicubic")
        parts.append((large * 255).clamp(0, 255).to(torch.uint8))
    return torch.cat(parts)


@contextlib.contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Without the exporter's remarks on its own progress and deprecations."""
    before = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger("torch.onnx").setLevel(before)
