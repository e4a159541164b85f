"""Detectors of 8 bits: what is written is fitted and calibrated on its own scores, and told of."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import Tensor

from nda.cli import main
from nda.data import to_float
from nda.evaluation.outliers.conformal import p_values
from nda.evaluation.outliers.detector import Detector, load_detector
from nda.export.detector import ExportError, Parity, onnx_scorer
from nda.export.int8_detector import agreement, export_int8, rounded_detector, whole_model
from nda.export.int8_trunk import Int8Trunk, int8_trunk
from nda.networks.pretrained.lite0 import Lite0Trunk
from nda.recipes import RECIPES
from nda.training.engine import Run
from nda.training.start import start
from tests.support.made_encoder import write_encoder_run
from tests.support.tiny_anomaly import surface, tiny_anomaly, write_surfaces
from tests.support.tiny_lite0 import install_lite0

FITTED: dict[str, Any] = {"backbone": None, "steps": 1}


@pytest.fixture
def onnx() -> Any:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    return pytest.importorskip("onnx")


def fitted(
    data: Path, out: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any
) -> tuple[Run[Any, Any], Detector]:
    """A run that is fitted and calibrated, on a backbone of random weights."""
    install_lite0(monkeypatch, out.parent / "weights.pth")
    run = start(RECIPES["anomaly"].recipe(), tiny_anomaly(data, out, **FITTED | changes))
    assert run.train()
    run.evaluate()
    return run, load_detector(run.folder.detector_path)


def surfaces(kind: str, count: int) -> Tensor:
    """Grey pictures, uint8 (count, 3, SIDE, SIDE)."""
    images = torch.from_numpy(np.stack([surface(kind, number)[0] for number in range(count)]))
    return images[:, None].expand(-1, 3, -1, -1).contiguous()


@pytest.mark.slow
@pytest.mark.usefixtures("onnx")
def test_a_rounded_trunk_gives_nearly_the_maps_of_the_trunk_and_reports_to_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quantization = pytest.importorskip("onnxruntime.quantization")
    numpy_helper = pytest.importorskip("onnx").numpy_helper
    real, told = quantization.quantize_static, []

    def quantize_static(*words: Any, **settings: Any) -> None:
        told.append(os.environ.get("ORT_DISABLE_TELEMETRY"))
        real(*words, **settings)

    monkeypatch.setattr(quantization, "quantize_static", quantize_static)
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        trunk = Lite0Trunk().eval()
    images = surfaces("train/good", 12)
    rounded = int8_trunk(trunk, images)
    assert (rounded.channels, copy.deepcopy(rounded)) == (trunk.channels, rounded)
    assert told == ["1"]
    with torch.no_grad():
        exact, found = (each(to_float(images[:5])) for each in (trunk, rounded))
    for ours, theirs in zip(found, exact, strict=True):
        error = (ours - theirs).square().mean().sqrt() / theirs.std()
        assert 0 < error < 0.2
    weights = [w for w in rounded.model.graph.initializer if len(w.dims) == 4]
    largest = max(int(np.abs(numpy_helper.to_array(w)).max()) for w in weights)
    # Two products with activations of 8 bits stay within the 16 bits that AVX2 adds them in.
    assert len(weights) >= 33
    assert 2 * 255 * largest < 2**15


@pytest.mark.slow
def test_the_file_is_calibrated_on_its_own_scores_and_says_what_8_bits_did(
    onnx: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = write_surfaces(tmp_path / "data", normal=30), tmp_path / "run"
    run, exact = fitted(data, out, monkeypatch, method="gaussian", calibration="held_out")
    assert main(["export", str(out), "--int8"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "calibrated on 10 of them, so that its rate of 0.1 holds for scores of 8 bits" in said
    assert "16 images of the test split: the rank correlation with scores of 32 bits is" in said
    content = (out / "detector-int8.onnx").read_bytes()
    assert (out / "score_detector-int8.py").is_file()
    known, _ = onnx_scorer(content)(run.state.calibration.images)
    scores, rarity = onnx_scorer(content)(surfaces("test/good", 40))
    torch.testing.assert_close(rarity, p_values(scores, known).float())
    assert not torch.equal(rarity, p_values(scores, exact.calibration).float())
    model = onnx.load_from_string(content)
    about = {each.key: each.value for each in model.metadata_props}
    assert about["backbone_numbers"] == "int8"
    assert about["false_alarm_rate"] == "0.1"
    assert f"AUROC: {float(about['auroc_int8']):.3f} with 8 bits, " in said
    assert f", {float(about['auroc_float']):.3f} with 32" in said
    (known,) = [m for m in run.folder.evaluations()[-1]["metrics"] if m["name"].endswith(AUROC)]
    assert float(about["auroc_float"]) == pytest.approx(known["value"], abs=1e-4)
    rounded = [node for node in model.graph.node if node.op_type.endswith("eLinear")]
    assert len(rounded) > 66
    assert not any(node.name.startswith("rest_") for node in rounded)
    assert [i.data_type for i in model.graph.initializer].count(onnx.TensorProto.INT8) >= 33


AUROC = "all_kinds_detector_auroc"


@pytest.mark.slow
@pytest.mark.usefixtures("onnx")
def test_what_is_left_out_in_turn_is_fitted_and_calibrated_anew_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_surfaces(tmp_path / "data", normal=12, test=0) / "train"
    run, exact = fitted(
        data, tmp_path / "run", monkeypatch, method="neighbours", calibration="left_out"
    )
    state = run.state
    before = copy.deepcopy(state.module.state_dict())
    rounded = rounded_detector(state, exact)
    trunk = rounded.network.trunk
    assert isinstance(trunk, Int8Trunk)
    pooled = trunk(to_float(state.images))[-1].mean(dim=(2, 3))
    bank = torch.nn.functional.normalize(pooled, dim=1)
    torch.testing.assert_close(rounded.network.bank, bank)
    assert len(rounded.calibration) == 12
    network: Any = rounded.network
    own = network.without_own(trunk(to_float(state.images)), torch.arange(12))
    torch.testing.assert_close(own.mean(dim=(1, 2)).sort().values, rounded.calibration)
    assert all(
        torch.equal(before[name], value) for name, value in state.module.state_dict().items()
    )
    scores = onnx_scorer(whole_model(rounded).SerializeToString())(state.images)[0]
    torch.testing.assert_close(scores, rounded(state.images)[0])
    found = agreement(state, exact, rounded, Parity(256, 0.0))
    assert (found.images, found.aurocs, found.calibrated_on) == (12, None, 12)
    assert found.about.keys() == {"backbone_numbers", "spearman"}
    ours, theirs = (each(state.images)[0] for each in (rounded, exact))
    ranks = [each.argsort().argsort().float() for each in (ours, theirs)]
    assert found.spearman == pytest.approx(
        float(torch.corrcoef(torch.stack(ranks))[0, 1]), abs=1e-5
    )
    assert found.largest_difference == pytest.approx(
        float((ours - theirs).abs().max() / theirs.std())
    )


@pytest.mark.slow
@pytest.mark.usefixtures("onnx")
def test_of_tiles_it_takes_the_highest_as_before_and_nothing_is_left_of_one_that_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "normal"
    folder.mkdir()
    for number in range(9):
        parts = [surface("normal", 10 * number + part)[0] for part in range(2)]
        Image.fromarray(np.concatenate(parts, axis=1)).save(folder / f"{number}.png")
    run, exact = fitted(
        folder, tmp_path / "run", monkeypatch, method="memory", calibration="held_out", tile=32,
        tile_overlap=0, false_alarm_rate=0.3,
    )  # fmt: skip
    path = tmp_path / "detector.onnx"
    found = export_int8(run.state, exact, path)
    assert found.calibrated_on == 3
    score = onnx_scorer(path.read_bytes())
    known = torch.stack([score(tiles_of(each))[0].max() for each in run.state.normal.large])
    for number in range(4):
        scores, rarity = score(surfaces(f"new {number}", 2))
        torch.testing.assert_close(rarity.min(), p_values(scores.max(), known).float())
    path.unlink()
    monkeypatch.setattr(
        "nda.export.int8_detector.onnx_scorer",
        lambda _: lambda images: (torch.zeros(len(images)), torch.ones(len(images))),
    )
    with pytest.raises(ExportError):
        export_int8(run.state, exact, path)
    assert not path.exists()


def tiles_of(picture: Tensor) -> Tensor:
    return torch.stack(picture.split(32, dim=2))


def test_what_cannot_be_fitted_anew_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    settings = {"recipe": "anomaly", "method": "negatives", "backbone": "plain"}
    (run / "config.yaml").write_text(yaml.safe_dump(settings))
    file = tmp_path / "parts.safetensors"
    file.touch()
    encoder = write_encoder_run(tmp_path / "encoder")

    def refusal(*words: str | Path) -> str:
        assert main(["export", *map(str, words), "--int8"]) == 2
        return " ".join(capsys.readouterr().err.split())

    assert refusal(run) == (
        "nda: --int8 rounds the backbone lite0, to which a method is then fitted anew, and "
        f"{run} has plain (--method negatives); leave it out."
    )
    learned = {"recipe": "anomaly", "method": "negatives", "backbone": "lite0"}
    (run / "config.yaml").write_text(yaml.safe_dump(learned))
    assert refusal(run).endswith(f"and {run} has lite0 (--method negatives); leave it out.")
    settings = {"recipe": "anomaly", "method": "gaussian", "backbone": "lite0"}
    (run / "config.yaml").write_text(yaml.safe_dump({**settings, "reference": "templates"}))
    assert refusal(run) == (
        "nda: --int8 would round the search for templates as well, and "
        f"{run} is compared with some (--reference); leave it out."
    )
    assert "is its detector as openvino; leave --int8 out." in refusal(run, "--format", "openvino")
    assert "is its encoder as safetensors; leave --int8 out." in refusal(encoder)
    assert refusal(file).endswith("without them; give the folder of its run.")
    assert not (run / "detector-int8.onnx").exists()


def test_without_the_extra_it_says_which(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    from nda.errors import ConfigError

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r"--format onnx --int8 needs .*nda-torch\[export\]"):
        export_int8(None, None, tmp_path / "x.onnx")  # type: ignore[arg-type]
