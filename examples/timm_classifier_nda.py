"""Negatives in the training of a timm classifier: what changes is marked.

    pip install 'nda-torch[bench]'
    python examples/timm_classifier_nda.py --steps 200

Trains a small ResNet of timm to tell images of two dots from those of four; no download, no GPU.
Of negatives it is to say that they are neither: their labels are spread over all classes.
"""

from __future__ import annotations

import argparse

import timm
import torch
import torch.nn.functional as F
from torch import Tensor

import nda
from nda.data import draw_dots, to_float

SIDE, CLASSES = 32, (2, 4)


def drawn(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Images (N, 3, 32, 32) in [-1, 1] and their labels (N,): 0 for two dots, 1 for four."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(len(CLASSES), (count,), generator=rng)
    return to_float(draw_dots(torch.tensor(CLASSES)[labels], SIDE, generator=rng)), labels


def main(steps: int, batch_size: int = 32, weight: float = 1.0) -> tuple[float, float]:
    """Train; gives accuracy on new images and the mean certainty on their negatives.

    Certainty is the highest probability: 1/2 is none. `weight` 0 is training without negatives.
    """
    torch.manual_seed(0)
    images, labels = drawn(2000, seed=0)
    model = timm.create_model("resnet10t", num_classes=len(CLASSES), pretrained=False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    negative = nda.Jigsaw(grid=4)  # new: cuts dots, and may change their number
    neither = torch.full((batch_size, len(CLASSES)), 1 / len(CLASSES))  # new

    for _ in range(steps):
        chosen = torch.randint(len(images), (batch_size,))
        real = images[chosen]
        logits = model(torch.cat([real, negative(real)])).split(batch_size)  # new: the second half
        loss = F.cross_entropy(logits[0], labels[chosen])
        loss = loss + weight * F.cross_entropy(logits[1], neither)  # new
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    model.eval()
    images, labels = drawn(500, seed=1)
    with torch.no_grad():
        accuracy = (model(images).argmax(1) == labels).float().mean()
        certainty = model(negative(images)).softmax(1).amax(1).mean()
    return float(accuracy), float(certainty)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    for weight in (0.0, 1.0):
        accuracy, certainty = main(parser.parse_args().steps, weight=weight)
        print(
            f"negatives weigh {weight:g}: accuracy {accuracy:.2f}, certainty on jigsaws "
            f"{certainty:.2f} (0.5 is none)"
        )
