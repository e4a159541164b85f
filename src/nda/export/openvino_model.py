"""Detectors for OpenVINO, made of our ONNX: a model `.xml` and beside it its weights, `.bin`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nda.evaluation.outliers.detector import Detector
from nda.export.detector import Parity, Scorer, compare, onnx_model
from nda.extras import require
from nda.runtime.files import StrPath, temporary_folder

TELEMETRY = "openvino_telemetry"
# By itself OpenVINO computes in bfloat16 where a processor can, and scores would be others.
EXACT = {"INFERENCE_PRECISION_HINT": "f32"}


def export_openvino(detector: Detector, path: StrPath) -> Parity:
    """Write `path`, an `.xml`, and its `.bin`: images uint8 (N, 3, R, R) to what ONNX gives.

    The settings stand under `nda` in its runtime information. What was written is read back and
    compared before it is kept; an earlier pair goes then, its `.xml` first. Raises `ConfigError`
    where the extra `openvino` is not installed.
    """
    openvino = openvino_runtime()
    path = Path(path)
    content = onnx_model(detector, "openvino")
    with temporary_folder(path) as folder:
        ours, written = folder / "detector.onnx", folder / path.name
        ours.write_bytes(content)
        model = openvino.Core().read_model(ours)
        for name, value in vars(detector.settings).items():
            model.set_rt_info(str(value), ["nda", name])
        openvino.save_model(model, written, compress_to_fp16=False)
        parity = compare(detector, openvino_scorer(written))
        # Whoever is killed here leaves no `.xml`, which could be read with another's weights.
        path.unlink(missing_ok=True)
        written.with_suffix(".bin").replace(path.with_suffix(".bin"))
        written.replace(path)
    return parity


def openvino_runtime() -> Any:
    """The package `openvino`, which reports to nobody.

    It otherwise writes an id into the user's home and contacts a host of its maker whenever it is
    imported. Where its package of telemetry is missing it does without.
    """
    known = sys.modules.get(TELEMETRY)
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # as Python has it: no such module
    try:
        return require("openvino", "--format openvino needs the package openvino", "openvino")
    finally:
        del sys.modules[TELEMETRY]
        if known is not None:
            sys.modules[TELEMETRY] = known


def openvino_scorer(path: Path) -> Scorer:
    """OpenVINO on an exported model."""
    compiled = openvino_runtime().Core().compile_model(path, "CPU", EXACT)

    def score(images: Tensor) -> tuple[Tensor, Tensor]:
        found = compiled([images.numpy()])
        scores, rarity = (torch.from_numpy(found[name].copy()) for name in ("scores", "p_values"))
        return scores, rarity

    return score
