"""What is measured of a detector, and the pictures that show what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nda.data import to_float
from nda.data.boxes.decode import resized
from nda.evaluation.boxes.average_precision import coco_precision, voc11_precision
from nda.evaluation.boxes.metrics import Found, Truth, absent_note, box_metrics
from nda.evaluation.record import Evaluation, Metric, Protocol
from nda.report.pictures.boxes import BoxedPicture, draw_boxes
from nda.report.pictures.grid import save_png
from nda.training.run_folder import RunFolder

if TYPE_CHECKING:
    from nda.recipes.detection.train import DetectionState

SHOWN = 8  # images in a picture
SHOWN_BOXES, SHOWN_SCORE = 5, 0.3  # at most so many boxes of an image, none of a lower score
_BATCH = 8  # images that go through at once


def evaluate(state: DetectionState) -> Evaluation:
    """Average precision on the test split, in COCO's manner and in that of VOC and MoCo."""
    test = state.splits.test
    found = find(state, test.images)
    truth = truths(state)
    coco = coco_precision(found, truth, len(test.classes))
    voc = voc11_precision(found, truth, len(test.classes))
    protocol: Protocol = {
        "split": state.config.test_split,
        "trained_on": state.config.train_split,
        "images": len(test),
        "classes": f"{sum(row is not None for row in coco.by_class)} of {len(test.classes)} that "
        "the split has",
        "network": f"Faster R-CNN C4, {state.origin.name}, width {state.origin.width}",
        "shorter_side": state.config.side_of_tests(state.small),
    }
    metrics = box_metrics(coco, voc, truth, test.classes, protocol)
    notes = [state.splits.taken, *absent_note(coco, voc, test.classes)]
    notes += state.splits.train.notes + test.notes
    return Evaluation(state.step, [*metrics, *origin_metrics(state)], notes=notes)


def origin_metrics(state: DetectionState) -> list[Metric]:
    """How much of an encoder the detector began with, and of which; nothing for random weights."""
    origin = state.origin
    if origin.run == "none":
        return []
    protocol: Protocol = {
        "encoder": origin.run,
        "encoder_step": origin.step,
        "negative": origin.negative,
        "weights": origin.digest,
        "not taken over": ", ".join(origin.rest) or "nothing",
    }
    title = "Tensors of the encoder that the detector began with"
    return [Metric("tensors_taken_over", title, origin.matched, "", protocol)]


def find(state: DetectionState, images: Sequence[Tensor]) -> list[Found]:
    """What the detector finds in images uint8 `(3, H, W)`, in their own pixels, on the CPU."""
    network, config = state.network.module, state.config
    side, longest = config.side_of_tests(state.small), config.longest(state.small)
    found = []
    network.eval()
    with torch.inference_mode(), state.fabric.autocast():
        for start in range(0, len(images), _BATCH):
            some = images[start : start + _BATCH]
            nothing = torch.zeros(0, 4)
            seen = [
                resized(to_float(image.to(state.fabric.device)), nothing, shorter=side,
                        longest=longest)[0]
                for image in some
            ]  # fmt: skip
            for image, inside, result in zip(some, seen, network(seen), strict=True):
                height, width = image.shape[-2:]
                ratio = [width / inside.shape[-1], height / inside.shape[-2]]
                found.append(
                    Found(
                        result["boxes"].float().cpu() * torch.tensor(ratio).repeat(2),
                        result["labels"].cpu() - 1,  # 0 was the background
                        result["scores"].float().cpu(),
                    )
                )
    network.train()
    return found


def truths(state: DetectionState) -> list[Truth]:
    """What is in the images of the test split."""
    test = state.splits.test
    return [Truth(*parts) for parts in zip(test.boxes, test.labels, test.difficult, strict=True)]


def draw_samples(state: DetectionState, folder: RunFolder) -> None:
    """Some test images, the same throughout, with their boxes and the surest of those found."""
    test = state.splits.test
    rows = torch.linspace(0, len(test) - 1, min(SHOWN, len(test))).long().tolist()
    found = find(state, [test.images[row] for row in rows])
    truth = truths(state)
    pictures = [
        BoxedPicture(test.images[row], truth[row], surest(each))
        for row, each in zip(rows, found, strict=True)
    ]
    sheet = draw_boxes(pictures, test.classes)
    save_png(sheet, folder.samples / f"step-{state.step:08d}.png")


def surest(found: Found) -> Found:
    """The few boxes of the highest scores."""
    order = found.scores.argsort(descending=True)[:SHOWN_BOXES]
    order = order[found.scores[order] >= SHOWN_SCORE]
    return Found(found.boxes[order], found.labels[order], found.scores[order])
