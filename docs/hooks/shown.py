"""What the pages show of what they ran: pictures, figures and the gallery, as text of a page."""

from __future__ import annotations

import base64
import inspect
import io
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import Tensor

from nda.negatives import Negative, negative_from_name
from nda.negatives.named import NEGATIVE_NAMES

ROOT = Path(__file__).resolve().parents[2]
_GALLERY = {
    "Negatives of structure": ("jigsaw", "stitch", "cutout", "cutmix", "mixup"),
    "Negatives of structure, without a visible seam": (
        "jigsaw:seam=feather", "jigsaw:seam=poisson,offset=random", "stitch:seam=poisson,edge=wavy",
        "cutmix:seam=poisson",
    ),
    "Negatives of faults": ("blemish", "crack", "scar", "stain", "texture", "paste", "missing"),
    "Controls, which break nothing": ("horizontal_flip", "random_crop", "gaussian_noise"),
}  # fmt: skip

_STARRED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def picture(pixels: NDArray[np.uint8] | str, width: int, words: str = "") -> str:
    """A picture of pixels (H, W, 3), or of a file, `width` pixels wide; `words` say what it is."""
    image = Image.open(pixels) if isinstance(pixels, str) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.convert("RGB").save(file, "png")
    text = base64.b64encode(file.getvalue()).decode()
    return (
        f'<img alt="{words}" class="pixels" style="width:{width}px" '
        f'src="data:image/png;base64,{text}"/>'
    )


def sheet(rows: list[Tensor]) -> NDArray[np.uint8]:
    """Rows of images uint8 (N, 3, H, W) as one picture, thin gaps between them."""
    padded = [torch.nn.functional.pad(row, (2, 2, 2, 2), value=255) for row in rows]
    pixels: NDArray[np.uint8] = (
        torch.cat([torch.cat(list(row), 2) for row in padded], 1).permute(1, 2, 0).numpy()
    )
    return pixels


def dots_table() -> str:
    """What ten seeds of the quickstart counted, from its file of figures."""
    metrics = json.loads((ROOT / "results/quickstart/summary.json").read_text("utf-8"))["metrics"]
    without, with_nda = (
        metrics["exact_share"]["arms"][arm]["by_seed"] for arm in ("without NDA", "with NDA")
    )
    rows = [f"| {seed} | {without[seed]:.0%} | {with_nda[seed]:.0%} |" for seed in without]
    head = ["| seed | exactly four, without negatives | with |", "|---|---|---|"]
    return "\n".join(head + rows)


def gallery() -> str:
    """Every negative on the same photographs, with its parameters and what it is."""
    names = [name.partition(":")[0] for group in _GALLERY.values() for name in group]
    if missing := set(NEGATIVE_NAMES) - set(names):
        raise ValueError(f"The gallery does not show {', '.join(sorted(missing))}.")
    images = photographs()
    parts = [picture(sheet([images]), 720, "photographs"), ""]
    for title, members in _GALLERY.items():
        parts += [
            f"## Negatives {title}" if "controls" not in title else f"## {title.capitalize()}"
        ]
        parts += [_entry(name, images) for name in members]
    return "\n\n".join(parts)


def photographs(side: int = 96) -> Tensor:
    """Six crops uint8 (6, 3, side, side) of two photographs."""
    whole = [each[::2, ::2] for each in load_sample_images().images]
    corners = ((0, 60, 20), (1, 50, 40), (0, 100, 170), (1, 90, 150), (0, 20, 220), (1, 110, 210))
    crops = [whole[index][top : top + side, left : left + side] for index, top, left in corners]
    return torch.stack([torch.from_numpy(crop.copy()).permute(2, 0, 1) for crop in crops])


def _entry(name: str, images: Tensor) -> str:
    negative = negative_from_name(name)
    # A draw of its own for each name, which stays where another name is added.
    params = negative.draw(images, torch.Generator().manual_seed(zlib.crc32(name.encode())))
    rows = [negative.replay(images, params)]
    mask = negative.mask(images, params)
    if not bool((mask == 1).all()):
        rows.append((mask * 255).round().byte().expand(-1, 3, -1, -1))
    below = " Below: where it is one (`mask`)." if len(rows) > 1 else ""
    plain = ":" not in name
    words = (inspect.getdoc(type(negative)) or "").split("\n\n")[0].replace("\n", " ")
    head = f"### `{name}`\n\n" + (f"{words}{below}\n\n" if plain else "")
    table = _parameters(negative) if plain else ""
    return head + picture(sheet(rows), 720, name) + "\n\n" + table


def _parameters(negative: Negative) -> str:
    kind = type(negative)
    given = [
        each for each in inspect.signature(kind).parameters.values() if each.kind not in _STARRED
    ]
    if not given:
        return ""
    shown = ", ".join(f"`{each.name}={_value(each.default)}`" for each in given)
    there = f"reference.md#nda.negatives.{kind.__name__}"
    return f"Parameters and their defaults: {shown} ([what they mean]({there}))."


def _value(default: Any) -> str:
    return f"{default:.3g}" if isinstance(default, float) else str(default)
