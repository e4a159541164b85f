"""Negatives beside the same with softened seams, whose null carries the seams as well.

The null of a hard cut is the image itself: what was learned of such a negative against its null may
be the cut alone. In a softened twin the two are treated alike.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nda.negatives.base import Negative
from nda.negatives.named import settings_of

SOFT = "seam=feather"


def softened(text: str) -> str | None:
    """The negative written as `text` with its hard cuts feathered; None where it has none.

    `jigsaw:grid=4` gives `jigsaw:grid=4,seam=feather`, and `mixup` None. Of a mixture joined by `+`
    every part that can be softened is.
    """
    parts = [_softened(part.strip()) for part in text.split("+")]
    made = "+".join(part for part, _ in parts)
    return made if any(changed for _, changed in parts) else None


def _softened(part: str) -> tuple[str, bool]:
    name, _, given = part.partition(":")
    settings = [setting.strip() for setting in given.split(",") if setting.strip()]
    seams = [s for s in settings if s.partition("=")[0].strip() == "seam"]
    if "seam" not in settings_of(name.strip()) or any(not s.endswith("hard") for s in seams):
        return part, False
    kept = [setting for setting in settings if setting not in seams]
    return f"{name.strip()}:{','.join([*kept, SOFT])}", True


def null_is_the_image(negative: Negative, x: Tensor, generator: torch.Generator) -> bool:
    """Whether the null of `x` `(B, ...)` shows nothing of the negative, as that of a hard cut."""
    return bool(torch.equal(negative.null(x, negative.draw(x, generator)), x))
