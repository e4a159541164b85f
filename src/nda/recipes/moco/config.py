"""The settings of the moco recipe; the defaults are the paper's for CIFAR-10 with jigsaw."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Literal, Self

from nda.errors import ConfigError
from nda.recipes.matched import Matched, check_matched
from nda.recipes.narrow import Narrow, each
from nda.recipes.published import MOCO
from nda.training.config import FREE, RunConfig
from nda.validators import at_least, from_zero_to_one

FEWEST = 4  # images whose cosines say anything: pairs of different ones are taken of them


@dataclass(frozen=True, kw_only=True)
class MocoConfig(RunConfig):
    """MoCo-v2 whose queries also learn what their image is not: NDA-CPC (paper, section 4).

    Labels are not trained on; where the data has classes, they serve to measure.

    Args:
        recipe: name of the recipe
        steps: updates of the encoder; the paper's 1,000 epochs of CIFAR-10 are 195,000
        network: cifar_resnet18, cifar_resnet50 (3 x 3 stem), resnet18 or resnet50
        width: channels of the encoder's stem; 64 as published
        dim: length of the vectors that are compared
        temperature: T of the objective
        queue_size: keys of past batches, a multiple of the batch size of all processes
        key_momentum: momentum of the key encoder
        bn_splits: parts of a batch that batch norm takes apart, as so many GPUs would
        negative: none, or a negative such as jigsaw, jigsaw:grid=4 or jigsaw+stitch
        negatives_per_sample: m, negatives made of each key's view
        negative_weight: keys that a negative counts for in the objective
        negatives_from: own (each query against its own), batch (against all), or queue
        negative_fraction: share of a batch of which negatives are made; below 1 not with own
        negative_queue_size: with --negatives_from queue, negatives of past steps kept for all
        matched: none, shown (keys also of their views' nulls) or consistency (queries alike): a
            seam then gives no negative away; of negatives whose seam is softened
        matched_probability: with --matched shown, share of the keys that are of nulls
        matched_weight: with --matched consistency, weight of |f(x) - f(null(x))|² in the loss
        joint_forward: negatives and keys in one forward, so that batch norm cannot tell them apart
        lr: learning rate at the start (SGD, momentum 0.9); half a cosine down to 0
        weight_decay: weight decay
        crop_low: smallest share of the area that a view shows
        jitter_probability: share of views whose colours are jittered (0.4, 0.4, 0.4, 0.1)
        grey: share of views that lose their colour
        blur: share of views that are blurred; 0.5 as published for ImageNet
        evaluation_samples: held-out images to measure, at least 4, and neighbours to ask; 0 for all
        resolution: side of the images in pixels
        sample_every: of no effect here: pictures of views and negatives are drawn at the start
    """

    recipe: Literal["moco"] = "moco"
    steps: int = MOCO["cifar10"].steps
    batch_size: int = 256
    network: Literal["cifar_resnet18", "cifar_resnet50", "resnet18", "resnet50"] = "cifar_resnet18"
    width: int = 64
    dim: int = 2048
    temperature: float = 0.07
    queue_size: int = 65_536
    key_momentum: float = 0.999
    bn_splits: int = 8
    negative: str = "jigsaw"
    negatives_per_sample: int = 1
    negative_weight: float = 1.0
    negatives_from: Literal["own", "batch", "queue"] = "own"
    negative_fraction: float = 1.0
    negative_queue_size: int = 1024
    matched: Matched = "none"
    matched_probability: float = 0.5
    matched_weight: float = 1.0
    joint_forward: bool = True
    lr: float = 0.3
    weight_decay: float = 1e-4
    crop_low: float = 0.2
    jitter_probability: float = 0.8
    grey: float = 0.2
    blur: float = 0.0
    evaluation_samples: int = field(default=0, metadata=FREE)
    resolution: int | None = 32

    @property
    def shown(self) -> int:
        """Of how many keys of a step a process makes negatives."""
        if self.negative == "none":
            return 0
        return max(1, round(self.negative_fraction * self.batch_size))

    @property
    def negatives_a_step(self) -> int:
        """How many negatives a process makes in a step."""
        return self.shown * self.negatives_per_sample

    @property
    def rate_falls(self) -> bool:
        return True

    def with_batch(self, size: int) -> Self:
        splits = self.bn_splits if size // self.bn_splits > 1 else 1
        size -= size % splits
        if not size:
            return dataclasses.replace(self, batch_size=size)
        keys = size * self.devices
        return dataclasses.replace(
            self,
            batch_size=size,
            bn_splits=splits,
            queue_size=max(keys, self.queue_size - self.queue_size % keys),
        )

    def check(self) -> None:
        super().check()
        for name, smallest in (("width", 1), ("dim", 1), ("bn_splits", 1), ("batch_size", 2),
                               ("negatives_per_sample", 1), ("negative_weight", 0),
                               ("weight_decay", 0), ("evaluation_samples", 0)):  # fmt: skip
            at_least(self, name, smallest)
        from_zero_to_one(self, "jitter_probability", "grey", "blur", "key_momentum")
        if 0 < self.evaluation_samples < FEWEST:
            raise ConfigError(
                f"evaluation_samples is {self.evaluation_samples}; give 0 for all, or at least "
                f"{FEWEST}."
            )
        if self.negative_weight == float("inf"):
            raise ConfigError("negative_weight is inf; it must be finite.")
        for name in ("temperature", "lr"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be above 0.")
        for name in ("crop_low", "negative_fraction"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}; it must be above 0 and at most 1."
                )
        if self.resolution is None or self.resolution % 2:
            raise ConfigError(
                f"resolution is {self.resolution}; give an even number of pixels, such as 32, of "
                "which a jigsaw can be made."
            )
        if self.negative == "data":
            raise ConfigError(
                "--negative data is not for moco, whose negatives are made of the sample itself; "
                "give one such as jigsaw."
            )
        check_matched(self)
        self._check_sizes()

    def _check_sizes(self) -> None:
        """What must be a multiple of what."""
        batch = self.batch_size * self.devices
        if self.queue_size < batch or self.queue_size % batch:
            nearest = max(1, round(self.queue_size / batch)) * batch
            raise ConfigError(
                f"queue_size is {self.queue_size}; it must be a multiple of the {batch} keys of a "
                f"step, such as {nearest}."
            )
        if self.batch_size % self.bn_splits or self.batch_size == self.bn_splits:
            raise ConfigError(
                f"bn_splits is {self.bn_splits}; batch_size {self.batch_size} must be a larger "
                "multiple of it."
            )
        if self.negative == "none":
            return
        if self.negatives_from == "own" and self.negative_fraction < 1:
            raise ConfigError(
                f"negative_fraction is {self.negative_fraction}; with --negatives_from own each "
                "query needs a negative of its own. Give --negatives_from queue or batch."
            )
        if self.negatives_a_step % self.bn_splits:
            raise ConfigError(
                f"negative_fraction {self.negative_fraction} makes {self.negatives_a_step} "
                f"negatives a step, which batch norm cannot part into {self.bn_splits}; give "
                "another one, or other --bn_splits."
            )
        made = self.negatives_a_step * self.devices
        kept = self.negative_queue_size
        if self.negatives_from == "queue" and (kept < made or kept % made):
            raise ConfigError(
                f"negative_queue_size is {kept}; it must be a multiple of the {made} negatives of "
                f"a step, such as {max(1, round(kept / made)) * made}."
            )


NARROW = Narrow(
    (
        {"width": 8, "dim": 128, "temperature": 0.1, "lr": 0.06},
        {"queue_size": 4096, "batch_size": 128, "bn_splits": 4},
        {"steps": 2000, "key_momentum": 0.99},
        *each(log_every=20, checkpoint_every=250),
    ),
    ("width", "steps", "batch_size"),
    "about twelve minutes on one core",
    "months",
)  # fmt: skip
