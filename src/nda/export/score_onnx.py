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

if len(sys.argv) < 2:
    print(f"usage: python {sys.argv[0]} IMAGE [IMAGE ...]", file=sys.stderr)
    sys.exit(2)
session = onnxruntime.InferenceSession(Path(__file__).with_name("detector.onnx"))
about = session.get_modelmeta().custom_metadata_map
side, rate = int(about["resolution"]), float(about["false_alarm_rate"])
broken = 0
for name in sys.argv[1:]:
    try:
        file = Image.open(name)
        file.draft(None, (2 * side, 2 * side))  # as in training: quick for large JPEG files
        if file.mode not in ("L", "RGB") or "transparency" in file.info:
            raise ValueError(f"mode {file.mode}; save it as RGB or grey with 8 bits")
        image = ImageOps.exif_transpose(file).convert("RGB")
    except Exception as error:  # Pillow's readers raise many kinds of it
        print(f"{name} cannot be scored: {error}", file=sys.stderr)
        broken += 1
        continue
    edge = min(image.size) if about["fit"] == "crop" else 0
    left, top = ((length - edge) / 2 for length in image.size)
    box = (left, top, left + edge, top + edge) if edge else None
    if image.size != (side, side):
        image = image.resize((side, side), Image.Resampling.LANCZOS, box=box)
    pixels = np.asarray(image).transpose(2, 0, 1)[None]
    (score,), (p_value,), _ = session.run(None, {"images": np.ascontiguousarray(pixels)})
    print(f"{name},{score:.6g},{p_value:.6g},{'anomalous' if p_value <= rate else 'normal'}")
sys.exit(1 if broken else 0)
