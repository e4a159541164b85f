"""What a run of tiles measures: large images by the highest of their tiles, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nda.data import to_float
from nda.data.images.defects import Defects
from nda.data.images.tiles import LargePictures
from nda.evaluation.outliers.detector import pooling_of, score_maps
from nda.evaluation.outliers.large import judge_large
from nda.networks.pretrained.left_out import maps_without_own

if TYPE_CHECKING:
    from nda.recipes.anomaly.train import AnomalyState


def scores_of_large(
    state: AnomalyState, network: nn.Module, pictures: LargePictures
) -> tuple[Tensor, Tensor]:
    """Scores and highest values of maps `(n,)` of the images that are calibrated on."""
    found = [
        judge_large(maps_of(state, network, number), picture, pictures.tiling, pooling_of(network))
        for number, picture in enumerate(pictures)
    ]
    return torch.stack([each.score for each in found]), torch.stack([e.hottest for e in found])


def maps_of(state: AnomalyState, network: nn.Module, number: int) -> Callable[[Tensor], Tensor]:
    """What gives maps of tiles of the `number`-th image that is calibrated on."""
    if state.normal.rows is None:
        return lambda tiles: score_maps(network, tiles)
    device, own = state.images.device, state.normal.rows[number]

    def without_own(tiles: Tensor) -> Tensor:
        numbers = own.expand(len(tiles)).to(device)
        return maps_without_own(network, to_float(tiles).to(device), numbers).cpu()

    return without_own


def judge_test(
    network: nn.Module, pictures: LargePictures, test: Defects
) -> tuple[Defects, Tensor, Tensor]:
    """The test images of the size of training, their maps `(N, h, w)` and their scores `(N,)`.

    Others are left out, with a note.
    """
    maps, scores, misfits = [], [], []
    for picture in replace(pictures, names=test.names).of_any_size():
        misfits.append(bool(pictures.tiling.misfit(picture)))
        if not misfits[-1]:
            found = judge_large(
                lambda tiles: score_maps(network, tiles), picture, pictures.tiling,
                pooling_of(network),
            )  # fmt: skip
            maps.append(found.heat)
            scores.append(found.score)
    fits = ~torch.tensor(misfits)
    kept = test.only(fits)
    if any(misfits):
        note = f"Test images of another size than those of training, left out: {sum(misfits):,}."
        kept = replace(kept, notes=(*kept.notes, note))
    return kept, torch.stack(maps), torch.stack(scores)


def tile_settings(pictures: LargePictures | None) -> dict[str, int]:
    """What a detector must be told of the tiles that it sees, if it sees tiles."""
    if pictures is None:
        return {}
    tiling = pictures.tiling
    return {
        "image_width": tiling.width,
        "image_height": tiling.height,
        "overlap": tiling.overlap,
    }
