"""Pictures through a detector: at its size many at once, or large ones in tiles, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nda.data.images.stream import Stream, StreamedBatch
from nda.data.images.tiles import Tiling
from nda.errors import CheckpointError
from nda.evaluation.outliers.detector import Detector, pooling_of
from nda.evaluation.outliers.large import AT_ONCE, judge_large

CACHED = 32  # images at once on a processor: almost twice as fast as 256


@dataclass(frozen=True)
class Judged:
    """Of images `(B, 3, H, W)`: scores `(B,)` and maps `(B, h, w)`.

    Of large ones also where the highest score is, x and y in pixels, and the tile that it is in.
    """

    scores: Tensor
    maps: Tensor
    places: list[tuple[int, int]]
    closeups: list[Tensor]


def batches_of(detector: Detector, stream: Stream, size: int) -> Iterator[StreamedBatch]:
    """The stream's pictures as the detector takes them, `size` files at once where they fit."""
    about = detector.settings
    if about.tiling is None:
        return stream.batches(size, about.resolution, about.fit)
    return _one_by_one(stream, about.tiling)


def _one_by_one(stream: Stream, tiling: Tiling) -> Iterator[StreamedBatch]:
    for name, picture in stream.whole():
        reason = picture if isinstance(picture, str) else tiling.misfit(picture)
        images = torch.empty(0, 3, tiling.height, tiling.width, dtype=torch.uint8)
        if not reason and not isinstance(picture, str):
            images = picture[None]
        yield StreamedBatch([name], [reason], images)


def judge(detector: Detector, images: Tensor, tiles_at_once: int = AT_ONCE) -> Judged:
    """Judge images uint8 `(B, 3, H, W)` of a batch of `batches_of`, on the detector's device.

    Raises `CheckpointError` where scores are not finite.
    """
    tiling, network = detector.settings.tiling, detector.network
    if tiling is None:
        scores, maps = score_in_parts(detector, images)
        return Judged(scores, maps, [], [])
    found = [
        judge_large(
            lambda tiles: score_in_parts(detector, tiles)[1].float().cpu(),
            image, tiling, pooling_of(network), tiles_at_once,
        )
        for image in images
    ]  # fmt: skip
    device = detector.calibration.device
    return Judged(
        torch.stack([each.score for each in found]).to(device),
        torch.stack([each.heat for each in found]).to(device),
        [each.place for each in found],
        [tiling.cut(image, [each.tile])[0] for image, each in zip(images, found, strict=True)],
    )


def score_in_parts(detector: Detector, images: Tensor) -> tuple[Tensor, Tensor]:
    """Scores and maps of uint8 images; on a processor in parts that its caches hold.

    Raises `CheckpointError` where they are not finite.
    """
    device = detector.calibration.device
    part = CACHED if device.type == "cpu" else len(images)
    found = [
        detector(some.to(device).contiguous(memory_format=torch.channels_last))
        for some in images.split(part)
    ]
    scores, maps = (torch.cat([each[place] for each in found]) for place in (0, 2))
    if not bool(scores.isfinite().all()):
        raise CheckpointError(
            "The detector gives scores that are not finite (NaN or infinite), which say "
            "nothing: its weights are damaged, or its run has diverged. Train it anew."
        )
    return scores, maps
