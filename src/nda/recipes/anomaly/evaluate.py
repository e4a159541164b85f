"""What is measured of an anomaly run, the calibration it writes, and the pictures that show it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nda.data import ImageSet, to_float
from nda.data.images.defects import Defects, load_defects
from nda.evaluation.outliers.auroc import measure_outliers
from nda.evaluation.outliers.detector import (
    Detector,
    DetectorSettings,
    image_scores,
    pooling_of,
    save_detector,
    score_maps,
)
from nda.evaluation.outliers.faults import FaultScores, fault_metrics
from nda.evaluation.outliers.metrics import score_histogram
from nda.evaluation.outliers.pixels import pixel_metrics
from nda.evaluation.record import Evaluation, Histogram, Metric, Protocol
from nda.networks.pretrained.left_out import maps_without_own
from nda.recipes.anomaly.baselines import SUBTRACTED, baselines, subtracted
from nda.recipes.anomaly.large import judge_test, of_their_size, scores_of_large, tile_settings
from nda.report.pictures.grid import image_grid, save_png
from nda.report.pictures.heat import overlay
from nda.runtime.seeding import generator_for
from nda.training.run_folder import RunFolder

if TYPE_CHECKING:
    from nda.recipes.anomaly.train import AnomalyState

SHOWN = 8  # images in a picture
MADE = "Faults made of normal images, which say little of real ones"
AXIS = "outlier score"
SCORE = {"max": "highest value of the map", "mean": "mean of the map"}


def evaluate(state: AnomalyState) -> Evaluation:
    """Calibrate on held-out normal images, write `detector.safetensors`, measure.

    Where the data has a test split with other classes, its images are scored as well: nothing is
    chosen by them.
    """
    network: nn.Module = state.module.eval()
    calibration, hottest = scores_of_known(state, network)
    detector = detector_of(state, calibration, hottest)
    save_detector(RunFolder(Path(state.config.out)).detector_path, detector)
    made, histograms = against_negatives(state, network, calibration)
    metrics: list[Metric] = []
    defects, missing = test_images(state)
    notes = [*state.train.told, *state.method.told]
    if defects is None:
        notes.append(f"Anomalies: {missing}")
    else:
        metrics, histogram, told = against_faults(state, network, calibration, defects)
        histograms.insert(0, histogram)
        notes += told
    state.module.train()
    # Last: how well made faults are found says little of real ones.
    return Evaluation(state.step, [*metrics, *made], histograms, notes)


def test_images(state: AnomalyState) -> tuple[Defects | None, str]:
    """The test split where it has other classes than those trained on; else why there is none."""
    config, large = state.config, state.normal.large
    found = load_defects(
        config.data,
        normal_classes(state.train),
        resolution=state.images.shape[-1],
        fit=config.fit,
        skip_broken=config.skip_broken,
        bit_depth=config.bit_depth,
        places=None if large is None else large.tiling.places,
    )
    if found is None:
        return None, "the data has no test split with classes other than those trained on."
    return (found, "") if large is None else of_their_size(large, found)


def scores_of_known(state: AnomalyState, network: nn.Module) -> tuple[Tensor, Tensor]:
    """Scores and highest values of maps of the images calibrated on, `(n,)` each."""
    if state.normal.large is not None:
        return scores_of_large(state, network, state.normal.large)
    known = maps_of_known(state, network, state.calibration.images)
    return image_scores(known, pooling_of(network)), image_scores(known)


def maps_of_known(state: AnomalyState, network: nn.Module, images: Tensor) -> Tensor:
    """Maps of the images calibrated on, or of what was made of them, on the CPU.

    Where all images were trained on, each by what the others say.
    """
    rows = state.normal.rows
    if rows is None:
        return score_maps(network, images)
    device = state.images.device
    numbers = spread_over(rows, len(images))
    return maps_without_own(network, to_float(images).to(device), numbers.to(device)).cpu()


def spread_over(rows: Tensor, count: int) -> Tensor:
    """`count` of the rows or fewer, evenly spread, as images in pictures are."""
    return rows[torch.linspace(0, len(rows) - 1, min(count, len(rows))).long()]


def normal_classes(train: ImageSet) -> list[str]:
    """The classes that were trained on; the others of the same source are anomalous."""
    present = set(train.labels.tolist())
    return [name for label, name in enumerate(train.classes) if label in present]


def detector_of(state: AnomalyState, calibration: Tensor, hottest: Tensor) -> Detector:
    """A copy of the network as it stands, with its calibration."""
    config = state.config
    settings = DetectorSettings(
        resolution=state.images.shape[-1],
        fit=config.fit,
        backbone=":".join((config.backbone or "").split(":")[:2]),  # without the weights' path
        width=config.width,
        negative=config.negative if config.learned else "none",
        false_alarm_rate=state.false_alarm_rate,
        step=state.step,
        data=state.data,
        bit_depth=config.bit_depth,
        method=state.method.name,
        kept=0 if config.learned else len(state.train),
        groups=0 if state.normal.owners is None else int(state.normal.owners.max()) + 1,
        templates=len(state.templates.names) if state.templates else 0,
        parts=config.group is not None,
        **tile_settings(state.normal.large),
    )
    return Detector.of(state.module, calibration, settings, hottest)


def against_negatives(
    state: AnomalyState, network: nn.Module, calibration: Tensor
) -> tuple[list[Metric], list[Histogram]]:
    """Held-out normal images against negatives of themselves: what the network has learned."""
    rng = generator_for(state.config.seed, purpose="evaluation")
    images = state.calibration.images
    negatives = torch.cat([state.negative(part, generator=rng) for part in in_pairs(images)])
    scores = image_scores(maps_of_known(state, network, negatives), pooling_of(network))
    if state.normal.large is not None:  # these are tiles, each one more of its image
        scores = torch.maximum(scores, calibration)
    protocol: Protocol = {
        "score": SCORE[pooling_of(network)],
        "split": calibrated_on(state),
        "negative": state.config.negative,
        "images": len(images),
    }
    measures = measure_outliers(calibration, scores)
    auroc = Metric(
        "auroc_negatives",
        "AUROC, normal images calibrated on against their negatives (not real faults)",
        measures.auroc,
        "higher",
        protocol,
        interval=[measures.auroc_low, measures.auroc_high],
        kind={"figure": "auroc", "negative": state.config.negative},
        table=MADE,
        row=state.config.negative,
        column="AUROC",
    )
    title = "Scores of the normal images calibrated on and of their negatives"
    series = {"real": calibration, "negative": scores}
    return [auroc], [score_histogram("negatives", title, AXIS, series, protocol)]


def calibrated_on(state: AnomalyState) -> str:
    """What the normal images are that the detector is calibrated on."""
    if state.normal.rows is None:
        return "normal images held out to calibrate on"
    return "normal images, each scored by what the others say"


def against_faults(
    state: AnomalyState, network: nn.Module, calibration: Tensor, test: Defects
) -> tuple[list[Metric], Histogram, list[str]]:
    """The test split kind by kind, beside the cheapest baselines; and notes on both."""
    maps, found = judged(state, network, test)
    whole, chosen = state.train, state.method.name
    if state.normal.large is not None:
        whole, chosen = state.normal.shrunk or state.train, f"{chosen} of tiles"
    cheap, missing = baselines(test.images, whole, chosen=chosen)
    if state.templates is not None:
        cheap[SUBTRACTED] = subtracted(test.images, state.module.trunk.registration)
    scores = FaultScores({"detector": found, **cheap}, test)
    protocol: Protocol = {
        "split": "test split",
        "score": SCORE[pooling_of(network)],
        "trained_on": len(state.train),
    }
    rate = state.false_alarm_rate
    metrics = fault_metrics(scores, calibration, rate, protocol=protocol)
    if test.masks is not None:
        metrics += pixel_metrics(maps, test, protocol)
    series = {
        "normal, calibrated on": calibration,
        "normal, test": found[test.normal],
        "anomalous, test": found[~test.normal],
    }
    histogram = score_histogram("test", "Scores of the test split", AXIS, series, protocol)
    return metrics, histogram, [*test.notes, *([missing] if missing else [])]


def judged(state: AnomalyState, network: nn.Module, test: Defects) -> tuple[Tensor, Tensor]:
    """Maps `(N, h, w)` and scores `(N,)` of test images."""
    if state.normal.large is not None:
        return judge_test(network, state.normal.large, test)
    maps = score_maps(network, test.images)
    return maps, image_scores(maps, pooling_of(network))


def in_pairs(images: Tensor, size: int = 64) -> list[Tensor]:
    """Batches of about `size`, none of a single image, which could not be mixed with another."""
    parts = max(1, len(images) // size)
    return list(images.tensor_split(parts))


def draw_samples(state: AnomalyState, folder: RunFolder) -> None:
    """Pictures of negatives (once) and of the heat on held-out normal images and negatives."""
    rng = generator_for(state.config.seed, purpose="samples")
    images = state.calibration.images
    normal = spread_over(images, SHOWN)
    params = state.negative.draw(normal, rng)
    negative = state.negative.replay(normal, params)
    mask = state.negative.mask(normal, params)
    if state.step == 0:
        places = (mask * 255).round().to(torch.uint8).expand_as(normal)
        rows = torch.cat([normal, negative, places])
        labels = ["normal", state.config.negative, "its place"]
        save_png(image_grid(rows, len(normal), row_labels=labels), folder.samples / "negatives.png")
    if state.step == 0 and not state.config.learned:
        return  # nothing is fitted yet
    network = state.module.eval()
    maps = [maps_of_known(state, network, part) for part in (normal, negative)]
    state.module.train()
    if state.config.learned:  # not calibrated yet: probabilities, over the whole of their range
        heat = [each.sigmoid() for each in maps]
    else:  # distances, from half to all of the largest among these normal images
        heat = [(2 * each / maps[0].max() - 1).clamp(0, 1) for each in maps]
    rows = torch.cat([normal, overlay(normal, heat[0]), negative, overlay(negative, heat[1])])
    labels = ["normal", "its heat", "negative", "its heat"]
    grid = image_grid(rows, len(normal), row_labels=labels)
    save_png(grid, folder.samples / f"step-{state.step:08d}.png")
