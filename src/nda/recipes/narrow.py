"""What a recipe is trained at where there is no card: a size that two cores finish.

The defaults of the recipes are published ones, at which a processor would take days or months.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Narrow:
    """Settings for processors, and what they take.

    Settings of a part belong together: where one of them is typed, the others are left as well.
    `shown` are those that say most, and `takes` is how long it takes on two cores.
    """

    parts: tuple[dict[str, object], ...]
    shown: tuple[str, ...]
    takes: str
    full: str  # how long the published size would take there

    def beside(self, typed: Collection[str]) -> dict[str, object]:
        """The settings to take beside those that were typed."""
        kept = (part for part in self.parts if not set(part) & set(typed))
        return {name: value for part in kept for name, value in part.items()}


def _each(**settings: object) -> tuple[dict[str, object], ...]:
    return tuple({name: value} for name, value in settings.items())


_RECORDS = _each(log_every=25, sample_every=500, checkpoint_every=250)

NARROW = {
    "gan": Narrow(
        (
            {"width": 8, "lr_d": 4e-4, "lr_g": 4e-4},
            {"steps": 1000, "ema_decay": 0.99, "ema_start": 100},
            *_each(batch_size=32, d_steps=2, evaluation_samples=5000),
            *_RECORDS,
        ),
        ("width", "steps", "batch_size"),
        "about six minutes on two cores at 32 pixels, half an hour at 64, hours at 128",
        "weeks",
    ),
    "numerosity": Narrow(
        (
            {
                "network": "dcgan_dense", "width": 16, "latent_dim": 64, "objective": "logistic",
                "gradient_penalty": 0.0, "d_steps": 1, "lr_d": 1e-3, "lr_g": 1e-3, "beta1": 0.5,
                "beta2": 0.999,
            },
            {"steps": 4000, "ema_decay": 0.995, "ema_start": 100},
            *_each(resolution=32),
            *_RECORDS,
        ),
        ("network", "width", "resolution", "steps"),
        "about six minutes on one core",
        "days",
    ),
    "pix2pix": Narrow(
        (
            {"width": 16, "resolution": 64},
            {"batch_size": 4, "norm": "instance"},  # as batch norm is at the published batch of one
            *_each(steps=4000, log_every=50, sample_every=1000, checkpoint_every=500),
        ),
        ("width", "resolution", "steps", "batch_size"),
        "about a quarter of an hour on two cores",
        "months",
    ),
    "moco": Narrow(
        (
            {"width": 8, "dim": 128, "temperature": 0.1, "lr": 0.06},
            {"queue_size": 4096, "batch_size": 128, "bn_splits": 4},
            {"steps": 2000, "key_momentum": 0.99},
            *_each(log_every=20, checkpoint_every=250),
        ),
        ("width", "steps", "batch_size"),
        "about twelve minutes on one core",
        "months",
    ),
    "detection": Narrow(
        (
            {"encoder": "none", "network": "cifar_resnet18", "width": 16},  # a run knows its own
            {
                "resolution": 200, "train_sides": "64,72,80,88,96", "test_side": 96,
                "longest_side": 160, "anchors": "12,24,48,80",
            },
            {"roi_size": 7, "rois": 32, "proposals": 200},
            {"batch_size": 8, "lr": 0.05},
            {"steps": 400, "warmup": 50},
            *_each(checkpoint_every=100, sample_every=100),
        ),
        ("resolution", "steps", "batch_size"),
        "about seven minutes on one core where the encoder is as narrow",
        "months",
    ),
    "dpc": Narrow(
        (
            {"width": 16},
            {"resolution": 64},
            {"steps": 750, "batch_size": 8},
            *_each(log_every=10, checkpoint_every=100),
        ),
        ("width", "resolution", "steps", "batch_size"),
        "about eight minutes on one core",
        "months",
    ),
    "action": Narrow(
        (
            {"encoder": "none", "network": "resnet18", "width": 16},  # a run knows its own
            {"resolution": 64},
            {"steps": 300, "batch_size": 8, "first_drop": 0.6, "second_drop": 0.8},
            *_each(log_every=10, sample_every=300, checkpoint_every=100),
        ),
        ("resolution", "steps", "batch_size"),
        "about four minutes on one core where the encoder is as narrow",
        "months",
    ),
}  # fmt: skip
