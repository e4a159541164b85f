"""A detector as an object: fit, predict, save, load; and what it refuses."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

import nda
from tests.support.tiny_anomaly import SIDE, surface, write_surfaces
from tests.support.tiny_lite0 import install_lite0

SETTINGS: dict[str, Any] = {
    "resolution": SIDE, "width": 8, "batch_size": 8, "holdout": 1 / 3, "false_alarm_rate": 0.1,
    "steps": 4, "device": "cpu",
}  # fmt: skip


def images() -> Tensor:
    grey = np.stack([surface("train/good", index)[0] for index in range(60)])
    return torch.from_numpy(grey)[:, None].repeat(1, 3, 1, 1)


@pytest.fixture(scope="module")
def detector() -> nda.AnomalyDetector:
    return nda.AnomalyDetector(**SETTINGS).fit(images())


def test_tensors_data_sets_folders_and_the_command_line_give_the_same(
    tmp_path: Path, detector: nda.AnomalyDetector
) -> None:
    from nda.cli import main

    data: Dataset[Any] = TensorDataset(images(), torch.zeros(60))
    assert detector.result is not None
    folder = detector.result.run / "images.zip"
    words = [word for name, value in SETTINGS.items() for word in (f"--{name}", str(value))]
    assert main(["train", "anomaly", "--data", str(folder), "--out", str(tmp_path), *words]) == 0
    expected = detector.predict(images())
    for other in (
        nda.AnomalyDetector(**SETTINGS).fit(data),
        nda.AnomalyDetector(**SETTINGS).fit(str(folder)),
        nda.AnomalyDetector.load(tmp_path),
    ):
        assert torch.equal(other.predict(images()).scores, expected.scores)


def test_whatever_holds_the_images_their_scores_are_the_same(
    tmp_path: Path, detector: nda.AnomalyDetector
) -> None:
    folder = write_surfaces(tmp_path / "surfaces", normal=3, test=1) / "train" / "good"
    pictures = [Image.open(path) for path in sorted(folder.iterdir())]
    arrays = [np.asarray(picture.convert("RGB")) for picture in pictures]
    tensors = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)

    def pairs() -> Iterator[tuple[Tensor, int]]:
        yield from ((image, 0) for image in tensors)

    expected = detector.predict(folder)
    assert expected.names == ("000.png", "001.png", "002.png")
    assert len(expected) == 3
    for given in (tensors, np.stack(arrays), pictures, arrays, pairs()):
        found = detector.predict(given)
        assert torch.equal(found.scores, expected.scores)
        assert torch.equal(found.maps, expected.maps)  # type: ignore[arg-type]
    for one in (pictures[0], arrays[0], tensors[0], folder / "000.png", str(folder / "000.png")):
        assert detector.predict(one).scores.tolist() == expected.scores[:1].tolist()


def test_images_of_another_size_are_scored_as_the_command_line_scores_them(
    tmp_path: Path, detector: nda.AnomalyDetector
) -> None:
    wide = Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 50, 3), np.uint8))
    wide.save(tmp_path / "wide.png")
    assert detector.result is not None
    scored = nda.score(detector.result.run, tmp_path)
    for given in (wide, np.asarray(wide), torch.from_numpy(np.array(wide)).permute(2, 0, 1)):
        assert detector.predict(given).scores.tolist() == scored.scores.tolist()


def test_results_say_what_they_mean(detector: nda.AnomalyDetector) -> None:
    found = detector.predict(images(), batch_size=7)
    scores, p_values, maps = detector.module(images())
    assert found.scores.tolist() == pytest.approx(scores.tolist(), abs=1e-5)
    assert found.p_values.tolist() == pytest.approx(p_values.tolist(), abs=0.051)
    assert found.maps is not None
    assert found.maps.shape == maps.shape
    assert torch.equal(found.flags, found.p_values <= 0.1)
    assert int(detector.predict(images(), false_alarm_rate=0.5).flags.sum()) > int(
        found.flags.sum()
    )
    assert "60 scored at a false-alarm rate of 0.1" in repr(found)


def test_a_file_that_cannot_be_read_is_not_taken_for_normal(
    tmp_path: Path, detector: nda.AnomalyDetector
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    found = detector.predict(tmp_path)
    assert (found.reasons[0], bool(found.scores[1].isnan()), bool(found.flags[1])) == (
        "", True, False,
    )  # fmt: skip
    assert "not an image" in found.reasons[1]


def test_saved_and_loaded_it_is_the_same(tmp_path: Path, detector: nda.AnomalyDetector) -> None:
    path = detector.save(tmp_path / "parts.safetensors")
    expected = detector.predict(images()).scores
    for name in (path, str(path)):
        assert torch.equal(nda.AnomalyDetector.load(name).predict(images()).scores, expected)
        # In one batch, where `predict` takes several: sums are added up in another order.
        scores = nda.load_detector(name)(images())[0].double()
        torch.testing.assert_close(scores, expected, atol=1e-5, rtol=0)
    with pytest.raises(nda.UserError, match=r"parts.pt must end in .safetensors"):
        detector.save(tmp_path / "parts.pt")


def test_it_can_be_exported(tmp_path: Path, detector: nda.AnomalyDetector) -> None:
    pytest.importorskip("onnxscript")
    assert detector.to_onnx(tmp_path / "parts.onnx").is_file()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (torch.rand(2, 3, SIDE, SIDE), "values 0 to 255; got torch.float32"),
        (np.zeros((8, 8, 3)), "values 0 to 255; got float64"),
        (torch.zeros(0, 3, SIDE, SIDE, dtype=torch.uint8), "No images were given"),
        ([], "No images were given"),
        (torch.zeros(2, 5, 8, 8, dtype=torch.uint8), r"of shape \(3, H, W\)"),
        ("nowhere.png", "There is no nowhere.png"),
        (7, "Images were expected, and int was given"),
        (None, "Images were expected, and NoneType was given"),
        ({"a": torch.zeros(3, 8, 8)}, r"dict was given; give its values, such as list\("),
        (torch.zeros(8, 8, 3, dtype=torch.uint8), r"to the front: image\.permute\(2, 0, 1\)"),
        (torch.zeros(2, 8, 8, 3, dtype=torch.uint8), r"images\.permute\(0, 3, 1, 2\)"),
    ],
)
def test_wrong_images_are_refused(detector: nda.AnomalyDetector, given: Any, message: str) -> None:
    with pytest.raises(nda.UserError, match=message):
        detector.predict(given)


def test_the_module_refuses_a_batch_without_images(detector: nda.AnomalyDetector) -> None:
    with pytest.raises(nda.UserError, match="holds no images"):
        detector.module(torch.zeros(0, 3, SIDE, SIDE, dtype=torch.uint8))


def test_mistakes_in_settings_show_at_once() -> None:
    with pytest.raises(nda.UserError, match="did you mean 'steps'"):
        nda.AnomalyDetector(stps=5)
    with pytest.raises(nda.UserError, match="has not been fitted"):
        nda.AnomalyDetector().predict(images())
    for name, instead in (
        ("data", r"fit\(images\)"), ("out", r"fit\(images, out=...\)"), ("recipe", r"nda\.train\("),
    ):  # fmt: skip
        with pytest.raises(nda.UserError, match=f"^{name} is no setting .*{instead}"):
            nda.AnomalyDetector(**{name: "gan"})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("threshold", "3", "a number or null"),
        ("false_alarm_rate", "0.1", "a number or null"),
        ("false_discovery_rate", "0.1", "a number or null"),
        ("batch_size", "a", "a whole number"),
        ("batch_size", 1.5, "a whole number"),
    ],
)
def test_wrong_types_are_refused(
    detector: nda.AnomalyDetector, name: str, value: Any, expected: str
) -> None:
    with pytest.raises(nda.UserError, match=f"{name} is '{value}', but {expected} was expected"):
        detector.predict(images(), **{name: value})


def test_numbers_of_numpy_and_torch_are_numbers(detector: nda.AnomalyDetector) -> None:
    plain = detector.predict(images(), threshold=0.5, batch_size=7).flags
    for number in (np.float32(0.5), torch.tensor(0.5)):
        found = detector.predict(images(), threshold=number, batch_size=np.int64(7))  # type: ignore[arg-type]
        assert torch.equal(found.flags, plain)


def test_where_a_detector_is_saved(tmp_path: Path, detector: nda.AnomalyDetector) -> None:
    assert detector.save(tmp_path / "new" / "parts.safetensors").is_file()
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(nda.UserError, match=r"folder\.safetensors is a folder; give the name"):
        detector.save(tmp_path / "folder.safetensors")


def test_a_pickled_copy_predicts_alike_and_leaves_the_run_where_it_is(
    detector: nda.AnomalyDetector,
) -> None:
    assert detector.result is not None
    expected = detector.predict(images()).scores
    copied = pickle.loads(pickle.dumps(detector))
    assert torch.equal(copied.predict(images()).scores, expected)
    assert copied.result is None
    del copied
    assert detector.result.run.is_dir()


def test_it_says_how_it_was_fitted(detector: nda.AnomalyDetector) -> None:
    about = detector.module.settings
    assert repr(detector).startswith(f"AnomalyDetector(4 steps against {about.negative}, {SIDE} ")
    one = copy.deepcopy(detector)
    one.module.settings = replace(about, step=1)
    assert "(1 step against" in repr(one)
    one.module.settings = replace(about, method="gaussian", backbone="lite0", kept=1, step=1)
    assert repr(one).startswith("AnomalyDetector(gaussian of lite0, 1 normal image, ")


def test_what_was_found_as_a_table(detector: nda.AnomalyDetector) -> None:
    pandas = pytest.importorskip("pandas")
    table = detector.predict(images()).to_pandas()
    assert isinstance(table, pandas.DataFrame)
    assert list(table.columns) == ["name", "score", "p_value", "flag", "reason"]


def test_other_limits_flag_other_images(detector: nda.AnomalyDetector) -> None:
    plain = detector.predict(images())
    third = float(plain.scores.sort(descending=True).values[2])
    by_hand = detector.predict(images(), threshold=third)
    assert torch.equal(by_hand.flags, plain.scores >= third)
    assert by_hand.false_alarm_rate == pytest.approx(float(plain.p_values[by_hand.flags].max()))
    found = detector.predict(images(), false_discovery_rate=0.9)
    assert torch.equal(found.flags, plain.p_values <= found.false_alarm_rate)
    with pytest.raises(nda.UserError, match="give one of them"):
        detector.predict(images(), threshold=1.0, false_discovery_rate=0.1)


def test_a_method_that_is_fitted_at_once_gives_maps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_lite0(monkeypatch, tmp_path / "weights.pth")
    fitted = nda.AnomalyDetector(resolution=SIDE, method="gaussian", device="cpu").fit(
        images()[:12]
    )
    found = fitted.predict(images())
    assert found.maps is not None
    assert found.maps.shape == (60, SIDE // 8, SIDE // 8)


def test_of_false_discoveries_results_say_by_what_and_why_nothing_is_flagged(
    detector: nda.AnomalyDetector,
) -> None:
    found = detector.predict(images()[:13], false_discovery_rate=0.01)
    assert not found.flags.any()
    assert repr(found).startswith("Scores(13 scored at a false-discovery rate of 0.01: 0 flagged")
    (why,) = found.notes
    assert "more normal images to calibrate on would lower that" in why
    flagged = detector.predict(images(), false_discovery_rate=0.99)
    assert (bool(flagged.flags.any()), flagged.notes) == (True, ())


def test_a_fit_that_fails_leaves_what_was_fitted_before(tmp_path: Path) -> None:
    fitted = nda.AnomalyDetector(**SETTINGS).fit(images())
    assert fitted.result is not None
    before, run = fitted.predict(images()).scores, fitted.result.run
    with pytest.raises(nda.UserError, match=r"The images given have 1 image\b") as refused:
        fitted.fit(images()[:1])
    assert "images.zip" not in str(refused.value)
    assert (run / "config.yaml").is_file()
    assert torch.equal(fitted.predict(images()).scores, before)
    fitted.fit(images())
    assert (run.exists(), fitted.result.run.is_dir()) == (False, True)


def test_a_loaded_detector_is_not_fitted_with_settings_that_it_lost(
    tmp_path: Path, detector: nda.AnomalyDetector
) -> None:
    loaded = nda.AnomalyDetector.load(detector.save(tmp_path / "parts.safetensors"))
    with pytest.raises(nda.UserError, match=r"loaded from .*parts\.safetensors.*make a new one"):
        loaded.fit(images())


def test_one_image_to_calibrate_on_is_refused() -> None:
    settings = {**SETTINGS, "false_alarm_rate": None, "batch_size": 2, "negative": "crack"}
    with pytest.raises(nda.UserError, match=r"3 different normal images, .* keeps 1 to calibrate"):
        nda.AnomalyDetector(**settings).fit(images()[:3])
