"""The loop around a recipe: repeats its step, logs, samples, checkpoints, resumes.

It knows steps and files and has never heard of GANs.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import torch
from lightning_fabric import Fabric
from torch import Tensor

from nda.errors import CheckpointError, TrainingError, UserError
from nda.evaluation.record import WARNING, Evaluation
from nda.runtime.devices import peak_memory
from nda.runtime.notes import tell
from nda.runtime.progress import training_progress
from nda.runtime.seeding import draws_of_step
from nda.runtime.signals import Interrupted, Stop, stop_on_signal
from nda.training.checkpoint import save_checkpoint
from nda.training.config import RunConfig
from nda.training.log import LogWriter, Means
from nda.training.run_folder import RunFolder
from nda.training.watch import own_end

C = TypeVar("C", bound=RunConfig)


class Saved(Protocol):
    """Anything a checkpoint can hold: networks, optimizers, averages."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any], /) -> Any: ...


class State(Protocol):
    """What a recipe builds. `data` is the fingerprint of the training data."""

    step: int

    @property
    def data(self) -> str: ...

    @property
    def saved(self) -> dict[str, Saved]: ...

    def batch(self, step: int) -> Any:
        """The data of a step: a function of the step alone."""


S = TypeVar("S", bound=State)


@dataclass(frozen=True)
class Recipe(Generic[C, S]):
    """The functions of a recipe, as the table of recipes puts them together.

    `build(config, fabric)` makes the state at step 0 on every process: data, networks, optimizers.
    `step(state, batch, rng)` is one step of training on every process; it gives scalars to log,
    0-dimensional tensors that stay on the device. All its randomness comes from `rng`, which is a
    function of seed, process and step.
    `evaluate(state)` measures what was trained, on the first process alone.
    `draw_samples(state, folder)` writes pictures of the moment into the folder's samples, on the
    first process alone: before the first step and every `sample_every` steps.
    """

    build: Callable[[C, Fabric], S]
    step: Callable[[S, Any, torch.Generator], dict[str, Tensor]]
    evaluate: Callable[[S], Evaluation]
    draw_samples: Callable[[S, RunFolder], None]


@dataclass
class Run(Generic[C, S]):
    """A recipe at work in a run folder."""

    recipe: Recipe[C, S]
    config: C
    folder: RunFolder
    fabric: Fabric
    state: S
    means: Means
    seconds: float = 0.0  # of training alone: checkpoints, samples and evaluations left out
    kept_step: int | None = None  # of the newest checkpoint that is known to be whole
    stopped_by: int | None = None  # the signal that ended the training early

    def train(self) -> bool:
        """Train to the end; False if a signal stopped it before. A checkpoint is there then."""
        config, state, main = self.config, self.state, self.fabric.is_global_zero
        if state.step == 0:
            self._on_main(lambda: self.recipe.draw_samples(state, self.folder))
            self.save()  # so that a run killed early can be resumed as well
        log = LogWriter.of(self.folder, config, last_step=state.step) if main else None
        row_step, row_seconds = state.step, self.seconds
        log_every = min(config.log_every, config.steps)  # a short run has a row at its end
        with (
            contextlib.closing(log) if log else contextlib.nullcontext(),
            stop_on_signal() as stop,
            training_progress(config.steps, state.step, unit=config.samples_are, shown=main) as bar,
            own_end(),
        ):
            if state.step > 0:
                self._make_up(stop)
            while state.step < config.steps and not self.stopped_by:
                started = time.perf_counter()
                self._one_step()
                row = self.means.take() if self._due(log_every) else None
                self.seconds += time.perf_counter() - started
                if row is not None:
                    rate = self._samples(state.step - row_step) / (self.seconds - row_seconds)
                    self._write_row(log, rate, row)
                    bar.show_rate(rate)
                    row_step, row_seconds = state.step, self.seconds
                bar.advance()
                if self._agreed_to_stop(bool(stop)):
                    self.stopped_by = int(stop.signal or signal.SIGTERM)
                    break
                self._keep_house(stop)
            self.save()
        if stop.signal is not None:
            self.stopped_by = int(stop.signal)
        return self.stopped_by is None

    def save(self) -> None:
        """Write a checkpoint of this moment, unless a loss or a weight has gone wrong."""
        self.means.check_finite()
        self._on_main(self._save)

    def _save(self) -> None:
        config, step, checkpoints = self.config, self.state.step, self.folder.checkpoints
        if self.kept_step == step:
            return
        parts = {name: part.state_dict() for name, part in self.state.saved.items()}
        for name, part in parts.items():
            check_weights(name, part, step)
        content = {
            "config": config.as_dict(),
            "data": self.state.data,
            "seconds": self.seconds,
            "means": self.means.state_dict(),
            "state": parts,
        }
        save_checkpoint(checkpoints, step, content, keep=config.keep_checkpoints)
        self.kept_step = step

    def load(self, content: dict[str, Any]) -> None:
        """Take over what a checkpoint holds, if it is of this data and fits (`CheckpointError`)."""
        try:
            self._take_over(content)
        except UserError:
            raise
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise CheckpointError(
                f"The checkpoint of step {content['step']} in {self.folder.path} does not fit its "
                f"settings, or is not as nda wrote it ({' '.join(str(error).split())[:120]}). "
                "Remove it; the run then resumes from the one before, if there is one."
            ) from error

    def _take_over(self, content: dict[str, Any]) -> None:
        if content["data"] != self.state.data:
            raise CheckpointError(
                f"The data at {self.config.data} is not what {self.folder.path} was trained on "
                f"(its contents differ). Put the old data back or train a new run."
            )
        for name, part in self.state.saved.items():
            part.load_state_dict(content["state"][name])
        self.means.load_state_dict(content["means"])
        self.means.to(self.fabric.device)
        self.seconds = content["seconds"]
        self.state.step = self.kept_step = content["step"]

    def evaluate(self, kept: Evaluation | None = None) -> Evaluation:
        """Measure the run as it stands and keep the figures in metrics.json, with those of `kept`.

        What is given back are the new ones.
        """
        evaluation = self.recipe.evaluate(self.state)
        together = evaluation if kept is None else evaluation.updated(kept)
        self.folder.save_evaluation(together.as_dict())
        return evaluation

    def _one_step(self) -> None:
        rank, step = self.fabric.global_rank, self.state.step
        rng = draws_of_step(self.config.seed, rank, step, self.fabric.device)
        scalars = self.recipe.step(self.state, self.state.batch(step), rng)
        self.state.step += 1
        self.means.add(self.state.step, scalars)

    def _samples(self, steps: int) -> int:
        """How many all processes draw in so many steps."""
        return steps * self.config.samples_per_step * self.fabric.world_size

    def _write_row(self, log: LogWriter | None, rate: float, means: dict[str, float]) -> None:
        if log is not None:
            step = self.state.step
            row = {"step": step, "images": self._samples(step), "seconds": round(self.seconds, 3)}
            speed = {
                "images_per_second": round(rate, 2),
                "peak_memory_mib": round(peak_memory(self.fabric.device), 1),
            }
            log.write(row | speed | means)

    def _keep_house(self, stop: Stop) -> None:
        config = self.config
        if self._due(config.checkpoint_every):
            self.save()
        if self._due(config.sample_every) or self.state.step == config.steps:
            self._on_main(lambda: self.recipe.draw_samples(self.state, self.folder))
        if config.evaluate_every and self._due(config.evaluate_every):
            self.save()  # an evaluation may take long, and is broken off by a signal
            self._measure_on_the_way(stop)

    def _make_up(self, stop: Stop) -> None:
        """Do what was due at the step of a stop or of a kill, unless it was done then."""
        config, step = self.config, self.state.step
        if self._due(config.sample_every) or step == config.steps:
            self._on_main(lambda: self.recipe.draw_samples(self.state, self.folder))
        if config.evaluate_every and self._due(config.evaluate_every) and step < config.steps:
            self._measure_on_the_way(stop, again=False)

    def _measure_on_the_way(self, stop: Stop, again: bool = True) -> None:
        """On the first process; where a signal breaks it off, all stop."""
        self._on_main(lambda: self._measure_here(stop, again))
        self.stopped_by = self.fabric.broadcast(self.stopped_by)

    def _measure_here(self, stop: Stop, again: bool) -> None:
        """Warnings cannot wait for the end, when the figures are shown."""
        step = self.state.step
        if not again and any(each["step"] == step for each in self.folder.evaluations()):
            return
        try:
            with stop.at_once():
                metrics = self.evaluate().metrics
        except Interrupted as interrupt:
            self.stopped_by = interrupt.code - 128
            return
        for metric in metrics:
            if WARNING in metric.protocol:
                tell(f"step {self.state.step}: {metric.protocol[WARNING]}")

    def _due(self, every: int) -> bool:
        return self.state.step % every == 0

    def _agreed_to_stop(self, asked: bool) -> bool:
        """Processes stop together, at a logged step, where they meet anyway."""
        if self.fabric.world_size == 1:
            return asked
        if not self._due(self.config.log_every):
            return False
        votes = self.fabric.all_reduce(torch.tensor(float(asked)), reduce_op="sum")
        return bool(torch.as_tensor(votes).item() > 0)

    def _on_main(self, work: Any) -> None:
        """Do it on the first process; the others wait."""
        if self.fabric.is_global_zero:
            work()
        self.fabric.barrier()


def check_weights(name: str, weights: dict[str, Any], step: int) -> None:
    """Refuse weights that are not finite: a step can break them after its losses were taken."""
    for key, value in weights.items():
        if isinstance(value, Tensor) and not bool(value.isfinite().all()):
            raise TrainingError(
                f"{key} of the {name} was not finite at step {step}, so the run stopped there. "
                "Resume from the checkpoint before it with a lower learning rate or full precision."
            )


def check_unfinished(state: State, config: RunConfig) -> None:
    """Refuse to train where nothing is left to do."""
    if state.step >= config.steps:
        raise TrainingError(
            f"The run is complete: it has reached step {state.step} of {config.steps}. "
            "Give a larger --steps to train on."
        )
