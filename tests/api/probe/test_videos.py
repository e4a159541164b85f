"""`nda probe` of runs of dpc and moco: features of videos and images, and of their negatives."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

from nda.cli import main
from nda.data.clips.source import ClipSource
from nda.data.images.load import load_images
from nda.evaluation.features.structure import structure_similarity
from nda.negatives import negative_from_name
from nda.recipes.dpc.load import open_predictor
from nda.recipes.encoders import open_encoder
from nda.runtime.seeding import generator_for
from tests.conftest import write_split
from tests.support.made_dpc import write_dpc_run
from tests.support.made_encoder import write_encoder_run
from tests.support.tiny_video import write_video, write_videos

Refusal = Callable[[list[str]], str]
JIGSAW = ["--negatives", "jigsaw"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's default place is the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six test videos, two of them short, and eight others."""
    return write_videos(tmp_path_factory.mktemp("data") / "squares")


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """To be read only."""
    return write_dpc_run(tmp_path_factory.mktemp("runs") / "run", data)


@pytest.fixture(scope="module")
def moco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of images of 16 pixels."""
    return write_encoder_run(tmp_path_factory.mktemp("runs") / "moco", width=8)


def probe(model: Path, source: Path | str, *words: str) -> dict[str, Any]:
    """Probe, and give what was written to the JSON file."""
    command = ["probe", str(model), str(source), "--out", "probe.html", "--json", "figures.json"]
    command += ["--overwrite", *words]
    assert main(command) == 0
    content: dict[str, Any] = json.loads(Path("figures.json").read_text())
    return content


def figures(content: dict[str, Any]) -> dict[str, float]:
    return {metric["name"]: metric["value"] for metric in content["metrics"]}


def test_a_run_of_videos(run: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = probe(run, data, "--device", "cpu")
    out = capsys.readouterr().out
    assert "run (DPC on squares, negative jigsaw) at step 7, on 6 videos of squares, test" in out
    assert max(map(len, out.splitlines())) <= 80
    for row in ("another view", "another video", "jigsaw", "gaussian noise"):
        assert f"\n {row} " in out
    assert "image" not in out
    names = ("jigsaw", "stitch", "cutout", "cutmix", "mixup", "horizontal_flip", "random_crop")
    assert {f"nearer_{name}" for name in names} < set(figures(found))
    assert "cosine_different_videos" in figures(found)
    protocol = found["protocol"]
    assert (protocol["videos"], protocol["split"], protocol["step"]) == (6, "test", 7)
    assert protocol["clip"] == "4 blocks of 2 frames, stride 1, from the middle of the video"
    assert found["notes"] == ["Videos of fewer than 8 frames are looped: 2 of them."]
    page = Path("probe.html").read_text()
    assert page.count("<svg") == 8
    assert "Frames of a video and the negatives made of it" in page
    assert "data:image/png;base64," in page


def test_the_cosines_are_those_of_middle_clips(run: Path, data: Path) -> None:
    found = figures(probe(run, data, *JIGSAW, "--count", "5", "--seed", "3"))
    encoder = open_predictor(run).network.encoder

    def encode(x: Tensor) -> Tensor:
        assert x.shape[1:] == (8, 3, 64, 64)
        blocks = torch.stack([x[:, 2 * n : 2 * n + 2].transpose(1, 2) for n in range(4)], dim=1)
        return encoder(blocks).flatten(2).mean(dim=2)

    rng = generator_for(3, purpose="probe images")
    clips, _ = ClipSource(data, resolution=64).draw(5, generator=rng)
    middle = []
    for row, length in enumerate(clips.lengths.tolist()):
        start = max(0, length - 8) // 2
        numbers = [(start + frame) % length for frame in range(8)]
        middle.append(clips.frames(row, numbers))
    expected, _ = structure_similarity(
        encode,
        torch.stack(middle),
        {"jigsaw": negative_from_name("jigsaw")},
        generator=generator_for(3, purpose="probe"),
        protocol={},
        of="video",
    )
    assert len(expected) == len(found)
    for metric in expected:
        assert found[metric.name] == pytest.approx(metric.value, abs=1e-5)


def test_the_seed_decides(run: Path, data: Path) -> None:
    one, same, other = (
        figures(probe(run, data, "--seed", seed, "--negatives", "mixup")) for seed in "112"
    )
    assert one == same != other


def test_a_run_needs_no_data_of_its_own(run: Path, data: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "copy", symlinks=True)
    path = tmp_path / "copy" / "config.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"data": "/no/such/place"}))
    before = sorted((tmp_path / "copy").rglob("*"))
    assert probe(tmp_path / "copy", data, *JIGSAW)["protocol"]["videos"] == 6
    assert sorted((tmp_path / "copy").rglob("*")) == before


def test_the_runs_own_training_videos_are_told(run: Path, data: Path) -> None:
    notes = probe(run, data, *JIGSAW, "--split", "train")["notes"]
    assert notes[-1].startswith("The run was trained on videos of this data.")


def test_a_negative_that_does_not_fit_has_a_row_that_says_why(run: Path, data: Path) -> None:
    found = probe(run, data, "--negatives", "jigsaw:grid=3,cutout")
    assert list(found["not_measured"]) == ["jigsaw:grid=3"]


def test_broken_videos_are_refused_or_left_out_and_counted(
    run: Path, tmp_path: Path, refusal: Refusal
) -> None:
    for index in range(5):
        write_video(tmp_path / "v" / f"{index}", 9, 1, index)
    (tmp_path / "v" / "3" / "0009.png").write_text("no picture")
    said = refusal(["probe", str(run), "v"])
    assert "v: 3 cannot be read (0009.png: not an image). Mend it or take it away" in said
    found = probe(run, "v", "--skip_broken", *JIGSAW)
    assert found["notes"] == ["1 video could not be read and was left out."]
    assert found["protocol"]["videos"] == 4
    (tmp_path / "v" / "4" / "0009.png").write_text("no picture")
    said = refusal(["probe", str(run), "v", "--skip_broken", "--overwrite"])
    assert "v has 3 videos to probe with, and at least 4 are needed" in said


@pytest.mark.parametrize(
    ("source", "words", "expected"),
    [
        ("v", [], "v has 2 videos to probe with, and at least 4 are needed"),
        ("v/0", [], "v/0 has 1 video to probe with, and at least 4 are needed"),
        ("w", [], "There is no w. Check the path."),
        ("torchvision:CIFAR10", [], "torchvision:CIFAR10 holds images, and"),
        ("v", ["--resolution", "64"], "resolution is 64, but"),
        ("v", ["--input_size", "64"], "is a run, whose encoder takes frames of one size"),
        ("v", ["--split", "test"], "has no split 'test'"),
        ("v", ["--count", "3"], "count is 3; it must be at least 4."),
        ("v", ["--negatives", "jigsaw:grid=5"], "jigsaw cannot cut images of 64 x 64"),
        ("photos", [], "photos seems to hold images: its pictures are not the frames of videos"),
    ],
)
def test_what_makes_no_sense_is_refused(
    run: Path, tmp_path: Path, refusal: Refusal, source: str, words: list[str], expected: str
) -> None:
    most = 4 if "negatives" in " ".join(words) else 2
    for index in range(most):
        write_video(tmp_path / "v" / f"{index}", 9, 1, index)
    write_split(tmp_path / "photos", 3)
    for path in (tmp_path / "photos").rglob("001.png"):
        path.unlink()
    (tmp_path / "photos" / "dark" / "002.png").rename(tmp_path / "photos" / "dark" / "b.png")
    (tmp_path / "photos" / "light" / "002.png").rename(tmp_path / "photos" / "light" / "b.png")
    assert expected in refusal(["probe", str(run), source, *words])
    assert not list(tmp_path.glob("*.html"))


def test_a_run_of_moco(moco: Path, image_folder: Path) -> None:
    """Images are brought to the size it was trained at."""
    found = probe(moco, image_folder, *JIGSAW, "--seed", "5")
    assert (found["protocol"]["input_size"], found["protocol"]["step"]) == (16, 7)
    assert "moco (Moco on unused, negative jigsaw) at step 7, on 20 images" in found["summary"]
    images = load_images(image_folder, split="test", resolution=16).images
    expected, _ = structure_similarity(
        open_encoder(str(moco)).network,
        images[torch.randperm(20, generator=generator_for(5, purpose="probe images"))],
        {"jigsaw": negative_from_name("jigsaw")},
        generator=generator_for(5, purpose="probe"),
        protocol={},
    )
    for metric in expected:
        assert figures(found)[metric.name] == pytest.approx(metric.value, abs=1e-5)


def test_sizes_of_a_run_of_moco(moco: Path, image_folder: Path, refusal: Refusal) -> None:
    words = ["probe", str(moco), str(image_folder)]
    said = refusal([*words, "--resolution", "32"])
    assert f"resolution is 32, but {moco} takes images of 16 pixels" in said
    said = refusal([*words, "--input_size", "32"])
    assert "is a run, whose encoder takes images of one size" in said


@pytest.mark.parametrize("single", [True, False])
def test_videos_for_a_model_of_images(
    moco: Path, tmp_path: Path, refusal: Refusal, single: bool
) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.mp4").write_bytes(b"a video")
    source = "clips/a.mp4" if single else "clips"
    for model in (str(moco), "torchvision:resnet18"):
        said = refusal(["probe", model, source])
        assert f"{source} holds videos, and {model} takes images. Give images, or a run" in said
