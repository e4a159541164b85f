"""Negatives in lightly's own MoCo: what changes is marked.

    pip install 'nda-torch[bench]'
    python examples/lightly_moco_nda.py --steps 200

Trains lightly's MoCo v2 on dots that the script draws itself; no download, no GPU. Without the
lines marked `new` it is the example of lightly's documentation, with its memory bank.
"""

from __future__ import annotations

import argparse
import copy

import torch
import torch.nn.functional as F
from lightly.models.modules import MoCoProjectionHead
from lightly.models.modules.memory_bank import MemoryBankModule
from lightly.models.utils import deactivate_requires_grad, update_momentum
from lightly.transforms.moco_transform import MoCoV2Transform
from torch import Tensor, nn
from torchvision.models import resnet18

import nda
from nda.data import draw_dots

SIDE, DIM, TEMPERATURE = 32, 128, 0.2


class MoCo(nn.Module):
    """As in lightly's documentation: encoder and head, and both again as moving averages."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = resnet18()
        self.backbone.fc = nn.Identity()
        self.projection_head = MoCoProjectionHead(512, 512, DIM)
        self.backbone_momentum = copy.deepcopy(self.backbone)
        self.projection_head_momentum = copy.deepcopy(self.projection_head)
        deactivate_requires_grad(self.backbone_momentum)
        deactivate_requires_grad(self.projection_head_momentum)

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.projection_head(self.backbone(x)), dim=1)

    @torch.no_grad()
    def forward_momentum(self, x: Tensor) -> Tensor:
        return F.normalize(self.projection_head_momentum(self.backbone_momentum(x)), dim=1)


def main(
    steps: int, batch_size: int = 32, images: int = 2000, weight: float = 1.0
) -> tuple[float, float]:
    """Train for `steps`; mean cosine of an image and its jigsaw, before and after."""
    torch.manual_seed(0)
    draws = torch.Generator().manual_seed(0)
    data = draw_dots(torch.full((images,), 4), SIDE, generator=draws).float() / 255
    transform = MoCoV2Transform(input_size=SIDE, gaussian_blur=0.0, cj_strength=0.5)
    model = MoCo()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.06, momentum=0.9, weight_decay=1e-4)
    memory_bank = MemoryBankModule(size=(batch_size * 8, DIM), feature_dim_first=False)
    negative = nda.Jigsaw()  # new

    before = cosine(model, data[:100])
    for _ in range(steps):
        rows = torch.randint(len(data), (batch_size,), generator=draws)
        pairs = [transform(image) for image in data[rows]]
        x_query, x_key = (torch.stack(views) for views in zip(*pairs, strict=True))
        update_momentum(model.backbone, model.backbone_momentum, m=0.99)
        update_momentum(model.projection_head, model.projection_head_momentum, m=0.99)

        query = model(x_query)
        keys = torch.cat([x_key, negative(x_key)])  # new: in one forward, as batch norm sees them
        key, made = model.forward_momentum(keys).split(batch_size)  # new
        key, queue = memory_bank(key, update=True)  # keys alone: negatives are never queued
        loss = nda.nda_info_nce(  # new: in place of NTXentLoss
            query, key, queue, made[:, None], temperature=TEMPERATURE, negative_weight=weight
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return before, cosine(model, data[:100])


@torch.no_grad()
def cosine(model: MoCo, images: Tensor) -> float:
    """Mean cosine of the vectors of images and of their jigsaws, the same ones at every call."""
    jigsaws = nda.Jigsaw()(images, generator=torch.Generator().manual_seed(0))
    # A copy, whose running statistics may move, and one forward, so that both share the batch's.
    vectors = copy.deepcopy(model)(torch.cat([images, jigsaws]))
    return float((vectors[: len(images)] * vectors[len(images) :]).sum(dim=1).mean())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--weight", type=float, default=1.0, help="of a negative; 0 is plain MoCo")
    words = parser.parse_args()
    before, after = main(words.steps, weight=words.weight)
    print(f"mean cosine of an image and its jigsaw: {before:.2f} before, {after:.2f} after")
