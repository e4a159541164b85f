"""What can be done with the core install alone; run as a script, where no extra is installed.

    python tests/support/core_use.py FOLDER

FOLDER holds normal.npy, images uint8 (N, 3, H, W), and detector.safetensors, saved by
`AnomalyDetector`. What needs the extra `train` is printed, a name and its sentence a line.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

import nda

# What draws no structure, or wants something beside the images, has a test of its own elsewhere.
NEGATIVES = (
    "jigsaw", "stitch", "cutout", "cutmix", "mixup", "blemish", "crack", "scar", "stain", "paste",
    "missing",
)  # fmt: skip


def negatives(images: torch.Tensor) -> None:
    """Of every kind."""
    for name in NEGATIVES:
        made = nda.negative_from_name(name)(images)
        assert (made.shape, made.dtype) == (images.shape, images.dtype), name
        assert not torch.equal(made, images), name


def objectives() -> None:
    """A GAN's step and a contrastive loss, with their gradients."""
    real, fake, negative = torch.randn(3, 8, requires_grad=True).unbind()
    loss = nda.hinge_d(real, fake, negative) + nda.logistic_g(fake)
    query, key, queue = (torch.nn.functional.normalize(torch.randn(4, 8)) for _ in range(3))
    loss = loss + nda.nda_info_nce(query, key, queue, query[:, None], temperature=0.2)
    loss.backward()
    assert loss.isfinite()


def detector(folder: Path, normal: torch.Tensor) -> None:
    """Load, predict, save; and one sentence for what trains."""
    found = nda.AnomalyDetector.load(folder / "detector.safetensors")
    scores = found.predict(normal)
    assert scores.maps is not None
    assert scores.maps.isfinite().all()
    assert len(scores.p_values) == len(normal)
    again = nda.AnomalyDetector.load(found.save(folder / "again.safetensors"))
    assert torch.equal(again.predict(normal).scores, scores.scores)
    try:
        nda.AnomalyDetector(steps=2).fit(normal)
    except nda.UserError as error:
        print("AnomalyDetector.fit", error)


def picture(folder: Path, normal: torch.Tensor) -> None:
    """Negatives with their names beside them."""
    shown = nda.preview(normal, count=4, out=folder / "negatives.png")
    assert len(shown.negatives) > 3
    assert (folder / "negatives.png").stat().st_size > 10_000


def names() -> None:
    """Every public name is there, or says what to install."""
    for name in nda.__all__:
        try:
            getattr(nda, name)
        except nda.UserError as error:
            print(name, error)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    images = torch.from_numpy(np.load(place / "normal.npy"))
    negatives(images[:4])
    objectives()
    detector(place, images)
    picture(place, images)
    names()
