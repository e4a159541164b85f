"""`nda export RUN`: a trained detector for other programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nda.commands.options import parse
from nda.errors import ConfigError


@dataclass(frozen=True)
class ExportOptions:
    """Write the detector of an anomaly run as one file, and check that it gives the same scores.

    Args:
        run: folder of the run
        format: onnx (images uint8 to scores, p-values and maps) or safetensors (for nda itself)
        out: file to write; RUN/detector.onnx or RUN/exported.safetensors if not given
    """

    run: str
    format: Literal["onnx", "safetensors"] = "onnx"
    out: str | None = None


def export(words: list[str]) -> int:
    """Write the file and say how far its scores are from PyTorch's."""
    options = parse(words, ExportOptions, command="export", positional="run")
    ending = f".{options.format}"
    if options.out is not None and not options.out.endswith(ending):
        raise ConfigError(
            f"--out {options.out} must end in {ending} for --format {options.format}."
        )

    from pathlib import Path

    from nda.commands.scoring import open_detector
    from nda.export import export_onnx, export_safetensors

    name = "detector.onnx" if options.format == "onnx" else "exported.safetensors"
    path = Path(options.out) if options.out else Path(options.run) / name
    path.absolute().parent.mkdir(parents=True, exist_ok=True)
    write = export_onnx if options.format == "onnx" else export_safetensors
    checked = write(open_detector(options.run), path)
    print(
        f"{path}: scores of {checked.images} images differ from PyTorch's by at most "
        f"{checked.largest_difference:.1e}"
    )
    return 0
