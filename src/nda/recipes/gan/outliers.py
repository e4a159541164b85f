"""The paper's detector (section 5, Table 5): the discriminator's output as an outlier score.

The score of an image is -D(x): what the discriminator holds for an image of the data scores low.
Where negatives were shown to an output of their own, a structure head or a third class, that one
scores too. Beside them stand the scores of one small classifier of the training classes. Every
image goes through the same resizing and the same JPEG pass first, so that no score can tell sets
apart by their compression.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from nda.data import to_float
from nda.data.corruptions import CORRUPTIONS, SEVERITIES, corrupt, load_corrupted
from nda.data.images.jpeg import jpeg_pass
from nda.data.images.outlier_sets import KnownImages, OutlierSet, load_outlier_set, some_of
from nda.errors import ConfigError, TrainingError
from nda.evaluation.fidelity.classifier import train_feature_classifier
from nda.evaluation.fidelity.gap import Score
from nda.evaluation.outliers.baselines import ClassifierBaselines
from nda.evaluation.outliers.corruptions import CorruptionFigures
from nda.evaluation.outliers.metrics import INSIDE, SETS, Kind, score_histogram, set_figures
from nda.evaluation.record import WARNING, Evaluation, Protocol
from nda.recipes.gan.taught import taught_output
from nda.recipes.gan.train import GanState
from nda.runtime.files import cache_folder
from nda.runtime.progress import tracked
from nda.runtime.seeding import generator_for

DETECTOR = "discriminator"
AXIS = "outlier score -D(x)"
MADE = "made"  # in place of a folder of CIFAR-10-C: its corruptions made here
ORIGINAL_SIDE = 32  # pixels of the published CIFAR-10-C


def evaluate_outliers(
    state: GanState,
    *,
    sets: Mapping[str, str],
    corruptions: str | None = None,
    samples: int | None = None,
    jpeg: int = 75,
) -> Evaluation:
    """Figures of held-out images against each of `sets` (name to path) and under `corruptions`.

    `corruptions` is "made", a folder of the published CIFAR-10-C, or None. At most `samples`
    images of each set are taken, and as many held-out ones. `jpeg` is the quality of the JPEG pass,
    0 for none. Raises `DataError` for sets that cannot be read, `ConfigError` for a size that the
    published corruptions have not, and `TrainingError` for a discriminator that has diverged.
    """
    side = state.splits.train.images.shape[-1]
    if corruptions not in (None, MADE) and side != ORIGINAL_SIDE:
        raise ConfigError(
            f"The files of CIFAR-10-C hold images of 32 x 32 pixels, and this run's are {side} x "
            f"{side}. Give '--corruptions {MADE}' to corrupt the run's own images."
        )
    # Before anything that takes long: a wrong path is found at once.
    if corruptions not in (None, MADE):
        load_corrupted(Path(corruptions), CORRUPTIONS[0], SEVERITIES[0])
    skip, bits = state.config.skip_broken, state.config.bit_depth
    others = [
        load_outlier_set(
            name, path, resolution=side, samples=samples, skip_broken=skip, bit_depth=bits
        )
        for name, path in sets.items()
    ]
    scorer = Scorer(state, jpeg)
    heldout = some_of(state.splits.heldout.images, samples)
    inside = scorer.scores(heldout)
    scorer.look_for_collapse(inside)
    evaluation = Evaluation(state.step, [])
    known = KnownImages(state.splits.train, state.splits.heldout)
    for other in others:
        evaluation = evaluation.updated(of_set(scorer, inside, other, known))
    if corruptions is not None:
        evaluation = evaluation.updated(of_corruptions(scorer, inside, heldout, corruptions))
    return evaluation


class Scorer:
    """Scores of every kind for images uint8 (N, 3, R, R), after the JPEG pass."""

    def __init__(self, state: GanState, jpeg: int) -> None:
        self.state = state
        self.jpeg = jpeg
        self.outputs: dict[str, Score] = {DETECTOR: state.discriminator.module}
        self.kinds = {DETECTOR: Kind("this discriminator", {"score": score_in_words(state)})}
        if taught := taught_output(state.discriminator.module):
            name, score = taught
            self.outputs[name.replace(" ", "_")] = score
            words = f"minus the output of the {name}, which alone was shown negatives"
            self.kinds[name.replace(" ", "_")] = Kind(f"its {name}", {"score": words})
        self.protocol: Protocol = {
            "split": state.splits.heldout_name,
            "compression": compression_in_words(jpeg),
        }
        self.warnings: list[str] = []
        self.baselines = self._baselines()
        if self.baselines is None:
            self.protocol["baselines"] = "none: the images have no two classes to tell apart"
        else:
            self.kinds |= self.baselines.kinds

    def scores(self, images: Tensor, *, detector_alone: bool = False) -> dict[str, Tensor]:
        """Scores (N,) of each kind, high = anomalous; or those of the discriminator alone."""
        images = self._passed(images)
        outputs = {DETECTOR: self.outputs[DETECTOR]} if detector_alone else self.outputs
        scores = {kind: outlier_scores(self.state, images, each) for kind, each in outputs.items()}
        if self.baselines is not None and not detector_alone:
            scores |= self.baselines.scores(images)
        return scores

    def look_for_collapse(self, scores: Mapping[str, Tensor]) -> None:
        """Warn in every table where an output scores most held-out images (N,) alike."""
        for kind in self.outputs:
            count, distinct = len(scores[kind]), len(scores[kind].unique())
            if distinct < count / 2:
                self.warnings.append(
                    f"the {kind.replace('_', ' ')} has collapsed: it gives {count:,} held-out "
                    f"images {distinct:,} different scores, and its figures mean nothing"
                )

    def _passed(self, images: Tensor) -> Tensor:
        return jpeg_pass(images, self.jpeg) if self.jpeg else images

    def _baselines(self) -> ClassifierBaselines | None:
        """The scores of a classifier, where there are classes to train it on."""
        train, heldout = self.state.splits.train, self.state.splits.heldout
        if len(train.labels.unique()) < 2 or train.classes != heldout.classes:
            return None
        classifier = train_feature_classifier(
            train,
            heldout,
            device=self.state.fabric.device,
            cache_path=cache_folder() / f"classifier-{train.fingerprint}.safetensors",
        )
        return ClassifierBaselines(classifier, self._passed(train.images))


def score_in_words(state: GanState) -> str:
    """What the detector's score is; a conditional discriminator needs a label to be asked about."""
    if state.config.conditional:
        return "minus the largest D(x, y) over all classes y, discriminator in evaluation mode"
    return "-D(x), discriminator in evaluation mode"


def compression_in_words(jpeg: int) -> str:
    """What was done so that compression is no shortcut."""
    if not jpeg:
        return "left as it is, so that a set may be told apart by its compression alone"
    return (
        f"every image, those of the data too, through one JPEG pass (quality {jpeg}, 4:2:0) after "
        "resizing and corruption, so that none differs by its compression"
    )


@torch.no_grad()
def outlier_scores(state: GanState, images: Tensor, output: Score, *, size: int = 250) -> Tensor:
    """Minus an output of the discriminator, float32 (N,) on the CPU, of images uint8 (N, 3, R, R).

    `size` images are scored at a time. An image from elsewhere has no class: a conditional
    discriminator is asked about each class, and its strongest belief counts. Raises `TrainingError`
    for an output that is not finite.
    """
    device, discriminator = state.fabric.device, state.discriminator.module.eval()
    classes = len(state.splits.train.classes) if state.config.conditional else 1
    parts = []
    for some in images.split(size):
        x = to_float(some.to(device))
        labels = [torch.full((len(x),), label, device=device) for label in range(classes)]
        belief = torch.stack([output(x, each) for each in labels]).amax(dim=0)
        parts.append(-belief.float().cpu())
    discriminator.train()
    scores = torch.cat(parts)
    if not bool(scores.isfinite().all()):
        raise TrainingError(
            "The discriminator's output is not finite, so it cannot score images: the run has "
            "diverged. Evaluate an earlier checkpoint."
        )
    return scores


def of_set(
    scorer: Scorer, inside: Mapping[str, Tensor], other: OutlierSet, known: KnownImages
) -> Evaluation:
    """The table and the histogram of one out-of-distribution set."""
    overlap = known.overlap(other.images)
    protocol = scorer.protocol | {
        "set": other.source,
        "size": size_in_words(other),
        "also_in_training": overlap.in_training,
        "also_held_out": overlap.in_heldout,
    }
    if other.skipped:
        protocol["files_that_could_not_be_read"] = other.skipped
    warnings = [*scorer.warnings, overlap.warning] if overlap.warning else scorer.warnings
    if warnings:
        protocol[WARNING] = "; ".join(warnings)
    outside = scorer.scores(other.images)
    metrics = set_figures(other.name, inside, outside, scorer.kinds, protocol=protocol)
    histogram = score_histogram(
        f"{SETS}{other.name}",
        f"Discriminator on held-out images and on {other.name}",
        AXIS,
        {INSIDE: inside[DETECTOR], other.name: outside[DETECTOR]},
        protocol | scorer.kinds[DETECTOR].protocol,
    )
    return Evaluation(scorer.state.step, metrics, [histogram])


def size_in_words(other: OutlierSet) -> str:
    side = other.images.shape[-1]
    if not other.resized:
        return f"{side} x {side} as they are"
    return f"{other.resized} and the like, resized and centre-cropped to {side} x {side}"


def of_corruptions(
    scorer: Scorer, inside: Mapping[str, Tensor], heldout: Tensor, corruptions: str
) -> Evaluation:
    """Held-out images against corrupted ones: 19 corruptions at 5 severities.

    The detector is measured at all severities, what stands beside it at the strongest.
    """
    made = corruptions == MADE
    warnings = {WARNING: "; ".join(scorer.warnings)} if scorer.warnings else {}
    figures = CorruptionFigures(
        inside,
        scorer.kinds,
        DETECTOR,
        source="made here" if made else "the published CIFAR-10-C",
        protocol=scorer.protocol
        | warnings
        | {
            "images": len(heldout),
            "pictures": "the same ones, clean and corrupted"
            if made
            else "clean ones of the run's held-out images, corrupted ones of the CIFAR-10 test set",
            "corruptions": "CIFAR-10-C's constants; frost's texture is drawn, not photographed"
            if made
            else "the published files",
        },
    )
    work = [(name, severity) for severity in SEVERITIES for name in CORRUPTIONS]
    for name, severity in tracked(work, "corruptions"):
        rng = generator_for(0, step=severity, purpose=name)  # the same for every run
        images = (
            corrupt(heldout, name, severity, generator=rng)
            if made
            else some_of(load_corrupted(Path(corruptions), name, severity), len(heldout))
        )
        scores = scorer.scores(images, detector_alone=severity < max(SEVERITIES))
        figures.add(name, severity, scores)
    return Evaluation(scorer.state.step, figures.metrics(), [figures.histogram(AXIS)])
