"""What a run of tiles measures: large images by the highest of their tiles, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nda.data import to_float
from nda.data.images.defects import Defects
from nda.data.images.tiles import LargePictures
from nda.data.reading.decode import quiet_pillow, upright_size
from nda.data.reading.open import open_raw
from nda.data.reading.source import open_source
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


def of_their_size(pictures: LargePictures, test: Defects) -> tuple[Defects | None, str]:
    """The test images of the size of training; or None, and why nothing can be measured.

    Others are left out, with a note.
    """
    size = pictures.tiling.width, pictures.tiling.height
    with open_source(Path(pictures.path).expanduser()) as source, quiet_pillow():
        fits = torch.tensor([upright_size(open_raw(source, name)) == size for name in test.names])
    if bool(fits.all()):
        return test, ""
    kept = test.only(fits)
    others = f"Test images of another size than those of training, left out: {int((~fits).sum()):,}"
    if bool(kept.normal.all()) or not bool(kept.normal.any()):
        return (
            None,
            f"{others}. What is left is not both normal and faulty, so nothing is measured.",
        )
    return replace(kept, notes=(*kept.notes, f"{others}.")), ""


def judge_test(network: nn.Module, pictures: LargePictures, test: Defects) -> tuple[Tensor, Tensor]:
    """Maps `(N, h, w)` and scores `(N,)` of test images of the size of training."""
    found = [
        judge_large(
            lambda tiles: score_maps(network, tiles), picture, pictures.tiling, pooling_of(network)
        )
        for picture in replace(pictures, names=test.names)
    ]
    return torch.stack([each.heat for each in found]), torch.stack([e.score for e in found])


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
