"""The settings of the GAN recipe: the paper's for CIFAR-10 with jigsaw.

A run that names neither a file of settings nor negatives takes a structure head: `at_hand`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nda.errors import ConfigError
from nda.extras import require_lite0
from nda.recipes.matched import Matched, check_matched
from nda.recipes.narrow import RECORDS, Narrow, each
from nda.recipes.published import GAN
from nda.training.config import FREE, PATH, RunConfig
from nda.validators import at_least, from_zero_below_one, from_zero_to_one

MOST_SAMPLES = 1_000_000

Objective = Literal[
    "hinge", "logistic", "least_squares", "wasserstein",
    "prior_corrected", "three_class", "relativistic",
]  # fmt: skip
Schedule = Literal["constant", "warmup", "fade", "follow"]
UNMIXED = ("three_class", "relativistic")  # objectives that take negatives, but no mixture


# Where negatives teach structure beside the adversarial game, in place of the paper's mixture.
STRUCTURE: dict[str, object] = {
    "negative": "jigsaw:seam=feather", "structure_head": 1.0, "structure_generator": 0.5,
    "mixture": "weighted", "fake_weight": 0.25, "fake_weight_schedule": "constant",
    "objective": "hinge", "negative_weight": 1.0, "matched": "none",
}  # fmt: skip


def at_hand(typed: Collection[str]) -> dict[str, object]:
    """What a run without a file of settings takes: a structure head, where nothing else is meant.

    In a short run the mixture costs images more than it gives (docs/structure.md).
    """
    return {} if set(STRUCTURE) & set(typed) else dict(STRUCTURE)


@dataclass(frozen=True, kw_only=True)
class GanConfig(RunConfig):
    """A GAN whose discriminator also learns what the data is not (paper, section 3).

    A step is one update of the generator, after `d_steps` updates of the discriminator.

    Args:
        recipe: name of the recipe
        steps: updates of the generator; the paper's 500 epochs of CIFAR-10 are 97,500
        network: biggan at 32, 64 or 128 pixels; small ones: dcgan, dcgan_dense; or wgan_gp
        width: channels of the networks; 64 is full size (256 channels for BigGAN at 32 pixels)
        latent_dim: size of the latent vector z
        conditional: condition both networks on the class folders
        objective: hinge, logistic, least_squares or wasserstein, against the mixture of eq. 3;
            prior_corrected, which is logistic with a generator that takes log 1/λ off the logits;
            three_class (real, generated, negative) and relativistic (an image above its generated
            partner and above its own negative), which leave the generator the plain GAN's game
        negative: none, a negative such as jigsaw, jigsaw:grid=4 or jigsaw+stitch, or data
        negative_data: with --negative data, where the negatives come from; --data if not given
        negative_classes: with --negative data, the classes that are negatives, separated by commas
        fake_weight: λ, the share of generated samples in the mixture of eq. 3
        fake_weight_schedule: constant; warmup (no negatives at first, then λ falls from 1 to
            `fake_weight` between 6 % and half of the steps), fade (the reverse), or follow (λ
            between 1 and 0.5, by how many images score above generated ones and above negatives)
        negative_weight: μ, weight of the negatives' loss with three_class and relativistic
        mixture: weighted (losses of both parts, as the paper's code) or sampled (same expectation)
        joint_forward: one forward of the discriminator for real, generated and negative samples
        structure_head: μ, weight of a structure head's loss beside the plain GAN's; 0 for no head,
            but negatives in the mixture. Without --config, and where none of the settings of
            negatives is typed, it is 1 with jigsaw:seam=feather
        structure_generator: ν, weight in the generator's loss of what the head holds of its images
            (0.5 there)
        matched: none, shown (real images also as their nulls) or consistency (both scored alike):
            a seam then gives no negative away; of negatives whose seam is softened
        matched_probability: with --matched shown, share of the real images shown as their nulls
        matched_weight: with --matched consistency, weight of (D(x) - D(null(x)))² in the loss
        positives: transforms that serve as ordinary augmentation of the real images, or none
        positive_probability: share of the real images that `positives` changes
        d_steps: updates of the discriminator a step, each on a fresh batch
        lr_d: learning rate of the discriminator (Adam)
        lr_g: learning rate of the generator (Adam)
        beta1: first moment's decay of Adam
        beta2: second moment's decay of Adam
        eps: Adam's epsilon
        gradient_penalty: weight of the gradient penalty; 10 makes wasserstein a WGAN-GP
        zero_centred_penalty: γ of R1 and R2, the penalties on the discriminator's slope at real and
            at generated images; γ/2 is the weight of each
        ema_decay: decay of the generator's moving average, which is what samples are drawn from
        ema_start: step from which on the generator is averaged
        evaluation_samples: images generated, and at most as many real ones, for each figure
        inception_weights: torch-fidelity's Inception weights, where they are not in its cache
        features: in which images are compared: those of a classifier of the data, of lite0
            (EfficientNet-Lite0, ImageNet weights, extra 'pretrained'), or both
        count_modes: the data is of 'nda data digits': count the modes, in place of the classifier
    """

    recipe: Literal["gan"] = "gan"
    steps: int = GAN["cifar10"].steps
    network: Literal["biggan", "dcgan", "dcgan_dense", "wgan_gp"] = "biggan"
    width: int = 64
    latent_dim: int = 128
    conditional: bool = False
    objective: Objective = "hinge"
    negative: str = "jigsaw"
    negative_data: str | None = field(default=None, metadata=PATH)
    negative_classes: str | None = None
    fake_weight: float = 0.25
    fake_weight_schedule: Schedule = "constant"
    negative_weight: float = 1.0
    mixture: Literal["weighted", "sampled"] = "weighted"
    joint_forward: bool = True
    structure_head: float = 0.0
    structure_generator: float = 0.0
    matched: Matched = "none"
    matched_probability: float = 0.5
    matched_weight: float = 1.0
    positives: str | None = None
    positive_probability: float = 0.5
    d_steps: int = 4
    lr_d: float = 2e-4
    lr_g: float = 2e-4
    beta1: float = 0.0
    beta2: float = 0.999
    eps: float = 1e-8
    gradient_penalty: float = 0.0
    zero_centred_penalty: float = 0.0
    ema_decay: float = 0.9999
    ema_start: int = 1000
    evaluation_samples: int = field(default=10_000, metadata=FREE)
    inception_weights: str | None = field(default=None, metadata=PATH)
    features: Literal["classifier", "lite0", "both"] = field(default="classifier", metadata=FREE)
    count_modes: bool = field(default=False, metadata=FREE)

    @property
    def samples_per_step(self) -> int:
        return self.batch_size * self.d_steps

    def check(self) -> None:
        super().check()
        for name, smallest in (("width", 1), ("latent_dim", 1), ("d_steps", 1), ("ema_start", 0),
                               ("evaluation_samples", 10), ("gradient_penalty", 0)):  # fmt: skip
            at_least(self, name, smallest)
        refuse_samples(self.evaluation_samples)
        self._check_ranges()
        if self.negative != "data" and (self.negative_data or self.negative_classes):
            raise ConfigError(
                f"negative_data and negative_classes need --negative data, not {self.negative}."
            )
        if self.negative == "data" and not (self.negative_data or self.negative_classes):
            raise ConfigError(
                "--negative data needs --negative_data, --negative_classes or both, to say which "
                "images are negatives."
            )
        check_matched(self)
        self._check_structure()
        self._check_objective()
        self._check_schedule()
        if self.inception_weights and not Path(self.inception_weights).is_file():
            raise ConfigError(
                f"inception_weights is {self.inception_weights}, and there is no such file; give "
                "the path of torch-fidelity's weights, or leave the setting out."
            )
        if self.features != "classifier":
            require_lite0(f"--features {self.features}")
        if self.conditional and self.network != "biggan":
            raise ConfigError(
                f"--network {self.network} is unconditional; use biggan with --conditional."
            )
        for name in ("gradient_penalty", "zero_centred_penalty"):
            if getattr(self, name) and self.devices > 1:
                raise ConfigError(
                    f"{name} differentiates twice, which does not work across processes; "
                    f"use --devices 1, not {self.devices}."
                )

    def _check_ranges(self) -> None:
        """Refuse numbers that are no shares, decays, rates or weights."""
        from_zero_to_one(self, "fake_weight", "positive_probability", "ema_decay")
        from_zero_below_one(self, "beta1", "beta2")
        for name in ("lr_d", "lr_g", "eps"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigError(
                    f"{name} is {getattr(self, name)}; it must be above 0 and finite."
                )
        for name in (
            "structure_head", "structure_generator", "negative_weight", "zero_centred_penalty",
        ):  # fmt: skip
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(
                    f"{name} is {getattr(self, name)}; it must be at least 0 and finite."
                )

    def _check_structure(self) -> None:
        """Refuse what means nothing with a structure head, or without one."""
        if self.structure_generator and not self.structure_head:
            raise ConfigError(
                f"structure_generator is {self.structure_generator} and there is no structure head "
                "to judge the generator; give --structure_head as well, such as 1."
            )
        if not self.structure_head:
            return
        if self.matched != "none":
            raise ConfigError(
                f"matched is {self.matched}, and a structure head learns nulls beside negatives by "
                "itself; leave matched at none, or structure_head at 0."
            )
        if self.negative == "none":
            raise ConfigError(
                f"structure_head is {self.structure_head} and --negative none leaves it nothing to "
                "learn; name a negative, such as jigsaw:seam=feather."
            )
        self._refuse_mixture("a structure head takes them out of it")

    def _check_objective(self) -> None:
        """Refuse what means nothing with the objective."""
        if self.objective in UNMIXED:
            self._refuse_mixture(f"with --objective {self.objective} they have a term of their own")
        elif self.negative_weight != type(self).negative_weight:
            raise ConfigError(
                f"negative_weight is {self.negative_weight}, which {' and '.join(UNMIXED)} alone "
                f"have a place for; with --objective {self.objective} give --fake_weight."
            )
        if self.objective not in ("three_class", "prior_corrected"):
            return
        if self.negative == "none":
            raise ConfigError(
                f"--objective {self.objective} is about negatives and --negative none leaves it "
                "without; --objective logistic is the same game without them."
            )
        if self.structure_head:
            raise ConfigError(
                f"structure_head is {self.structure_head}, beside which --objective "
                f"{self.objective} has no negatives; give --structure_head 0 or another objective."
            )
        if self.objective == "prior_corrected" and not self.fake_weight:
            raise ConfigError(
                "fake_weight is 0, so prior_corrected would correct by log 0; give a share of "
                "generated samples above 0."
            )

    def _check_schedule(self) -> None:
        """Refuse a λ that is to change where there is none, or where nothing tells how."""
        schedule = self.fake_weight_schedule
        if schedule == "constant":
            return
        if self.negative == "none" or self.structure_head or self.objective in UNMIXED:
            raise ConfigError(
                f"fake_weight_schedule is {schedule}, and there is no mixture whose λ could "
                "change; it needs a --negative, --structure_head 0 and none of the objectives "
                f"{' and '.join(UNMIXED)}."
            )
        if schedule == "follow" and self.mixture != "weighted":
            raise ConfigError(
                f"mixture is {self.mixture}, in which the discriminator's output for each image's "
                "negative is not known; --fake_weight_schedule follow needs --mixture weighted."
            )
        if schedule == "follow" and self.fake_weight != type(self).fake_weight:
            raise ConfigError(
                f"fake_weight is {self.fake_weight}, and --fake_weight_schedule follow sets it "
                "itself; leave it as it is by default."
            )

    def _refuse_mixture(self, why: str) -> None:
        """Refuse settings of the mixture where negatives are not in it."""
        if self.mixture != "weighted" or self.fake_weight != type(self).fake_weight:
            raise ConfigError(
                f"mixture ({self.mixture}) and fake_weight ({self.fake_weight}) say how negatives "
                f"share the loss with generated images, and {why}; leave both as they are by "
                "default."
            )


def refuse_samples(count: int) -> None:
    """Refuse more images than can be held and measured in sensible time (`ConfigError`)."""
    if count > MOST_SAMPLES:
        raise ConfigError(
            f"evaluation_samples is {count}; as many images are made, held in memory and measured, "
            f"so give at most {MOST_SAMPLES:,}. Published figures use 5,000 to 50,000."
        )


NARROW = Narrow(
    (
        {"width": 8, "lr_d": 4e-4, "lr_g": 4e-4},
        {"steps": 1000, "ema_decay": 0.99, "ema_start": 100},
        *each(batch_size=32, d_steps=2, evaluation_samples=5000),
        *RECORDS,
    ),
    ("width", "steps", "batch_size", "negative", "structure_head"),
    "about ten minutes on two cores at 32 pixels, an hour at 64, hours at 128",
    "weeks",
)  # fmt: skip
