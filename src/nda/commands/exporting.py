"""What `nda export` does once its options are read: open the model, write it, say so.

Kept apart from the options, so that `--help` does not wait for torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nda.export.detector import export_onnx, export_safetensors
from nda.export.encoder import export_encoder, opening_lines
from nda.recipes.anomaly.load import open_detector
from nda.recipes.encoders import open_encoder


def write_detector(run: str, path: Path, kind: str) -> None:
    """Write the detector of an anomaly run."""
    write = export_onnx if kind == "onnx" else export_safetensors
    checked = write(open_detector(run), path)
    print(
        f"{path}: scores of {checked.images} images differ from PyTorch's by at most "
        f"{checked.largest_difference:.1e}"
    )


def write_encoder(run: str, path: Path, kind: Any) -> None:
    """Write the encoder of a moco run, and print the Python that opens it."""
    encoder = open_encoder(run)
    checked = export_encoder(encoder, path, kind)
    print(
        f"{path}: features of {checked.images} images differ from the run's by at most "
        f"{checked.largest_difference:.1e} of the largest\n"
        "it takes RGB images in [-1, 1] (mean 0.5, standard deviation 0.5), and opens with\n"
    )
    print(opening_lines(encoder.name, encoder.width, path, kind))
