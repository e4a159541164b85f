"""Runs that compare images with templates: what they read, refuse, say, keep and find."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import nda
from nda.cli import main
from nda.data import ImageSet
from nda.errors import CheckpointError, ConfigError, DataError
from nda.evaluation.outliers.detector import load_detector
from nda.export.detector import export_onnx, export_safetensors
from nda.recipes import RECIPES
from nda.recipes.anomaly.config import AnomalyConfig
from nda.recipes.anomaly.templates import (
    LOOKED_AT,
    MOST,
    Templates,
    load_templates,
    told_of_fit,
)
from nda.report.pages.score import judged_by
from nda.training.run_folder import RunFolder
from nda.training.start import resume, start
from tests.networks.pretrained.test_registration import scenes, seen, to_uint8
from tests.support.tiny_anomaly import tiny_anomaly
from tests.support.tiny_lite0 import install_lite0

SIDE, PARTS, EACH = 64, 3, 10


def save(image: torch.Tensor, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(to_uint8(image).permute(1, 2, 0).numpy()).save(path)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """normal/ with moved, relit, noisy pictures of three parts; templates/ with one of each."""
    folder, scene = tmp_path_factory.mktemp("parts"), scenes(PARTS)
    draws = np.random.default_rng(0)
    for part in range(PARTS):
        save(seen(scene[part]), folder / "templates" / f"part{part}.png")
        for number in range(EACH):
            image = seen(scene[part], *draws.uniform(-4, 4, 2)) * draws.uniform(0.7, 1.1)
            noise = torch.from_numpy(draws.normal(0, 0.02, image.shape)).float()
            save(image + noise, folder / "normal" / f"p{part}-{number}.png")
    return folder


def config_of(parts: Path, out: Path | str = "unused", **changes: Any) -> AnomalyConfig:
    settings = {"reference": str(parts / "templates"), "method": "gaussian", "backbone": None}
    return tiny_anomaly(parts / "normal", out, **{**settings, "resolution": SIDE, **changes})


@pytest.fixture(scope="module")
def run(parts: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run on a backbone of random weights, fitted and measured."""
    folder = tmp_path_factory.mktemp("run")
    shutil.copytree(parts / "templates", folder / "templates")
    with pytest.MonkeyPatch.context() as monkeypatch:
        install_lite0(monkeypatch, folder / "weights.pth")
        config = config_of(parts, folder / "run", reference=str(folder / "templates"))
        begun = start(RECIPES["anomaly"].recipe(), config)
        assert begun.train()
        begun.evaluate()
    return begun


def test_the_detector_carries_its_templates_and_finds_what_is_not_in_them(
    run: Any, parts: Path
) -> None:
    shutil.rmtree(Path(run.config.reference))
    detector = load_detector(run.folder.detector_path)
    assert detector.settings.templates == PARTS
    assert (
        "features of lite0, less those of the nearest of 3 templates;"
        in judged_by(detector, 0.1).how
    )
    network: Any = detector.network
    kept = network.trunk.registration.templates
    expected = np.asarray(Image.open(parts / "templates" / "part1.png")).transpose(2, 0, 1)
    assert kept.dtype == torch.uint8
    assert np.array_equal(kept[1].numpy(), expected)
    images = to_uint8(seen(scenes(PARTS), 1.4, -2.6) * 0.8)
    odd = images.clone()
    odd[:, :, 24:34, 30:40] = 250
    scores, _, maps = detector(torch.cat([images, odd]))
    assert float(scores[PARTS:].min()) > 2 * float(scores[:PARTS].max())
    for heat in maps[PARTS:]:
        row, column = np.unravel_index(int(heat.argmax()), heat.shape)
        assert row in (2, 3, 4)  # of 8
        assert column in (3, 4, 5)


def test_its_files_give_its_scores(run: Any, tmp_path: Path) -> None:
    detector = load_detector(run.folder.detector_path)
    assert export_safetensors(detector, tmp_path / "a.safetensors").largest_difference == 0


@pytest.mark.slow
def test_its_onnx_file_agrees(run: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    detector = load_detector(run.folder.detector_path)
    assert export_onnx(detector, tmp_path / "a.onnx").largest_difference < 1e-4


@pytest.mark.slow
def test_its_openvino_model_agrees(run: Any, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    pytest.importorskip("onnxscript")
    from nda.export.openvino_model import export_openvino

    detector = load_detector(run.folder.detector_path)
    assert export_openvino(detector, tmp_path / "a.xml").largest_difference < 1e-4


def test_a_run_goes_on_with_the_same_templates_alone(
    parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_lite0(monkeypatch, tmp_path / "weights.pth")
    templates = shutil.copytree(parts / "templates", tmp_path / "templates")
    config = config_of(parts, tmp_path / "run", reference=str(templates))
    begun = start(RECIPES["anomaly"].recipe(), config)
    assert begun.train()
    folder = RunFolder.open(begun.folder.path)
    again = resume(RECIPES["anomaly"].recipe(), AnomalyConfig, folder)
    for name, value in begun.state.module.state_dict().items():
        assert torch.equal(again.state.module.state_dict()[name], value), name
    shutil.copy(templates / "part0.png", templates / "part2.png")
    with pytest.raises((ConfigError, DataError, CheckpointError), match="its contents differ"):
        resume(RECIPES["anomaly"].recipe(), AnomalyConfig, folder)


def test_a_test_split_is_measured_beside_plain_subtraction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_lite0(monkeypatch, tmp_path / "weights.pth")
    scene, draws = scenes(1), np.random.default_rng(1)
    save(seen(scene[0]), tmp_path / "template.png")
    for kind, count in (("train/good", 30), ("test/good", 4), ("test/hole", 4)):
        for number in range(count):
            image = seen(scene[0], *draws.uniform(-4, 4, 2))
            if kind == "test/hole":
                image[:, 20:32, 20:32] = -0.9
            save(image, tmp_path / "data" / kind / f"{number}.png")
    config = tiny_anomaly(
        tmp_path / "data", tmp_path / "run", reference=str(tmp_path / "template.png"),
        method="auto", backbone=None, resolution=SIDE,
    )  # fmt: skip
    begun = start(RECIPES["anomaly"].recipe(), config)
    assert begun.state.method.name == "gaussian"
    said = "--method auto takes gaussian: images and their templates are aligned."
    assert said in begun.state.told
    assert begun.train()
    found = {metric.name: metric.value for metric in begun.evaluate().metrics}
    assert found["test_hole_template_pixels_auroc"] == 1


def test_left_out_in_turn_they_are_compared_too(
    parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_lite0(monkeypatch, tmp_path / "weights.pth")
    config = config_of(parts, tmp_path / "run", calibration="left_out")
    begun = start(RECIPES["anomaly"].recipe(), config)
    assert begun.train()
    begun.evaluate()
    detector = load_detector(begun.folder.detector_path)
    assert (len(detector.calibration), detector.settings.templates) == (PARTS * EACH, PARTS)


def test_a_single_picture_and_a_zip_are_templates_too(parts: Path, tmp_path: Path) -> None:
    one = load_templates(config_of(parts, reference=str(parts / "templates" / "part1.png")))
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        for path in sorted((parts / "templates").iterdir()):
            archive.write(path, f"inside/{path.name}")
    several = load_templates(config_of(parts, reference=str(tmp_path / "t.zip")))
    assert one is not None
    assert several is not None
    assert (one.names, len(several.names)) == (("part1.png",), PARTS)
    assert torch.equal(several.images[1:2], one.images)
    assert load_templates(config_of(parts, reference=None)) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reference": ""}, "reference is empty; give a path."),
        (
            {"tile": 32, "resolution": 32},
            "--reference .*templates is compared with whole images, and --tile 32 cuts",
        ),
        ({"method": "negatives"}, "--method negatives learns its own; give --method auto"),
        ({"backbone": "plain"}, "--backbone plain has random weights; give lite0"),
    ],
)
def test_settings_that_do_not_go_with_templates(parts: Path, changes: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        config_of(parts, **changes).check()


def test_a_path_that_is_not_there_is_refused_at_the_door(
    parts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "anomaly", "--data", str(parts / "normal"), "--out", str(tmp_path / "run")]
    words += ["--method", "gaussian", "--reference", str(parts / "tmeplates")]
    assert main(words) == 2
    assert f"Did you mean {parts / 'templates'}?" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def refused(parts: Path, reference: Path, **changes: Any) -> str:
    with pytest.raises(DataError) as caught:
        load_templates(config_of(parts, reference=str(reference), **changes))
    return str(caught.value)


def test_folders_without_pictures_and_broken_pictures_are_refused(
    parts: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    assert f"{tmp_path / 'empty'}" in refused(parts, tmp_path / "empty")
    (tmp_path / "notes.txt").write_text("none")
    assert "is a single file" in refused(parts, tmp_path / "notes.txt")
    broken = shutil.copytree(parts / "templates", tmp_path / "broken")
    (broken / "part1.png").write_bytes((broken / "part1.png").read_bytes()[:200])
    said = refused(parts, broken, skip_broken=True)  # a part without its template
    assert "part1.png cannot be read" in said
    assert "skip" not in said
    (tmp_path / "one.png").write_bytes(b"")
    assert "one.png cannot be read (an empty file)" in refused(parts, tmp_path / "one.png")


def test_more_templates_than_can_be_compared_are_refused_before_they_are_read(
    parts: Path, tmp_path: Path
) -> None:
    many = tmp_path / "many"
    many.mkdir()
    for number in range(MOST + 1):
        (many / f"{number}.png").write_bytes(b"x")
    assert f"has {MOST + 1} images, and at most {MOST} templates are taken at 64 pixels" in refused(
        parts, many
    )
    assert "at most 21 templates are taken at 1024 pixels" in refused(parts, many, resolution=1024)


def test_other_proportions_are_refused_where_all_is_stretched(parts: Path, tmp_path: Path) -> None:
    templates = shutil.copytree(parts / "templates", tmp_path / "templates")
    Image.open(templates / "part1.png").resize((96, 64)).save(templates / "part1.png")
    said = refused(parts, templates)
    assert "part1.png has 96 x 64 pixels, and no image of" in said
    assert "--fit crop" in said
    assert load_templates(config_of(parts, reference=str(templates), fit="crop")) is not None


def told(templates: torch.Tensor, images: torch.Tensor) -> list[str]:
    names = tuple(f"t{n}.png" for n in range(len(templates)))
    normal = ImageSet.of(to_uint8(images))
    return told_of_fit(Templates(to_uint8(templates), names), normal)


def test_nothing_is_said_where_images_fit() -> None:
    scene = scenes(3)
    assert told(seen(scene), seen(scene, 3.0, -2.0)) == []


def test_images_without_a_template_and_templates_without_an_image_are_named() -> None:
    scene = scenes(6)
    found = told(seen(scene[:4]), seen(scene[2:], 1.0, 1.0))
    assert found == [
        "2 of 4 normal images fit no template of --reference (correlation below 0.5): number 2, "
        "number 3; give the templates of their parts.",
        "No normal image is of 2 templates of --reference: t0.png, t1.png.",
    ]


def test_templates_of_other_parts_with_the_same_outline_are_noticed() -> None:
    frame = torch.full((1, 3, 96, 96), -0.4)
    frame[:, :, 26:70, 26:70] = 0.1
    scene = frame + scenes(8) * 0.6
    images = seen(scene[:4], 2.0, 1.0)
    assert told(seen(scene[:4]), images) == []
    (said, *_) = told(seen(scene[4:]), images)
    assert said.startswith("Normal images fit the templates of --reference no better than the same")
    assert said.endswith("unless parts look alike both ways, these are the templates of others.")


def test_images_that_are_moved_as_far_as_is_looked_are_named(parts: Path) -> None:
    scene = scenes(2)
    images = torch.cat([seen(scene[:1]), seen(scene[1:], 8.4, 0.0)])
    (said,) = told(seen(scene), images)
    assert said.startswith("1 of 2 normal images are moved against their template by 8 of 64 pix")
    assert "number 1; cut images and templates alike." in said


def test_a_template_without_contrast_is_nobodys() -> None:
    scene = scenes(2)
    flat = torch.zeros(1, 3, SIDE, SIDE)
    (said,) = told(torch.cat([flat, seen(scene)]), seen(scene))
    assert said == "No normal image is of 1 template of --reference: t0.png."


def test_of_many_images_some_are_looked_at_and_few_named() -> None:
    scene = scenes(2)
    images = seen(scene[1:]).expand(2 * LOOKED_AT, -1, -1, -1)
    odd, idle = told(seen(scene[:1]), images)
    assert odd.startswith(f"{LOOKED_AT} of {LOOKED_AT} normal images fit no template")
    assert f"number 4 and {LOOKED_AT - 3} more;" in odd
    assert idle.endswith("t0.png.")


def test_notes_name_the_files(
    parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install_lite0(monkeypatch, tmp_path / "weights.pth")
    templates = shutil.copytree(parts / "templates", tmp_path / "templates")
    (templates / "part2.png").unlink()
    words = ["train", "anomaly", "--data", str(parts / "normal"), "--out", str(tmp_path / "run")]
    words += ["--method", "gaussian", "--reference", str(templates), "--device", "cpu"]
    assert main([*words, "--resolution", "64", "--calibration", "held_out"]) == 0
    said = capsys.readouterr().err
    assert "8 of 24 normal images fit no template of --reference" in said
    assert "p2-1.png, p2-2.png" in said


def test_from_python(parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_lite0(monkeypatch, tmp_path / "weights.pth")
    detector = nda.AnomalyDetector(
        reference=parts / "templates", method="gaussian", resolution=SIDE, device="cpu"
    ).fit(parts / "normal")
    assert detector.module.settings.templates == PARTS
    file = detector.save(tmp_path / "parts.safetensors")
    images = to_uint8(seen(scenes(PARTS)))
    again = nda.load_detector(file)(images)[0]
    torch.testing.assert_close(again.double(), detector.predict(images).scores)
