"""Detectors whose backbone computes in 8 bits: fitted anew to what is left of its features.

Rounded features are others, so a detector that was fitted to exact ones finds less in them, and its
calibration promises nothing of their scores. Both are done again, on the images of the run.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from nda.data import to_float
from nda.evaluation.outliers.auroc import measure_outliers
from nda.evaluation.outliers.detector import (
    Detector,
    image_scores,
    pooling_of,
)
from nda.export.detector import (
    IMAGES,
    OUTPUTS,
    Parity,
    checked_onnx,
    compare,
    onnx_graph,
    onnx_scorer,
    require_onnx,
)
from nda.export.int8_trunk import RANGES, Int8Trunk, int8_trunk, map_names
from nda.extras import needed
from nda.recipes.anomaly.evaluate import judged, scores_of_known, test_images
from nda.recipes.anomaly.method import FITTED_AT_ONCE, channels_last
from nda.runtime.files import StrPath, write_atomically

if TYPE_CHECKING:
    from nda.recipes.anomaly.train import AnomalyState


@dataclass(frozen=True)
class Rounded:
    """What 8 bits do to scores: of the same images, by both detectors."""

    parity: Parity  # of the file with the detector that it was made of
    calibrated_on: int
    images: int  # of the test split, or calibrated on where there is none
    spearman: float
    largest_difference: float  # in standard deviations of the float scores
    aurocs: tuple[float, float] | None  # in 8 bits and in floats, on the test split

    @property
    def about(self) -> dict[str, str]:
        """What the file tells of it."""
        told = {"backbone_numbers": "int8", "spearman": f"{self.spearman:.4f}"}
        if self.aurocs is not None:
            told |= {name: f"{value:.4f}" for name, value in zip(AUROCS, self.aurocs, strict=True)}
        return told


AUROCS = ("auroc_int8", "auroc_float")


def export_int8(state: AnomalyState, exact: Detector, path: StrPath) -> Rounded:
    """Write the ONNX file of a run's detector with 8-bit convolutions in its backbone.

    `state` is that of the run on the CPU, its network fitted; `exact` is its detector. It is fitted
    and calibrated anew, on the images that the run was. Raises `ConfigError` where the extra
    `export` is not installed, and `ExportError` where the file gives other scores than what was
    calibrated; nothing is written then.
    """
    require_onnx("onnx --int8")
    rounded = rounded_detector(state, exact)
    content = whole_model(rounded)
    parity = compare(rounded, onnx_scorer(content.SerializeToString()))
    found = agreement(state, exact, rounded, parity)
    file = checked_onnx(content, {**vars(rounded.settings), **found.about})
    write_atomically(Path(path), lambda target: target.write(file))
    return found


@torch.no_grad()
def rounded_detector(state: AnomalyState, exact: Detector) -> Detector:
    """The run's detector on a rounded backbone, fitted and calibrated as the run's was."""
    network = copy.deepcopy(state.module).eval()
    network.trunk = int8_trunk(network.trunk, state.train.spread_out(RANGES).images)
    network.fit(channels_last(to_float(part)) for part in state.images.split(FITTED_AT_ONCE))
    calibration, hottest = scores_of_known(state, network)
    return Detector.of(network, calibration, exact.settings, hottest)


def whole_model(detector: Detector) -> Any:
    """The ONNX model of a detector on an `Int8Trunk`: the trunk's, and behind it all the rest's."""
    from onnx import compose

    trunk: Int8Trunk = detector.network.trunk  # type: ignore[assignment]
    names = map_names(len(trunk.channels))
    side = detector.settings.resolution
    maps = trunk(torch.zeros(2, 3, side, side))
    rest = onnx_graph(_Rest(detector), maps, names, OUTPUTS)
    rest = compose.add_prefix(rest, "rest_", rename_inputs=True, rename_outputs=False)
    rest.ir_version = trunk.model.ir_version
    joined = [(name, f"rest_{name}") for name in names]
    return compose.merge_models(trunk.model, rest, joined, outputs=list(OUTPUTS))


class _Rest(nn.Module):
    """A detector from the maps of its trunk on."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, features: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        network: Any = self.detector.network
        maps = network.measure(features)
        scores = image_scores(maps, pooling_of(network))
        return scores, self.detector.rarity(scores), maps


@torch.no_grad()
def agreement(state: AnomalyState, exact: Detector, rounded: Detector, parity: Parity) -> Rounded:
    """Scores of the same images by both, of the test split where there is one."""
    with needed("A rank correlation needs SciPy", "train"):
        from scipy.stats import spearmanr

    test, _ = test_images(state)
    aurocs = None
    if test is None:
        images = state.calibration.images
        ours, theirs = (
            torch.cat([d(part)[0] for part in images.split(32)]) for d in (rounded, exact)
        )
    else:
        ours, theirs = (judged(state, each.network, test)[1] for each in (rounded, exact))
        first, second = (
            measure_outliers(scores[test.normal], scores[~test.normal]).auroc
            for scores in (ours, theirs)
        )
        aurocs = first, second
    rows = torch.linspace(0, len(ours) - 1, min(IMAGES, len(ours))).long()
    ours, theirs = ours[rows], theirs[rows]
    return Rounded(
        parity,
        len(rounded.calibration),
        len(rows),
        float(spearmanr(ours, theirs)[0]),
        float((ours - theirs).abs().max() / theirs.std()),
        aurocs,
    )
