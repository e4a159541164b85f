"""The settings of the numerosity recipe; the defaults are the paper's for dots (Appendix A)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from nda.errors import ConfigError
from nda.recipes.gan.config import UNMIXED, GanConfig, Objective, Schedule
from nda.recipes.narrow import RECORDS, Narrow, each
from nda.training.config import FREE, PATH, RunConfig
from nda.validators import at_least, counts_of


@dataclass(frozen=True, kw_only=True)
class NumerosityConfig(RunConfig):
    """A GAN that learns to draw a given number of objects, against images of other numbers.

    The data is sorted into one folder a number of objects, named 0, 1, 2, ..., as `nda data` writes
    it. A step is one update of the generator, after `d_steps` updates of the critic.

    Args:
        recipe: name of the recipe
        steps: updates of the generator
        right_count: number of objects in a real image; the folder of --data that is learned
        negative: other_counts, or none for an ordinary GAN
        negative_counts: numbers of objects that are negatives, such as 4,5,7; all others by default
        negative_data: where the negatives come from; --data if not given
        fake_weight: λ, the share of generated samples in the mixture; by default one half
        fake_weight_schedule: constant, warmup, fade or follow, as for `nda train gan`
        negative_weight: μ, weight of the negatives' loss with three_class and relativistic
        mixture: weighted (losses of both parts) or sampled (same expectation, one batch)
        structure_head: μ, weight of a structure head's loss beside the plain GAN's; 0 for no head,
            but negatives in the mixture
        structure_generator: ν, weight in the generator's loss of what the head holds of its images
        joint_forward: one forward of the critic for real, generated and negative samples
        network: wgan_gp, biggan, or dcgan_dense or dcgan, small ones for processors
        width: channels of the networks; 64 is full size
        latent_dim: size of the latent vector z
        objective: family of the adversarial loss, as for `nda train gan`
        gradient_penalty: weight of the gradient penalty between real images and the mixture
        zero_centred_penalty: γ of R1 and R2, the penalties on the critic's slope at real and at
            generated images; γ/2 is the weight of each
        d_steps: updates of the critic a step, each on a fresh batch
        lr_d: learning rate of the critic (Adam)
        lr_g: learning rate of the generator (Adam)
        beta1: first moment's decay of Adam
        beta2: second moment's decay of Adam
        eps: Adam's epsilon
        ema_decay: decay of the generator's moving average, which samples are drawn from; 0 for none
        ema_start: step from which on the generator is averaged
        counter: dots (bright blobs on black) or network (a classifier trained on counted images)
        counter_data: with --counter network, counted images to train it on; --data if not given
        evaluation_samples: images generated, and at most as many real ones, for each figure
    """

    recipe: Literal["numerosity"] = "numerosity"
    steps: int = 50_000
    resolution: int | None = 64
    right_count: int = 6
    negative: Literal["other_counts", "none"] = "other_counts"
    negative_counts: str | None = None
    negative_data: str | None = field(default=None, metadata=PATH)
    fake_weight: float = 0.5
    fake_weight_schedule: Schedule = "constant"
    negative_weight: float = 1.0
    mixture: Literal["weighted", "sampled"] = "weighted"
    structure_head: float = 0.0
    structure_generator: float = 0.0
    joint_forward: bool = True
    network: Literal["wgan_gp", "biggan", "dcgan_dense", "dcgan"] = "wgan_gp"
    width: int = 64
    latent_dim: int = 128
    objective: Objective = "wasserstein"
    gradient_penalty: float = 10.0
    zero_centred_penalty: float = 0.0
    d_steps: int = 5
    lr_d: float = 1e-4
    lr_g: float = 1e-4
    beta1: float = 0.0
    beta2: float = 0.9
    eps: float = 1e-8
    ema_decay: float = 0.999
    ema_start: int = 1000
    counter: Literal["dots", "network"] = field(default="dots", metadata=FREE)
    counter_data: str | None = field(default=None, metadata=PATH)
    evaluation_samples: int = field(default=10_000, metadata=FREE)

    @property
    def samples_per_step(self) -> int:
        return self.batch_size * self.d_steps

    def check(self) -> None:
        super().check()
        at_least(self, "right_count", 0)
        if self.classes is not None:
            raise ConfigError(
                f"classes is {self.classes}; numerosity chooses its folders by --right_count and "
                "--negative_counts, so leave it out."
            )
        if self.negative == "none" and (self.negative_counts or self.negative_data):
            raise ConfigError(
                "negative_counts and negative_data need --negative other_counts, not none."
            )
        if self.right_count in (self.wanted_counts or ()):
            raise ConfigError(
                f"negative_counts is {self.negative_counts}, which includes the right count "
                f"{self.right_count}; leave it out of them."
            )
        if self.counter_data and self.counter != "network":
            raise ConfigError(f"counter_data needs --counter network, not {self.counter}.")
        self.as_gan([self.right_count + 1]).check()

    @property
    def wanted_counts(self) -> list[int] | None:
        """The counts that `negative_counts` names; None where it names none (`ConfigError`)."""
        if self.negative_counts is None:
            return None
        return counts_of(self.negative_counts, "negative_counts")

    def as_gan(self, negative_counts: Sequence[int]) -> GanConfig:
        """The same training as the GAN recipe has it: one class against others, or alone."""
        names = {field.name for field in dataclasses.fields(GanConfig)} - {"recipe"}
        settings = {name: value for name, value in self.as_dict().items() if name in names}
        settings["classes"] = str(self.right_count)
        mixed = not self.structure_head and self.objective not in UNMIXED
        set_by_hand = mixed and self.fake_weight_schedule != "follow"
        if not set_by_hand and self.fake_weight == type(self).fake_weight:
            del settings["fake_weight"]  # not given, so not refused
        if self.negative == "other_counts":
            settings["negative"] = "data"
            settings["negative_classes"] = ",".join(map(str, negative_counts))
        return GanConfig(**settings)


NARROW = Narrow(
    (
        {
            "network": "dcgan_dense", "width": 16, "latent_dim": 64, "objective": "logistic",
            "gradient_penalty": 0.0, "d_steps": 1, "lr_d": 1e-3, "lr_g": 1e-3, "beta1": 0.5,
            "beta2": 0.999,
        },
        {"steps": 4000, "ema_decay": 0.995, "ema_start": 100},
        *each(resolution=32),
        *RECORDS,
    ),
    ("network", "width", "resolution", "steps"),
    "about six minutes on one core",
    "days",
)  # fmt: skip
