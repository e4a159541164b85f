"""What is measured of a linear probe, and the proof that its encoder stayed as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nda.evaluation.features.classes import accuracy_metric, confusion_metrics, neighbours_metric
from nda.evaluation.intervals import wilson_interval
from nda.evaluation.record import Evaluation, Metric, Protocol
from nda.report.pictures.features import Encoded, save_feature_pictures
from nda.runtime.digest import weights_digest
from nda.training.run_folder import RunFolder

if TYPE_CHECKING:
    from nda.recipes.linear_probe.train import LinearProbeState

_LOGITS = 2**24  # held at once: 64 MiB of float32
RATES = "Learning rates, on the validation part"


class EncoderChangedError(RuntimeError):
    """The frozen encoder is not what it was at the start: a fault of ours."""


def evaluate(state: LinearProbeState) -> Evaluation:
    """Choose the learning rate on the validation part, then measure that layer on the test split.

    Nearest neighbours in the same features stand beside it.
    """
    prove_frozen(state)
    guesses = predictions(state, "validation")  # (L, N)
    correct = (guesses == state.validation.labels).sum(dim=1)
    best = int(correct.argmax())  # of equal ones the lowest rate
    predicted = predictions(state, "test")[best]
    protocol = protocol_of(state)
    metrics = [
        accuracy_metric(
            "linear_top1", "Linear accuracy (top-1)", predicted == state.test.labels, protocol
        ),
        neighbours(state),
        chosen_rate(state, best),
        *rate_metrics(state, correct),
    ]
    metrics += confusion_metrics(predicted, state.test.labels, state.test.classes, protocol)
    prove_frozen(state)
    return Evaluation(state.step, metrics, notes=state.train.told)


def prove_frozen(state: LinearProbeState) -> None:
    """Compare weights and batch-norm statistics with those at the start, by their digest."""
    network = state.encoder.network
    if any(part.training for part in network.modules()):
        raise EncoderChangedError("the encoder has left eval mode during linear evaluation")
    before = state.encoder.origin.digest
    if (now := weights_digest(network)) != before:
        raise EncoderChangedError(
            f"the encoder's weights changed during linear evaluation: {before} at the start, {now} "
            f"at step {state.step}"
        )


@torch.no_grad()
def predictions(state: LinearProbeState, part: str) -> Tensor:
    """The class that each layer gives each image of a part: (L, N) on the CPU."""
    each = len(state.config.rates) * len(state.train.classes)  # logits of an image
    parts = state.features(part).to(state.fabric.device).split(max(1, _LOGITS // each))
    return torch.cat([state.heads.module(x).argmax(dim=-1) for x in parts], dim=1).cpu()


def protocol_of(state: LinearProbeState) -> Protocol:
    """How the figures came about; what tells encoders apart is not part of it."""
    config, images = state.config, state.train.images
    return {
        "split": state.test_name,
        "images": len(state.test),
        "trained_on": len(state.train),
        "network": state.encoder.name,
        "width": state.encoder.width,
        "features": state.features("test").shape[1],
        "resolution": images.shape[-1],
        "augmentation": "crops and flips" if config.augment else "none",
        "schedule": config.schedule,
    }


def neighbours(state: LinearProbeState) -> Metric:
    """Accuracy of nearest neighbours among the images that the layers learn from."""
    protocol = protocol_of(state)
    for idle in ("augmentation", "schedule", "trained_on"):
        del protocol[idle]
    return neighbours_metric(
        state.features("train"),
        state.train.labels,
        state.features("test"),
        state.test.labels,
        classes=len(state.train.classes),
        protocol=protocol,
    )


def chosen_rate(state: LinearProbeState, best: int) -> Metric:
    """The learning rate that counts; its protocol says which encoder was probed."""
    encoder = state.encoder.origin
    about: Protocol = {
        "chosen_on": f"{len(state.validation):,} of the training images, not trained on",
        "encoder": encoder.run,
        "encoder_step": encoder.step,
        "encoder_negative": encoder.negative,
        "encoder_digest": f"{encoder.digest}, the same before and after",
    }
    return Metric("learning_rate", "Learning rate", state.config.rates[best], "", about)


def rate_metrics(state: LinearProbeState, correct: Tensor) -> list[Metric]:
    """Accuracy of every layer on the validation part."""
    total = len(state.validation)
    protocol = protocol_of(state) | {"split": "kept of the training images", "images": total}
    return [
        Metric(
            f"validation_lr_{rate:g}",
            f"Validation accuracy, learning rate {rate:g}",
            count / total,
            "higher",
            protocol,
            list(wilson_interval(count, total)),
            table=RATES,
            row=f"{rate:g}",
            column="accuracy (top-1)",
        )
        for rate, count in zip(state.config.rates, correct.tolist(), strict=True)
    ]


def draw_samples(state: LinearProbeState, folder: RunFolder) -> None:
    """Pictures of the features, which are the same at every step."""
    if state.step:
        return
    known = Encoded(state.train, state.features("train"))
    save_feature_pictures(folder.samples, known, Encoded(state.test, state.features("test")))
