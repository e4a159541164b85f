"""Floats in [0, 1] are refused by every public function that wants uint8 images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nda.data import ImageSet, to_float
from nda.data.augment.views import Views
from nda.data.clips.views import ClipViews
from nda.data.corruptions import corrupt
from nda.data.images.jpeg import jpeg_pass
from nda.data.pairs.palette import load_palette, nearest_classes
from nda.errors import ShapeError
from nda.evaluation.counting.dots import count_dots, dot_diversity
from nda.evaluation.counting.scenes import scene_diversity
from nda.evaluation.features.extract import extract_features
from nda.evaluation.fidelity.nearest import nearest_images, pixel_distance
from nda.evaluation.outliers.detector import build_network, score_maps
from nda.evaluation.validity.distance import distances_to_data
from nda.report.pictures.grid import image_grid, save_images
from nda.report.pictures.heat import overlay

FLOATS = torch.rand(12, 3, 32, 32, generator=torch.Generator().manual_seed(0))
DRAWS = torch.Generator().manual_seed(0)
NETWORK = torch.nn.Flatten()

FUNCTIONS: dict[str, Callable[[], object]] = {
    "ImageSet.of": lambda: ImageSet.of(FLOATS),
    "to_float": lambda: to_float(FLOATS),
    "Views": lambda: Views()(FLOATS, generator=DRAWS),
    "ClipViews": lambda: ClipViews()(FLOATS[None], generator=DRAWS),
    "corrupt": lambda: corrupt(FLOATS, "fog", 1, generator=DRAWS),
    "jpeg_pass": lambda: jpeg_pass(FLOATS),
    "nearest_classes": lambda: nearest_classes(FLOATS, load_palette("camvid")),
    "count_dots": lambda: count_dots(FLOATS),
    "dot_diversity": lambda: dot_diversity(FLOATS),
    "score_maps": lambda: score_maps(build_network("plain", 8), FLOATS),
    "extract_features": lambda: extract_features(NETWORK, FLOATS),
    "nearest_images": lambda: nearest_images(FLOATS, FLOATS),
    "pixel_distance": lambda: pixel_distance(FLOATS, FLOATS),
    "scene_diversity": lambda: scene_diversity(FLOATS),
    "distances_to_data": lambda: distances_to_data(FLOATS, {"a": FLOATS}, generator=DRAWS),
    "image_grid": lambda: image_grid(FLOATS, 4),
    "save_images": lambda: save_images(FLOATS, Path("grid.png")),
    "overlay": lambda: overlay(FLOATS, torch.zeros(12, 8, 8)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_floats_are_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ShapeError, match=r"uint8.*float32"):
        FUNCTIONS[name]()
    assert not list(tmp_path.iterdir())
