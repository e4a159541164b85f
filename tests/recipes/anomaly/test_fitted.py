"""Methods that are fitted at once: a run of one step, its detector, its calibration, its export."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from nda.data import to_float
from nda.evaluation.outliers.conformal import p_values
from nda.evaluation.outliers.detector import image_scores, load_detector, score_maps
from nda.export.detector import export_onnx, export_safetensors
from nda.networks.pretrained.left_out import maps_without_own
from nda.networks.pretrained.lite0 import PACKAGE
from nda.recipes import RECIPES
from nda.recipes.anomaly.method import method_for
from nda.recipes.anomaly.train import AnomalyState
from nda.training.engine import Run
from nda.training.run_folder import RunFolder
from nda.training.start import resume, start
from tests.support.tiny_anomaly import tiny_anomaly, write_surfaces
from tests.support.tiny_lite0 import install_lite0

METHODS = ("gaussian", "memory", "neighbours", "combine", "auto")


@contextmanager
def trained(folder: Path, normal: int, **changes: Any) -> Iterator[Run[Any, AnomalyState]]:
    """A run that was fitted and measured, on a backbone of random weights."""
    data = write_surfaces(folder / "tiles", normal=normal)
    with pytest.MonkeyPatch.context() as monkeypatch:
        install_lite0(monkeypatch, folder / "weights.pth")
        config = tiny_anomaly(data, folder / "run", backbone=None, **changes)
        fitted = start(RECIPES["anomaly"].recipe(), config)
        assert fitted.train()
        fitted.evaluate()
        yield fitted


@pytest.fixture(scope="module", params=METHODS[:-1])
def left_out(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run of each method that leaves its images out in turn."""
    folder = tmp_path_factory.mktemp(f"left-out-{request.param}")
    with trained(folder, 30, method=request.param, calibration="left_out") as run:
        yield run


def test_every_image_is_fitted_to_and_calibrated_on_by_the_others(
    left_out: Run[Any, AnomalyState],
) -> None:
    detector = load_detector(left_out.folder.detector_path)
    network, state = left_out.state.module, left_out.state
    assert len(detector.calibration) == detector.settings.groups == detector.settings.kept == 30
    own = maps_without_own(network, to_float(state.images), torch.arange(30))
    expected = image_scores(own, network.pooling).sort().values
    torch.testing.assert_close(detector.calibration, expected, atol=1e-4, rtol=1e-3)
    scores, rarity, _ = detector(state.images)
    torch.testing.assert_close(rarity.double(), p_values(scores, detector.calibration))
    assert float(scores.median()) < float(expected.median())  # known by heart
    assert (left_out.folder.samples / "step-00000001.png").is_file()


def test_what_is_fitted_at_once_has_no_batches_that_could_be_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install_lite0(monkeypatch, tmp_path / "weights.pth")
    data = write_surfaces(tmp_path / "tiles", normal=6)
    config = tiny_anomaly(data, tmp_path / "run", method="gaussian", backbone=None,
                          batch_size=500, calibration="held_out",
                          false_alarm_rate=None)  # fmt: skip
    fitted = start(RECIPES["anomaly"].recipe(), config)
    assert fitted.train()
    assert fitted.config.batch_size == 500
    assert "batch" not in capsys.readouterr().err


def test_a_run_that_leaves_out_is_resumed_and_exported(
    left_out: Run[Any, AnomalyState], tmp_path: Path
) -> None:
    folder = RunFolder.open(left_out.folder.path)
    again = resume(RECIPES["anomaly"].recipe(), type(left_out.config), folder)
    for name, value in left_out.state.module.state_dict().items():
        assert torch.equal(again.state.module.state_dict()[name], value), name
    detector = load_detector(left_out.folder.detector_path)
    assert export_safetensors(detector, tmp_path / "a.safetensors").largest_difference == 0


@pytest.mark.slow
def test_its_onnx_file_agrees(left_out: Run[Any, AnomalyState], tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    detector = load_detector(left_out.folder.detector_path)
    assert export_onnx(detector, tmp_path / "a.onnx").largest_difference < 1e-4


@pytest.fixture(scope="module", params=METHODS)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run of each method."""
    with trained(tmp_path_factory.mktemp(request.param), 60, method=request.param, steps=70) as run:
        yield run


def test_it_is_a_run_of_one_step_on_lite0(run: Run[Any, AnomalyState]) -> None:
    assert (run.config.steps, run.state.step, run.config.backbone) == (1, 1, "lite0")
    assert not run.config.rate_falls
    assert (run.folder.samples / "step-00000001.png").is_file()
    assert not (run.folder.samples / "step-00000000.png").exists()


def test_it_is_calibrated_on_images_that_it_was_not_fitted_to(
    run: Run[Any, AnomalyState],
) -> None:
    detector = load_detector(run.folder.detector_path)
    held, network = run.state.calibration.images, run.state.module
    maps = score_maps(network, held)
    expected = image_scores(maps, network.pooling)
    torch.testing.assert_close(detector.calibration, expected.sort().values)
    torch.testing.assert_close(detector.hottest, maps.flatten(1).amax(dim=1).sort().values)
    scores, rarity, found = detector(held)
    torch.testing.assert_close(rarity.double(), p_values(scores, expected))
    rarest = detector.heat(found).flatten(1).amin(dim=1)
    assert sorted(rarest.tolist()) == pytest.approx([(n + 2) / 21 for n in range(20)])
    assert detector.settings.kept == len(run.state.train) == 40


def test_all_normal_images_are_fitted_to_and_no_others(run: Run[Any, AnomalyState]) -> None:
    again = type(run.state.module)
    assert torch.equal(run.state.batch(0), run.state.images)
    if again.pooling == "mean":
        pooled = run.state.module.trunk(to_float(run.state.images))[-1].mean(dim=(2, 3))
        expected = torch.nn.functional.normalize(pooled, dim=1)
        torch.testing.assert_close(run.state.module.bank, expected, atol=1e-5, rtol=1e-4)


def test_a_resumed_run_has_what_was_fitted(run: Run[Any, AnomalyState]) -> None:
    again = resume(RECIPES["anomaly"].recipe(), type(run.config), RunFolder.open(run.folder.path))
    assert again.state.step == 1
    for name, value in run.state.module.state_dict().items():
        assert torch.equal(again.state.module.state_dict()[name], value), name


def test_what_auto_took_is_told_and_kept(run: Run[Any, AnomalyState]) -> None:
    taken = load_detector(run.folder.detector_path).settings.method
    told = [note for note in run.state.told if "--method auto" in note]
    assert run.config.method in (taken, "auto")
    if run.config.method == "auto":
        assert told == [run.state.method.told[0]]
        assert told[0].startswith(f"--method auto takes {taken}: the images are ")
        assert told[0] in run.folder.evaluations()[-1]["notes"]
    else:
        assert not told


def test_exported_files_agree(run: Run[Any, AnomalyState], tmp_path: Path) -> None:
    detector = load_detector(run.folder.detector_path)
    assert export_safetensors(detector, tmp_path / "a.safetensors").largest_difference == 0
    again = load_detector(tmp_path / "a.safetensors")
    assert torch.equal(again.hottest, detector.hottest)


@pytest.mark.slow
def test_an_onnx_file_agrees(run: Run[Any, AnomalyState], tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    detector = load_detector(run.folder.detector_path)
    assert export_onnx(detector, tmp_path / "a.onnx").largest_difference < 1e-4


def test_auto_with_few_images_takes_what_needs_the_fewest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_lite0(monkeypatch, tmp_path / "weights.pth")
    config = tiny_anomaly(tmp_path, tmp_path / "run", method="auto", backbone=None)
    images = torch.randint(256, (6, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    images = images.to(torch.uint8)
    for share, taken in ((0.1, "combine"), (0.3, "gaussian")):
        monkeypatch.setattr("nda.recipes.anomaly.method.place_share", lambda *_, is_=share: is_)
        found = method_for(config, images)
        assert found.name == taken
        assert f"as {share:.0%} of the variance" in found.told[0]
        assert method_for(config, images[:5]).name == "gaussian"  # too few to tell
    monkeypatch.undo()
    install_lite0(monkeypatch, tmp_path / "weights.pth")
    alike = (images[:1] // 2).repeat(6, 1, 1, 1)
    alike[:, 0, 0, 0] += torch.arange(6, dtype=torch.uint8)
    assert method_for(config, alike).name == "gaussian"


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        (("data", "out"), {"method": "auto"}),
        (("data", "false_alarm_rate", "resolution"), {"method": "auto"}),
        (("data", "method"), {}),
        (("negative",), {}),
        (("steps", "width"), {}),
    ],
)
def test_a_new_run_takes_pretrained_features_unless_it_is_said_how_to_learn(
    typed: tuple[str, ...], found: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nda.recipes.anomaly.config.find_spec", {PACKAGE: object()}.get)
    assert RECIPES["anomaly"].at_hand(typed) == found
    monkeypatch.setattr("nda.recipes.anomaly.config.find_spec", lambda _: None)
    assert RECIPES["anomaly"].at_hand(typed) == {}
