"""Large images in tiles: from a run to its table, page, served answer and exported script."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import nda
from nda.cli import main
from nda.data import to_float
from nda.data.images.tiles import Tiling
from nda.errors import ConfigError, DataError
from nda.evaluation.outliers.conformal import p_values
from nda.evaluation.outliers.detector import load_detector
from nda.networks.pretrained.left_out import maps_without_own
from nda.recipes import RECIPES
from nda.recipes.anomaly.config import AnomalyConfig
from nda.recipes.anomaly.train import AnomalyState
from nda.training.engine import Run
from nda.training.start import start
from tests.support.tiny_anomaly import tiny_anomaly
from tests.support.tiny_lite0 import install_lite0

WIDTH, HEIGHT, TILE = 90, 70, 32
TILING = Tiling(WIDTH, HEIGHT, TILE, 8)
KINDS = {"train/good": 20, "test/good": 4, "test/hole": 4}


def surface(kind: str, number: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> np.ndarray:
    """A striped surface uint8 (H, W), with a hole of 6 pixels whose corner is at x 61, y 43."""
    draws = np.random.default_rng([len(kind), number])
    lines = 20 * np.sin(np.arange(size[0]) + draws.uniform(0, 6)) + draws.uniform(90, 160)
    pixels = lines[None] + draws.normal(0, 3, size[::-1])
    if kind.endswith("hole"):
        pixels[43:49, 61:67] = 0
    return pixels.clip(0, 255).astype(np.uint8)


def write(folder: Path) -> Path:
    for kind, count in KINDS.items():
        (folder / kind).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(surface(kind, number)).save(folder / kind / f"{number:02d}.png")
    marks = folder / "ground_truth" / "hole"
    marks.mkdir(parents=True)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[43:49, 61:67] = 255
    for number in range(KINDS["test/hole"]):
        Image.fromarray(mask).save(marks / f"{number:02d}_mask.png")
    return folder


def picture(path: Path) -> Tensor:
    with Image.open(path) as file:
        return torch.from_numpy(np.array(file.convert("RGB"))).permute(2, 0, 1)


def trained(folder: Path, data: Path, **changes: Any) -> Run[Any, AnomalyState]:
    config = tiny_anomaly(data, folder / "run", tile=TILE, backbone=None, **changes)
    run = start(RECIPES["anomaly"].recipe(), config)
    assert run.train()
    run.evaluate()
    return run


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("large") / "data")


@pytest.fixture(scope="module", params=["gaussian", "neighbours", "combine", "negatives"])
def run(
    request: pytest.FixtureRequest, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Run[Any, AnomalyState]:
    """A run of each method; those that are fitted at once leave images out in turn."""
    folder = tmp_path_factory.mktemp(request.param)
    rate = {} if request.param != "negatives" else {"false_alarm_rate": 0.2}
    with pytest.MonkeyPatch.context() as monkeypatch:
        install_lite0(monkeypatch, folder / "weights.pth")
        return trained(folder, data, method=request.param, **rate)


def test_it_is_calibrated_on_the_highest_of_the_tiles_of_images_it_does_not_know(
    run: Run[Any, AnomalyState], data: Path
) -> None:
    state, network = run.state, run.state.module.eval()
    detector = load_detector(run.folder.detector_path)
    assert detector.settings.tiling == TILING
    names = sorted((data / "train/good").iterdir())
    assert state.normal.large is not None
    known = [names.index(data / name) for name in state.normal.large.names]
    left_out = state.normal.owners is not None
    assert left_out == (state.config.method != "negatives")
    assert known == (list(range(20)) if left_out else list(range(0, 20, 3)))
    scores = []
    for number in known:
        tiles = TILING.cut(picture(names[number]))
        if left_out:
            assert state.normal.owners is not None
            own = (state.normal.owners == number).nonzero()[0]
            maps = maps_without_own(network, to_float(tiles), own.expand(len(tiles)))
        else:
            maps = network(to_float(tiles))
        each = maps.flatten(1)
        scores.append((each.amax(1) if network.pooling == "max" else each.mean(1)).max())
    expected = torch.stack(scores).detach().sort().values
    torch.testing.assert_close(detector.calibration, expected, atol=1e-4, rtol=1e-3)


def test_no_tile_of_an_image_that_is_held_out_is_trained_on(run: Run[Any, AnomalyState]) -> None:
    state = run.state
    if state.normal.owners is not None:
        assert state.normal.owners.bincount().unique().numel() == 1  # as many of each image
        return
    assert state.normal.large is not None
    held = {tile.numpy().tobytes() for each in state.normal.large for tile in TILING.cut(each)}
    assert len(state.images) == 13 * len(TILING.corners)
    assert not held & {tile.numpy().tobytes() for tile in state.images}


def test_the_test_split_is_measured_in_its_own_pixels(run: Run[Any, AnomalyState]) -> None:
    found = {each["name"]: each["value"] for each in run.folder.evaluations()[-1]["metrics"]}
    assert {"test_all_kinds_detector_auroc", "test_hole_nearest_pixels_auroc"} <= set(found)
    assert 0 <= found["test_all_kinds_aupro"] <= 1
    if run.state.config.method == "gaussian":
        assert found["test_all_kinds_detector_auroc"] == 1
        assert found["test_all_kinds_pixel_auroc"] > 0.9


def scored(run: Run[Any, AnomalyState], images: Path, out: Path, *more: str) -> list[Any]:
    words = ["score", str(run.folder.path), str(images), "--out", str(out), *more]
    assert main([*words, "--batch_size", "5"]) == 0
    with out.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def new(data: Path, tmp_path: Path) -> Path:
    """Test images, one of another size, and one that cannot be read."""
    folder = tmp_path / "new"
    folder.mkdir()
    for kind in ("good", "hole"):
        for path in sorted((data / "test" / kind).iterdir()):
            (folder / f"{kind}{path.name}").write_bytes(path.read_bytes())
    Image.fromarray(surface("test/good", 1, (WIDTH, HEIGHT + 1))).save(folder / "other.png")
    (folder / "text.png").write_text("no picture")
    return folder


def test_a_table_says_where_the_highest_is_and_refuses_other_sizes(
    run: Run[Any, AnomalyState], new: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heat = tmp_path / "heat"
    rows = scored(run, new, tmp_path / "a.csv", "--html", str(tmp_path / "page.html"),
                  "--heatmaps", str(heat))  # fmt: skip
    assert list(rows[0])[-2:] == ["x", "y"]
    detector = load_detector(run.folder.detector_path)
    for row in rows[:8]:
        tiles = TILING.cut(picture(new / row["file"]))
        scores, rarity, _ = detector(tiles)
        assert float(row["score"]) == pytest.approx(float(scores.max()), rel=1e-4, abs=1e-4)
        assert float(row["p_value"]) == pytest.approx(float(rarity.min()), rel=1e-5)
        top, left = TILING.corners[int(scores.argmax())]
        assert 0 <= int(row["x"]) - left < TILE
        assert 0 <= int(row["y"]) - top < TILE
        if run.state.config.method == "gaussian" and row["file"].startswith("hole"):
            assert abs(int(row["x"]) - 64) <= 8
            assert abs(int(row["y"]) - 46) <= 8
    assert [(row["verdict"], row["x"]) for row in rows[8:]] == [("broken", ""), ("broken", "")]
    assert rows[8]["reason"].startswith("it has 90 x 71 pixels, and p-values hold for images of 90")
    assert rows[9]["reason"] == "not an image"
    assert f"in {len(TILING.corners)} tiles of 32 x 32 of its own pixels" in capsys.readouterr().out
    with Image.open(heat / "hole00.png.png") as file:
        assert file.size == (WIDTH, HEIGHT)
    page = (tmp_path / "page.html").read_text()
    assert f"at {rows[4]['x']}, {rows[4]['y']}" in page
    assert f"images of 90 × 70 pixels are scored in {len(TILING.corners)} tiles of 32 × 32" in page


def test_python_says_the_same_as_the_table(
    run: Run[Any, AnomalyState], new: Path, tmp_path: Path
) -> None:
    rows = scored(run, new, tmp_path / "a.csv")
    found = nda.AnomalyDetector.load(run.folder.path).predict(new, device="cpu", batch_size=3)
    again = nda.score(run.folder.path, new, device="cpu")
    assert found.places is not None
    assert again.places is not None
    assert torch.equal(found.places, again.places)
    for row, place in zip(rows, found.places.tolist(), strict=True):
        assert place == [int(row["x"] or -1), int(row["y"] or -1)]
    assert found.maps is not None
    assert found.maps.shape == (10, *TILING.places)
    known = load_detector(run.folder.detector_path).calibration
    torch.testing.assert_close(found.p_values[:8], p_values(found.scores[:8], known))
    if find_spec("pandas"):
        assert list(found.to_pandas().columns)[-2:] == ["x", "y"]


def test_a_table_that_was_cut_off_goes_on_with_its_places(
    run: Run[Any, AnomalyState], new: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if run.state.config.method != "gaussian":
        pytest.skip("the table is the same for all")
    from nda.api.score import images, spread
    from nda.api.score.batches import score_batch

    whole = scored(run, new, tmp_path / "whole.csv")
    inner, count = score_batch, 0

    def cut_off(*given: Any) -> Any:
        nonlocal count
        count += 1
        if count == 6:
            raise KeyboardInterrupt
        return inner(*given)

    for module in (spread, images):  # where rows are made, and pictures of rows that were kept
        monkeypatch.setattr(module, "score_batch", cut_off)
    words = ["score", str(run.folder.path), str(new), "--out", str(tmp_path / "a.csv")]
    page = ["--html", str(tmp_path / "a.html")]
    assert main([*words, "--batch_size", "5", *page]) == 130
    count = 6
    assert scored(run, new, tmp_path / "a.csv", "--resume", *page) == whole
    assert count == 6 + 5 + 5  # what was left, and pictures of what was kept
    assert f"at {whole[0]['x']}, {whole[0]['y']}" in (tmp_path / "a.html").read_text()


def test_a_server_says_where_the_highest_is(run: Run[Any, AnomalyState], new: Path) -> None:
    pytest.importorskip("fastapi")
    from nda.serve.app import about_of, row_of
    from nda.serve.judge import Judge, Upload
    from nda.serve.limits import Limits

    judge = Judge(load_detector(run.folder.detector_path))
    names = ["hole00.png", "other.png"]
    files = [(new / name).read_bytes() for name in names]
    uploads = [Upload(n, len(f), io.BytesIO(f)) for n, f in zip(names, files, strict=True)]
    first, second = [row_of(each, judge, True) for each in judge.score(uploads)[0]]
    place = nda.score(run.folder.path, new / "hole00.png", device="cpu").places
    assert place is not None
    assert [first["x"], first["y"]] == place[0].tolist()
    assert first["heat"].startswith("data:image/jpeg")
    assert (second["verdict"], second["x"]) == ("broken", None)
    assert "90 x 71" in second["reason"]
    assert about_of(judge, "a", Limits(1, 1))["tiles_of"] == [90, 70]
    json.dumps([first, second])


@pytest.mark.slow
def test_the_script_beside_an_onnx_file_cuts_the_same_tiles(
    run: Run[Any, AnomalyState], new: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    rows = scored(run, new, tmp_path / "a.csv")
    assert main(["export", str(run.folder.path), "--out", str(tmp_path / "detector.onnx")]) == 0
    words = [sys.executable, str(tmp_path / "score_onnx.py"), *(row["file"] for row in rows)]
    done = subprocess.run(words, check=False, capture_output=True, text=True, cwd=new)
    assert done.returncode == 1
    assert "other.png cannot be scored: it has 90 x 71 pixels, not 90 x 70" in done.stderr
    for line, row in zip(done.stdout.splitlines(), rows[:8], strict=True):
        name, score, p_value, verdict, x, y = line.split(",")
        assert (name, verdict, x, y) == (row["file"], row["verdict"], row["x"], row["y"])
        assert float(score) == pytest.approx(float(row["score"]), rel=1e-4, abs=1e-4)
        assert p_value == row["p_value"]


def test_images_of_two_sizes_are_refused_before_there_is_a_run(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for number in range(4):
        size = (WIDTH, HEIGHT + number // 3)
        Image.fromarray(surface("a", number, size)).save(images / f"{number}.png")
    with pytest.raises(DataError, match=r"3\.png has 90 x 71 pixels, and others 90 x 70; with"):
        start(RECIPES["anomaly"].recipe(), tiny_anomaly(images, tmp_path / "run", tile=TILE))
    assert not (tmp_path / "run").exists()


def test_test_images_of_another_size_are_left_out_with_a_note(tmp_path: Path) -> None:
    data = write(tmp_path / "data")
    Image.fromarray(surface("test/good", 1, (80, 80))).save(data / "test/good/03.png")
    run = trained(tmp_path, data, method="negatives", steps=1, false_alarm_rate=0.2)
    found = run.folder.evaluations()[-1]
    note = "Test images of another size than those of training, left out: 1."
    assert note in found["notes"]
    images = {e["protocol"]["images"] for e in found["metrics"] if e["name"] == "false_alarms"}
    assert images == {3}


def test_where_no_faulty_image_is_left_nothing_is_measured_and_why_is_said(tmp_path: Path) -> None:
    data = write(tmp_path / "data")
    for path in (data / "test/hole").iterdir():
        Image.fromarray(surface("test/hole", 1, (80, 80))).save(path)
    run = trained(tmp_path, data, method="negatives", steps=1, false_alarm_rate=0.2)
    found = run.folder.evaluations()[-1]
    assert (
        "Anomalies: Test images of another size than those of training, left out: 4. What is left "
        "is not both normal and faulty, so nothing is measured."
    ) in found["notes"]
    assert {each["name"] for each in found["metrics"]} == {"auroc_negatives"}


CONFIG = AnomalyConfig(data="d", out="o", tile=64)


def test_what_follows_from_a_tile() -> None:
    assert (CONFIG.resolution, CONFIG.tile_overlap) == (64, 16)
    CONFIG.check()
    dataclasses.replace(CONFIG, tile_overlap=0).check()


@pytest.mark.parametrize("tile", [0, -16, 8])
def test_a_size_that_is_none_is_called_as_it_was_typed(tile: int) -> None:
    with pytest.raises(ConfigError, match=f"tile is {tile}; the network needs a multiple of 16"):
        AnomalyConfig(data="d", out="o", tile=tile).check()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tile": 100}, "tile is 100; the network needs a multiple of 16 pixels, such as 128."),
        ({"tile": 0}, "tile is 0; the network needs a multiple of 16 pixels, such as 128."),
        ({"resolution": 256}, "resolution is 256 and tile 64, but tiles keep their pixels; leave "
         "--resolution out."),
        ({"tile_overlap": 33}, "tile_overlap is 33; it must be from 0 to half of the tile, 32 "
         "pixels."),
        ({"tile_overlap": -1}, "tile_overlap is -1; it must be from 0 to half of the tile, 32 "
         "pixels."),
        ({"tile": None, "resolution": 64}, "tile_overlap is 16, and images are not cut into tiles; "
         "give --tile as well, such as 128, or leave it out."),
        ({"data": "torchvision:CIFAR10"}, "--tile cuts images of files, and torchvision:CIFAR10 "
         "has none; give a folder or .zip, or leave --tile out."),
        ({"normal_more": "torchvision:MNIST"}, "--tile cuts images of files, and torchvision:MNIST "
         "has none; give a folder or .zip, or leave --tile out."),
    ],
)  # fmt: skip
def test_mistakes_are_refused_in_a_sentence(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as found:
        dataclasses.replace(CONFIG, **changes).check()
    assert str(found.value) == message
