"""The settings every run has. Free of torch, so that the command line can print them at once."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

from nda.bit_depths import check_bit_depth
from nda.errors import ConfigError
from nda.validators import at_least

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
Tracker = Literal["tensorboard", "csv", "wandb", "mlflow", "trackio"]

# What is known of a setting beside its type: `field(default=..., metadata=FREE)` where it stands.
# A recipe that gives such a setting another default need not say it again.
FREE = {"free": True}  # may differ on resume: nothing that is learned up to there depends on it
PATH = {"free": True, "path": True}  # a file or folder, which may move: fingerprints know it again
NAME_OR_PATH = {"name_or_path": True}  # a file, or something that nda knows by name


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Where a run reads and writes, how long it takes and what it runs on.

    Args:
        data: folder of images or of tar shards, .zip of a folder, or torchvision:NAME
        out: run folder to write; it must not hold a run yet
        steps: length of the run in steps of the recipe
        seed: every random draw of the run follows from it
        batch_size: images a process draws for one update
        checkpoint_every: steps between checkpoints
        keep_checkpoints: how many of the newest checkpoints stay on disk
        log_every: steps between rows of log.jsonl, which hold means over these steps
        logger: where the rows of log.jsonl also go; all but the first two take an extra of nda
        sample_every: steps between sample grids
        evaluate_every: steps between evaluations; 0 evaluates at the end only
        device: auto, cpu, cuda, mps, or one card such as cuda:1
        precision: 32-true, or mixed precision with bfloat16 or float16
        devices: processes to train with on each machine, one a device
        num_nodes: machines that train together; torchrun or SLURM starts nda on each of them
        compile: compile the networks with torch.compile
        resolution: side of the images in pixels; needed where the files differ in size
        classes: classes to use, separated by commas; all of them where none is given
        holdout: share of images held out where the data has no test split
        skip_broken: skip and count unreadable images in place of refusing them
        bit_depth: bits of the numbers in files of more than 8, such as 12 for a camera of 12 in 16
    """

    samples_are: ClassVar[str] = "images"  # what a batch holds, in the plural

    data: str = field(metadata=PATH)
    out: str = field(metadata=FREE)
    steps: int = field(metadata=FREE)
    seed: int = 0
    batch_size: int = 64
    checkpoint_every: int = field(default=1000, metadata=FREE)
    keep_checkpoints: int = field(default=2, metadata=FREE)
    log_every: int = field(default=50, metadata=FREE)
    logger: Tracker = field(default="tensorboard", metadata=FREE)
    sample_every: int = field(default=1000, metadata=FREE)
    evaluate_every: int = field(default=0, metadata=FREE)
    device: str = field(default="auto", metadata=FREE)
    precision: Precision = "32-true"
    devices: int = 1
    num_nodes: int = 1
    compile: bool = False
    resolution: int | None = None
    classes: str | None = None
    holdout: float = 0.1
    skip_broken: bool = False
    bit_depth: int | None = None

    def check(self) -> None:
        """Refuse values out of range (`ConfigError`)."""
        for name in ("steps", "batch_size", "checkpoint_every", "keep_checkpoints", "log_every",
                     "sample_every", "devices", "num_nodes"):  # fmt: skip
            at_least(self, name, 1)
        at_least(self, "evaluate_every", 0)
        at_least(self, "seed", 0)
        if self.seed >= 2**63:
            raise ConfigError(f"seed is {self.seed}; it must be below 2^63.")
        if self.resolution is not None:
            at_least(self, "resolution", 1)
        check_bit_depth(self.bit_depth)
        if not 0 <= self.holdout < 1:
            raise ConfigError(f"holdout is {self.holdout}; it is a share, at least 0 and below 1.")

    @property
    def samples_per_step(self) -> int:
        """What a process draws for one step."""
        return self.batch_size

    @property
    def rate_falls(self) -> bool:
        """Whether the learning rate falls over the length of the run."""
        return False

    def with_batch(self, size: int) -> Self:
        """The same settings with batches of `size`, for data that has no more."""
        return dataclasses.replace(self, batch_size=size)

    @property
    def processes(self) -> int:
        """How many train together."""
        return self.devices * self.num_nodes

    def shared_by(self, devices: int, num_nodes: int) -> Self:
        """The same run on other processes: together they draw the same batches.

        Raises `ConfigError` where they cannot share a batch evenly.
        """
        together = self.batch_size * self.processes
        changed = dataclasses.replace(self, devices=devices, num_nodes=num_nodes)
        at_least(changed, "devices", 1)
        at_least(changed, "num_nodes", 1)
        size, rest = divmod(together, changed.processes)
        if rest or not size:
            raise ConfigError(
                f"{changed.processes} processes cannot share batches of {together} "
                f"{self.samples_are}; give a number that divides {together}, or train a new run."
            )
        return dataclasses.replace(changed, batch_size=size)

    @classmethod
    def marked(cls, mark: str) -> list[str]:
        """The settings that say "free", "path" or "name_or_path" where they stand, in order."""
        found = [
            each.name
            for above in reversed(cls.__mro__)
            if dataclasses.is_dataclass(above)
            for each in dataclasses.fields(above)
            if mark in each.metadata
        ]
        return list(dict.fromkeys(found))

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)
