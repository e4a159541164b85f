"""Score images with the detector beside this file: python score_onnx.py IMAGE [IMAGE ...].

Needs numpy, pillow and onnxruntime; no torch, no nda. Prints file, score, p-value and verdict, of
large images also where the highest score is, and names files that it cannot read on stderr; then it
ends with 1.
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
    side, crop = int(about["resolution"]), about["fit"] == "crop"
    rate = np.float32(about["false_alarm_rate"])  # as p-values are: 1 / 20 is not above 0.05
    size = int(about["image_width"]), int(about["image_height"])  # 0 where there are no tiles
    broken = 0
    for name in names:
        try:
            if size[0]:
                found = in_tiles(session, read(name), size, side, int(about["overlap"]))
            else:
                pixels = read(name, side, crop=crop).transpose(2, 0, 1)[None]
                (score,), (p_value,), _ = session.run(None, {"images": pixels})
                found = score, p_value
        except Exception as error:  # Pillow's readers raise many kinds of it
            print(f"{name} cannot be scored: {error}", file=sys.stderr)
            broken = 1
            continue
        score, p_value, *place = found
        verdict = "anomalous" if p_value <= rate else "normal"
        print(f"{name},{score:.6g},{p_value:.6g},{verdict}", *place, sep=",")
    return broken


def read(name: str, side: int = 0, *, crop: bool = False) -> np.ndarray:
    """The picture as uint8 (H, W, 3), at the side that the detector was trained on, if any."""
    file = Image.open(name)
    if side:
        file.draft(None, (2 * side, 2 * side))  # as in training: quick for large JPEG files
    if file.mode not in ("L", "RGB") or "transparency" in file.info:
        raise ValueError(f"mode {file.mode}; save it as RGB or grey with 8 bits")
    image = ImageOps.exif_transpose(file).convert("RGB")
    edge = min(image.size)
    left, top = ((length - edge) / 2 for length in image.size)
    box = (left, top, left + edge, top + edge) if crop else None
    if side and image.size != (side, side):
        image = image.resize((side, side), Image.Resampling.LANCZOS, box=box)
    return np.asarray(image)


def in_tiles(
    session: onnxruntime.InferenceSession,
    pixels: np.ndarray,
    size: tuple[int, int],
    side: int,
    overlap: int,
) -> tuple[float, ...]:
    """Score, p-value, x and y of the highest of the tiles of a large picture."""
    if pixels.shape[1::-1] != size:
        height, width = pixels.shape[:2]
        raise ValueError(f"it has {width} x {height} pixels, not {size[0]} x {size[1]}")
    tops, lefts = (begins(length, side, overlap) for length in size[::-1])
    corners = [(top, left) for top in tops for left in lefts]
    best: tuple[float, ...] = (-np.inf,)
    for first in range(0, len(corners), 32):
        some = corners[first : first + 32]
        tiles = np.stack([pixels[y : y + side, x : x + side].transpose(2, 0, 1) for y, x in some])
        scores, p_values, maps = session.run(None, {"images": tiles})
        if scores.max() > best[0]:
            tile = scores.argmax()
            spot = np.unravel_index(maps[tile].argmax(), maps[tile].shape)
            row, column = (int((n + 0.5) * side / len(maps[tile])) for n in spot)
            best = scores[tile], p_values[tile], some[tile][1] + column, some[tile][0] + row
    return best


def begins(length: int, side: int, overlap: int) -> list[int]:
    """Where tiles begin along a side: evenly spread, at multiples of 8 but for the last."""
    last = length - side
    count = -(-last // (side - overlap))
    return [*(-(-last * k // (count * 8)) * 8 for k in range(count)), last]


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print(f"usage: python {sys.argv[0]} IMAGE [IMAGE ...]", file=sys.stderr)
        sys.exit(2)
    sys.exit(main(sys.argv[1:]))
