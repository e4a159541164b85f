"""What `nda export` does once its options are read: open the model, write it, say so.

Kept apart from the options, so that `--help` does not wait for torch.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nda.export.detector import export_onnx, export_safetensors
from nda.export.encoder import export_encoder, opening_lines
from nda.export.openvino_model import export_openvino
from nda.recipes.anomaly.load import open_detector
from nda.recipes.encoders import open_encoder
from nda.runtime.files import write_text_atomically
from nda.validators import counted

OURS = "detector.onnx"
WRITERS = {
    "onnx": export_onnx,
    "openvino": export_openvino,
    "safetensors": export_safetensors,
}


def write_detector(run: str, path: Path, kind: str) -> None:
    """Write the detector of an anomaly run."""
    checked = WRITERS[kind](open_detector(run), path)
    print(
        f"{path}: scores of {checked.images} images differ from PyTorch's by at most "
        f"{checked.largest_difference:.1e}"
    )
    if kind == "onnx":
        print(write_scorer(path))


def write_int8(run: str, path: Path) -> None:
    """Write the detector of an anomaly run with 8 bits in its backbone, and say what that does."""
    from nda.api.runs.work import at_work, open_run
    from nda.export.int8_detector import export_int8

    exact = open_detector(run)
    with at_work():
        found = export_int8(open_run(run, device="cpu").state, exact, path)
    split = "calibrated on" if found.aurocs is None else "of the test split"
    print(
        f"{path}: scores of {found.parity.images} images differ from those calibrated by at most "
        f"{found.parity.largest_difference:.1e}\n"
        f"fitted to the images of the run anew and calibrated on {found.calibrated_on:,} of them, "
        f"so that its rate of {exact.settings.false_alarm_rate:g} holds for scores of 8 bits\n"
        f"{counted(found.images, 'image')} {split}: the rank correlation with scores of 32 bits is "
        f"{found.spearman:.3f}, the greatest difference {found.largest_difference:.2f} of their "
        "standard deviation"
    )
    if found.aurocs is not None:
        print("AUROC: {:.3f} with 8 bits, {:.3f} with 32".format(*found.aurocs))
    print(write_scorer(path))


def write_scorer(path: Path) -> str:
    """Write a script beside an ONNX file that scores images with it, and say so.

    It replaces one of an earlier export; a file of the user's that is called so stays.
    """
    text = Path(score_onnx_path()).read_text(encoding="utf-8")
    script = path.with_name("score_onnx.py" if path.name == OURS else f"score_{path.stem}.py")
    first = text.partition("\n")[0]
    if script.exists() and not script.read_bytes().startswith(first.encode()):
        return f"{script} is there and not ours, so no script is written that scores images"
    write_text_atomically(
        script, text.replace(f'"{OURS}"', json.dumps(path.name, ensure_ascii=False))
    )
    return f"{script}: scores images with it, without torch and nda"


def score_onnx_path() -> str:
    """Where the script lies in this package; it is never imported, as it runs at once."""
    found = find_spec("nda.export.score_onnx")
    assert found is not None
    assert found.origin is not None
    return found.origin


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
