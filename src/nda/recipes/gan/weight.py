"""λ over a run: the share of generated samples in the mixture of eq. 3, and what sets it.

- constant: λ is `fake_weight`;
- warmup: the plain GAN first, then the negatives' share 1 - λ grows to its full size;
- fade: the reverse, all of it first, then it shrinks to nothing;
- follow: a controller shows negatives only while generated images do not suffer for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nda.recipes.gan.config import GanConfig

if TYPE_CHECKING:
    from lightning_fabric import Fabric

BEGINS = (
    0.06  # share of the run after which λ moves; the authors' code begins after 30 of 500 epochs
)
ENDS = 0.5


def scheduled_weight(config: GanConfig, step: int) -> float:
    """λ at a step of a run whose λ depends on the step alone."""
    moved = (step / config.steps - BEGINS) / (ENDS - BEGINS)
    moved = min(max(moved, 0.0), 1.0)
    shares = {"constant": 1.0, "warmup": moved, "fade": 1.0 - moved}
    return 1 - (1 - config.fake_weight) * shares[config.fake_weight_schedule]


class Follower:
    """λ that follows what the discriminator sees, as the probability of ADA (Karras et al., 2020).

    Two shares are averaged over the updates: of real images that score above a generated one (b),
    and above their own negative (a). Every fourth update the negatives' share w = 1 - λ moves a bit
    down where b < 0.6, for generated images then need all of the loss; else up where a < 0.9, for
    structure is not seen yet; else down, for it is, and need not be paid for. w lies in [0, 0.5]
    and begins at 0; from one end to the other it takes 10,000 images at least.

    Everything stays on the device, and all processes hold the same: they average what they see.
    """

    DECAY = 0.9  # of the averages
    EVERY = 4  # updates of the discriminator
    IMAGES = 20_000  # real images in which w would go from 0 to 1
    MOST = 0.5  # of w
    SEEN_FAKES = 0.6  # b, as ADA's target for its sign
    SEEN_NEGATIVES = 0.9  # a

    def __init__(self, batch_size: int, fabric: Fabric) -> None:
        self.fabric = fabric
        self.stride = self.EVERY * batch_size * fabric.world_size / self.IMAGES
        self.share = torch.zeros((), device=fabric.device)  # w
        self.seen = torch.full((2,), 0.5, device=fabric.device)  # a and b, at chance
        self.updates = 0

    @property
    def weight(self) -> Tensor:
        """λ, 0-dimensional."""
        return 1 - self.share

    @torch.no_grad()
    def see(self, real: Tensor, fake: Tensor, negative: Tensor) -> None:
        """Take in the logits `(B,)` of one update; `negative[i]` was made of `real[i]`."""
        above = torch.stack([(real > other).float().mean() for other in (negative, fake)])
        above = torch.as_tensor(self.fabric.all_reduce(above, reduce_op="mean"))
        self.seen = torch.lerp(above, self.seen, self.DECAY)
        self.updates += 1
        if self.updates % self.EVERY == 0:
            negatives, fakes = self.seen
            up = (fakes >= self.SEEN_FAKES) & (negatives < self.SEEN_NEGATIVES)
            moved = self.share + torch.where(up, self.stride, -self.stride)
            self.share = moved.clamp(0, self.MOST)

    @property
    def logs(self) -> dict[str, Tensor]:
        """The two averages."""
        return {"right_negative": self.seen[0], "right_fake": self.seen[1]}

    def state_dict(self) -> dict[str, Any]:
        return {"share": self.share, "seen": self.seen, "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.share = state["share"].to(self.fabric.device)
        self.seen = state["seen"].to(self.fabric.device)
        self.updates = int(state["updates"])
