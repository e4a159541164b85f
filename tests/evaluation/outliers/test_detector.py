"""Detectors: scores against naive ones, files that come back bit by bit, files that are refused."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from nda.errors import CheckpointError, ShapeError, TrainingError
from nda.evaluation.outliers.conformal import p_values
from nda.evaluation.outliers.detector import (
    FORMAT,
    Detector,
    DetectorSettings,
    build_network,
    image_scores,
    load_detector,
    save_detector,
    score_maps,
)

SETTINGS = DetectorSettings(
    resolution=32,
    fit="stretch",
    backbone="plain",
    width=8,
    negative="blemish",
    false_alarm_rate=0.1,
    step=7,
    data="abc",
)


def some_images(count: int, side: int = 32, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 3, side, side), generator=rng, dtype=torch.uint8)


def calibrated(settings: DetectorSettings = SETTINGS, images: int = 40) -> Detector:
    """A detector with random weights, calibrated on random images."""
    network = build_network(settings.backbone, settings.width, seed=3).eval()
    torch.nn.init.normal_(network.out.weight)
    scores = image_scores(score_maps(network, some_images(images, settings.resolution, seed=9)))
    return Detector.of(network, scores, settings)


# --- what is taken


@pytest.mark.parametrize(
    "images",
    [
        torch.rand(2, 3, 32, 32),
        some_images(2, side=48),
        some_images(1)[0],
        some_images(2)[:, :1],
        some_images(2).int(),
    ],
)
def test_other_images_are_refused(images: Tensor) -> None:
    with pytest.raises(ShapeError) as caught:
        calibrated()(images)
    assert str(caught.value) == (
        "This detector takes uint8 images of shape (B, 3, 32, 32), values 0 to 255; got "
        f"{images.dtype} of shape {tuple(images.shape)}. Resize them to 32 pixels, and write "
        "floats in [0, 1] as (255 * images).round().to(torch.uint8)."
    )


def test_a_path_may_be_text(tmp_path: Path) -> None:
    detector, images = calibrated(), some_images(2)
    save_detector(str(tmp_path / "detector.safetensors"), detector)
    again = load_detector(str(tmp_path / "detector.safetensors"))
    assert torch.equal(again(images)[0], detector(images)[0])
    with pytest.raises(CheckpointError, match="There is no detector nowhere; give a file"):
        load_detector("nowhere")


# --- scores


def test_the_score_is_the_highest_logit_of_the_map() -> None:
    detector, images = calibrated(), some_images(6)
    scores, rarity, maps = detector(images)
    assert maps.shape == (6, 8, 8)
    assert torch.equal(maps, detector.network(images.float() / 127.5 - 1))
    assert scores.tolist() == [max(max(row) for row in image) for image in maps.tolist()]
    expected = p_values(scores, detector.calibration)
    torch.testing.assert_close(rarity.double(), expected, rtol=1e-6, atol=0)
    assert len(rarity.unique()) > 1


def test_p_values_are_those_of_the_conformal_module_ties_included() -> None:
    levels = torch.tensor([3.0, 1.0, 1.0, 2.0, 2.0, 2.0, -1.0])
    detector = Detector.of(build_network("plain", 8), levels, SETTINGS)
    assert detector.calibration.tolist() == sorted(levels.tolist())
    scores = torch.tensor([-2.0, -1.0, 0.0, 1.0, 1.5, 2.0, 3.0, 4.0])
    naive = [(1 + sum(k >= s for k in levels.tolist())) / 8 for s in scores.tolist()]
    assert detector.rarity(scores).tolist() == naive
    assert torch.equal(detector.rarity(scores).double(), p_values(scores, levels))


def test_heat_is_the_p_value_place_by_place() -> None:
    detector = calibrated()
    _, _, maps = detector(some_images(3))
    maps[0, 0, :3] = detector.calibration[[0, 20, 39]]  # ties
    maps = maps.transpose(1, 2)  # of another memory layout
    heat = detector.heat(maps)
    assert heat.shape == maps.shape
    for image, found in zip(maps, heat, strict=True):
        for place, value in zip(image.flatten().tolist(), found.flatten().tolist(), strict=True):
            naive = (1 + sum(k >= place for k in detector.calibration.tolist())) / 41
            assert value == pytest.approx(naive, rel=1e-6)


def test_the_hottest_place_has_the_images_own_p_value() -> None:
    detector = calibrated()
    _, rarity, maps = detector(some_images(5))
    assert torch.equal(detector.heat(maps).flatten(1).amin(dim=1), rarity)


class Brightness(nn.Module):
    """A map of how bright each pixel is; an image's score is its mean or highest value."""

    def __init__(self, pooling: str) -> None:
        super().__init__()
        self.pooling = pooling

    def forward(self, images: Tensor) -> Tensor:
        return images.mean(dim=1)


@pytest.mark.parametrize("pooling", ["max", "mean"])
@pytest.mark.parametrize("given", [True, False])
def test_heat_goes_by_the_hottest_places_and_rarity_by_the_scores(
    pooling: str, given: bool
) -> None:
    calibration, hottest = torch.tensor([0.2, -0.5, 0.1]), torch.tensor([0.9, 0.3, 0.6])
    network = Brightness(pooling)
    detector = Detector.of(network, calibration, SETTINGS, hottest if given else None)
    apart = given and pooling == "mean"
    assert detector.calibration.tolist() == pytest.approx([-0.5, 0.1, 0.2])
    assert detector.hottest.tolist() == pytest.approx(
        [0.3, 0.6, 0.9] if apart else [-0.5, 0.1, 0.2]
    )
    assert ("hottest" in detector.state_dict()) == apart
    assert not detector.training
    images = some_images(2)
    scores, rarity, maps = detector(images)
    assert torch.equal(maps, (images.float() / 127.5 - 1).mean(dim=1))
    wanted = maps.flatten(1).amax(1) if pooling == "max" else maps.flatten(1).mean(1)
    torch.testing.assert_close(scores, wanted)
    assert torch.equal(rarity.double(), p_values(scores, calibration).double())
    cold = detector.heat(torch.tensor([[[0.5]]]))
    assert cold.item() == pytest.approx((1 + 2) / 4 if apart else 1 / 4)


def test_an_empty_batch_is_refused() -> None:
    detector = Detector.of(Brightness("max"), torch.zeros(3), SETTINGS)
    with pytest.raises(ShapeError, match="The batch holds no images; give at least one"):
        detector(some_images(0))


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_maps_of_many_images_are_those_of_few(batch_size: int) -> None:
    network, images = calibrated().network, some_images(9)
    maps = score_maps(network, images, batch_size)
    for image, found in zip(images, maps, strict=True):
        torch.testing.assert_close(network(image[None].float() / 127.5 - 1)[0], found)
    assert not maps.requires_grad


# --- what is refused


@pytest.mark.parametrize(
    "images", [torch.zeros(2, 3, 32, 32), some_images(2)[0], some_images(2)[:, :1]]
)
def test_images_of_another_kind_are_refused(images: Tensor) -> None:
    with pytest.raises(ShapeError) as caught:
        score_maps(build_network("plain", 8), images)
    assert str(caught.value).startswith(
        f"Images to score must be uint8 of shape (N, 3, H, W); got {images.dtype} of shape "
        f"{tuple(images.shape)}. Write floats"
    )


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_network_that_has_diverged_is_refused(bad: float) -> None:
    network = build_network("plain", 8).eval()
    nn.init.constant_(network.lateral4.weight, bad)
    with pytest.raises(TrainingError, match=r"output is not finite: the run has diverged\. Eval"):
        score_maps(network, some_images(2))


# --- copies and files


def test_a_detector_does_not_follow_the_network_that_goes_on_learning() -> None:
    network = build_network("plain", 8, seed=3)
    detector = Detector.of(network, torch.arange(30.0), SETTINGS)
    images = some_images(4)
    before = detector(images)
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    network(images.float() / 127.5 - 1).sum().backward()
    optimizer.step()
    for mine, theirs in zip(detector(images), before, strict=True):
        assert torch.equal(mine, theirs)
    assert not any(part.training for part in detector.modules())
    assert not any(parameter.requires_grad for parameter in detector.parameters())


def test_a_compiled_network_can_be_copied_and_saved(tmp_path: Path) -> None:
    network = build_network("plain", 8, seed=3)
    network.compile(backend="eager")
    detector = Detector.of(network, torch.arange(30.0), SETTINGS)
    save_detector(tmp_path / "d.safetensors", detector)
    plain = Detector.of(build_network("plain", 8, seed=3), torch.arange(30.0), SETTINGS)
    for mine, theirs in zip(
        load_detector(tmp_path / "d.safetensors")(some_images(2)),
        plain(some_images(2)),
        strict=True,
    ):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("backbone", ["plain", "torchvision:mobilenet_v3_small"])
def test_what_is_saved_comes_back_bit_by_bit(tmp_path: Path, backbone: str) -> None:
    detector = calibrated(replace(SETTINGS, backbone=backbone, resolution=64))
    path = tmp_path / "detector.safetensors"
    save_detector(path, detector)
    again = load_detector(path)
    assert again.settings == detector.settings
    for mine, theirs in zip(again(some_images(4, 64)), detector(some_images(4, 64)), strict=True):
        assert torch.equal(mine, theirs)
    state = again.state_dict()
    assert list(state) == list(detector.state_dict())
    assert all(torch.equal(value, state[key]) for key, value in detector.state_dict().items())
    assert sorted(tmp_path.iterdir()) == [path]
    assert not any(part.training for part in again.modules())


def test_building_and_loading_leave_the_global_generator_alone(tmp_path: Path) -> None:
    save_detector(tmp_path / "d.safetensors", calibrated())
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    load_detector(tmp_path / "d.safetensors")
    assert torch.equal(torch.rand(1), expected)


def test_the_network_follows_from_the_seed() -> None:
    first, again, other = (build_network("plain", 8, seed=seed) for seed in (1, 1, 2))
    weights = first.out.weight
    assert torch.equal(again.out.weight, weights)
    assert not torch.equal(other.out.weight, weights)


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_detector(path)
    return str(caught.value)


def saved_with(path: Path, about: object, **changes: Tensor) -> Path:
    """A file with the tensors of a detector, some of them changed, and other words about it."""
    save_detector(path, calibrated())
    tensors = load_file(path) | changes
    save_file(tensors, path, None if about is None else {"detector": json.dumps(about)})
    return path


GOOD: dict[str, Any] = {"format": FORMAT, **asdict(SETTINGS)}


def test_the_words_that_the_refused_files_differ_from_are_accepted(tmp_path: Path) -> None:
    assert load_detector(saved_with(tmp_path / "d.safetensors", GOOD)).settings == SETTINGS


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.safetensors"
    assert refused(path) == f"There is no detector {path}; give a file that nda wrote."
    assert refused(tmp_path) == f"There is no detector {tmp_path}; give a file that nda wrote."


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_a_file_cut_short_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "d.safetensors"
    save_detector(path, calibrated())
    path.write_bytes(path.read_bytes()[:kept])
    message = refused(path)
    assert message.startswith(f"{path} is damaged or no detector of this version of nda (")
    assert message.endswith("). Write it anew with 'nda evaluate RUN'.")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        (None, r"\('detector'\)"),  # a file of tensors of another program
        ({**GOOD, "format": "nda detector 2"}, r"\(another format\)"),
        (asdict(SETTINGS), r"\('format'\)"),
        ({**GOOD, "colour": "red"}, "unexpected keyword argument 'colour'"),
        ({key: value for key, value in GOOD.items() if key != "fit"}, "missing 1 required.*'fit'"),
        ({**GOOD, "width": 16}, "has the shape .* is needed"),
        ({**GOOD, "width": 10**9}, "is damaged or no detector"),  # at once, and without memory
        ({**GOOD, "width": 40_000}, "has the shape .* is needed"),
        ({**GOOD, "width": "8"}, "width is '8', but a whole number was expected"),
        ({**GOOD, "step": None}, "step is 'None', but a whole number was expected"),
        ({**GOOD, "backbone": "torchvision:resnet19"}, "no classification network 'resnet19'"),
        (["a list"], "is damaged or no detector"),
    ],
)
def test_files_of_something_else_are_refused(tmp_path: Path, about: object, reason: str) -> None:
    path = saved_with(tmp_path / "d.safetensors", about)
    with pytest.raises(CheckpointError, match=reason):
        load_detector(path)


def test_a_file_with_other_tensors_is_refused(tmp_path: Path) -> None:
    path = saved_with(tmp_path / "d.safetensors", GOOD, stray=torch.zeros(2))
    assert "stray is of another network" in refused(path)
    save_file({"calibration": torch.zeros(3)}, path, {"detector": json.dumps(GOOD)})
    assert "(it has no " in refused(path)


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    path = tmp_path / "d.safetensors"
    torch.save({"format": FORMAT}, path)
    assert "is damaged or no detector" in refused(path)
