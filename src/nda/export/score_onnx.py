"""Score images with the detector beside this file: python score_onnx.py IMAGE [IMAGE ...].

Needs numpy, pillow and onnxruntime; no torch, no nda. Prints file, score, p-value and verdict, and
names files that it cannot read on stderr; then it ends with 1.
"""

import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before it is imported
import onnxruntime


def main(names: list[str]) -> int:
    """Print a row an image; the exit code is 1 where one could not be read."""
    session = onnxruntime.InferenceSession(Path(__file__).with_name("detector.onnx"))
    about = session.get_modelmeta().custom_metadata_map
    rate, broken = float(about["false_alarm_rate"]), 0
    for name in names:
        try:
            pixels = read(name, int(about["resolution"]), crop=about["fit"] == "crop")
        except Exception as error:  # Pillow's readers raise many kinds of it
            print(f"{name} cannot be scored: {error}", file=sys.stderr)
            broken = 1
            continue
        (score,), (p_value,), _ = session.run(None, {"images": pixels})
        print(f"{name},{score:.6g},{p_value:.6g},{'anomalous' if p_value <= rate else 'normal'}")
    return broken


def read(name: str, side: int, *, crop: bool) -> np.ndarray:
    """The picture as uint8 (1, 3, side, side), as the detector was trained on."""
    file = Image.open(name)
    file.draft(None, (2 * side, 2 * side))  # as in training: quick for large JPEG files
    if file.mode not in ("L", "RGB") or "transparency" in file.info:
        raise ValueError(f"mode {file.mode}; save it as RGB or grey with 8 bits")
    image = ImageOps.exif_transpose(file).convert("RGB")
    edge = min(image.size)
    left, top = ((length - edge) / 2 for length in image.size)
    box = (left, top, left + edge, top + edge) if crop else None
    if image.size != (side, side):
        image = image.resize((side, side), Image.Resampling.LANCZOS, box=box)
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1)[None])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print(f"usage: python {sys.argv[0]} IMAGE [IMAGE ...]", file=sys.stderr)
        sys.exit(2)
    sys.exit(main(sys.argv[1:]))
