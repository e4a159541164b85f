"""What is measured of a classifier of actions: all test videos, each by overlapping windows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nda.data import to_float
from nda.data.clips.batches import in_blocks
from nda.data.clips.clip_set import Clips
from nda.data.clips.sampling import windows
from nda.evaluation.features.classes import MOST_IN_TABLE, class_metrics, confusion, confusion_csv
from nda.evaluation.record import Evaluation, Metric, Protocol
from nda.recipes.video.load import used
from nda.report.pictures.grid import image_grid, save_png
from nda.runtime.files import write_text_atomically
from nda.runtime.progress import tracked
from nda.training.run_folder import RunFolder

if TYPE_CHECKING:
    from nda.recipes.action.train import ActionState

SHOWN = 8  # videos in a picture


def evaluate(state: ActionState) -> Evaluation:
    """Accuracy and confusion on all test videos, and accuracy on those kept to validate on."""
    metrics, notes = [], []
    if state.validation is None:
        notes.append("Validation: no training video is kept for it (--holdout).")
    else:
        found, protocol = measured(state, state.validation, "part of the training split")
        accuracy, *_ = class_metrics(found, state.validation.labels, state.train.classes, protocol)
        metrics.append(as_validation(accuracy))
    found, protocol = measured(state, state.test, state.test_name)
    tested = class_metrics(found, state.test.labels, state.train.classes, protocol)
    metrics += tested
    notes.append(interval_note(tested[0], len(state.test)))
    notes.append(f"Encoder: {state.origin.words}.")
    notes.append(f"Videos of {state.test_name}: {protocol['videos']}.")
    if len(state.train.classes) > MOST_IN_TABLE:
        counts = confusion(found.argmax(1), state.test.labels, len(state.train.classes))
        text = confusion_csv(counts, state.train.classes)
        write_text_atomically(Path(state.config.out) / "confusion.csv", text)
        notes.append("Confusion: the whole matrix is in confusion.csv.")
    return Evaluation(state.step, metrics, notes=notes)


def interval_note(accuracy: Metric, videos: int) -> str:
    low, high = accuracy.interval or (0.0, 1.0)
    return (
        f"Accuracy (top-1): {videos:,} videos leave it between {low:.3f} and {high:.3f} (95 %); "
        "less is known where several are of one recording or person."
    )


def measured(state: ActionState, clips: Clips, split: str) -> tuple[Tensor, Protocol]:
    """Class probabilities `(N, K)` of every video, and how they came about.

    What tells encoders apart is no part of it, so that their figures compare.
    """
    probabilities, count = video_probabilities(state, clips)
    shape, config = state.shape, state.config
    protocol: Protocol = {
        "split": split,
        "videos": used(clips, shape),
        "windows": count,
        "window": f"{shape.blocks} blocks of {shape.frames} frames, stride {shape.stride}",
        "overlap": config.overlap,
        "of_a_video": "softmax averaged over its windows",
        "trained_on": len(state.train),
        "encoder_is": "frozen" if config.frozen else "trained",
    }
    return probabilities, protocol


def as_validation(accuracy: Metric) -> Metric:
    """The accuracy of validation videos, under a name of its own."""
    return Metric(
        "validation_top1",
        "Accuracy on validation videos (top-1)",
        accuracy.value,
        accuracy.better,
        accuracy.protocol,
        interval=accuracy.interval,
    )


@torch.no_grad()
def video_probabilities(state: ActionState, clips: Clips) -> tuple[Tensor, int]:
    """Softmax averaged over the windows of each video, `(N, K)`, and the number of windows."""
    videos, starts = all_windows(clips, state.shape.span, state.config.overlap)
    network = state.network.module.eval()
    total = torch.zeros(len(clips), len(state.train.classes), dtype=torch.float64)
    size = state.config.batch_size
    batches = list(zip(videos.split(size), starts.split(size), strict=True))
    for some, begin in tracked(batches, "classifying windows"):
        frames = state.shape.taken(clips, some, starts=begin).to(state.fabric.device)
        with state.fabric.autocast():
            logits = network(in_blocks(to_float(frames), state.config.frames))
        total.index_add_(0, some, logits.double().softmax(dim=1).cpu())
    network.train()
    counts = torch.bincount(videos, minlength=len(clips))
    return total / counts[:, None], len(videos)


def all_windows(clips: Clips, span: int, overlap: float) -> tuple[Tensor, Tensor]:
    """Of every window of every video its video and its start: int64 `(W,)` each."""
    starts = [windows(length, span, overlap) for length in clips.lengths.tolist()]
    counts = torch.tensor([len(some) for some in starts])
    return torch.arange(len(clips)).repeat_interleave(counts), torch.cat(starts)


def draw_samples(state: ActionState, folder: RunFolder) -> None:
    """Some videos that are not trained on, with what they are and what they are taken for."""
    clips = state.test if state.validation is None else state.validation
    rows = torch.linspace(0, len(clips) - 1, min(SHOWN, len(clips))).long()
    shown = clips.only(rows)
    probabilities, _ = video_probabilities(state, shown)
    middle = state.shape.middle(shown, torch.arange(len(shown)))
    frames = state.shape.taken(shown, torch.arange(len(shown)), starts=middle)
    names = state.train.classes
    labels = [
        f"{names[true]} as {names[taken]} ({share:.2f})"
        for true, taken, share in zip(
            shown.labels.tolist(),
            probabilities.argmax(1).tolist(),
            probabilities.amax(1).tolist(),
            strict=True,
        )
    ]
    frames = frames[:, state.config.frames // 2 :: state.config.frames]
    grid = image_grid(frames.flatten(0, 1), state.config.blocks, row_labels=labels)
    save_png(grid, folder.samples / f"step-{state.step:08d}.png")
