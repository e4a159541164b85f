"""`nda score` of a run of dpc: the surprise of videos, judged by those that the run held out."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from torch import Tensor

from nda.cli import main
from nda.data.clips.batches import ClipShape, in_blocks
from nda.data.clips.load import Clips, load_clips, windows
from nda.data.images.image_set import to_float
from nda.evaluation.outliers.surprise import cell_surprise
from nda.networks.dpc import DensePredictor
from nda.recipes.dpc.load import open_predictor
from nda.training.checkpoint import load_checkpoint, save_checkpoint
from tests.conftest import write_split
from tests.support.made_dpc import write_dpc_run
from tests.support.tiny_video import write_video, write_videos

Refusal = Callable[[list[str]], str]
RATE = [
    "--false_alarm_rate",
    "0.2",
    "--overwrite",
]  # 6 videos are held out, which make 1/7 possible
SHAPE = ClipShape(blocks=4, frames=2, stride=1)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table's default place is the working directory."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_videos(tmp_path_factory.mktemp("data") / "squares")


@pytest.fixture(scope="module")
def kept_run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on these videos; to be read only."""
    return write_dpc_run(tmp_path_factory.mktemp("runs") / "run", data)


@pytest.fixture
def run(kept_run: Path, tmp_path: Path) -> Path:
    """The same run, to be changed, which has not scored anything."""
    left_out = shutil.ignore_patterns("surprise.json")
    shutil.copytree(kept_run, tmp_path / "run", symlinks=True, ignore=left_out)
    return tmp_path / "run"


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Three videos that serve, of which one is short, and two that do not."""
    folder = tmp_path / "videos"
    for index, (name, frames) in enumerate((("a", 30), ("b", 8), ("short", 3))):
        write_video(folder / name, frames, 1, 20 + index)
    for name in ("gap", "text"):
        write_video(folder / name, 9, 1, 30)
    (folder / "gap" / "0004.png").unlink()
    (folder / "text" / "0007.png").write_text("no picture")
    return folder


def rows(path: Path | str = "scores.csv") -> list[dict[str, str]]:
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def surprise(network: DensePredictor, clips: Clips, row: int) -> float:
    """Window by window, from the video as a whole."""
    scores: list[Tensor] = []
    for start in windows(int(clips.lengths[row]), SHAPE.span, 0.5):
        clip = to_float(SHAPE.taken(clips, torch.tensor([row]), starts=start[None]))
        predicted, target, _ = network(in_blocks(clip, SHAPE.frames))
        scores.append(cell_surprise(predicted, target)[0])
    return float(torch.stack(scores).double().mean())


def test_every_video_has_its_surprise_judged_by_those_held_out(
    kept_run: Path, data: Path, videos: Path
) -> None:
    assert main(["score", str(kept_run), str(videos), *RATE]) == 0
    found = rows()
    assert [row["file"] for row in found] == ["a", "b", "gap", "short", "text"]
    broken = {row["file"]: row["reason"] for row in found if row["verdict"] == "broken"}
    assert broken == {
        "gap": "a frame is missing between 0003.png and 0005.png",
        "text": "0007.png: not an image",
    }
    network = open_predictor(kept_run).network
    heldout = load_clips(data, resolution=64, split="test")
    calibration = [surprise(network, heldout, row) for row in range(len(heldout))]
    clips = load_clips(videos, resolution=64, skip_broken=True)
    read = [row for row in found if row["verdict"] != "broken"]
    assert len(read) == 3
    for number, row in enumerate(read):
        score = surprise(network, clips, number)
        assert float(row["score"]) == pytest.approx(score, abs=1e-5)
        as_high = sum(other >= score for other in calibration)
        assert float(row["p_value"]) == pytest.approx((1 + as_high) / 7, abs=1e-5)
        assert row["verdict"] == ("anomalous" if (1 + as_high) / 7 <= 0.2 else "normal")


def test_a_score_does_not_depend_on_the_others(kept_run: Path, videos: Path) -> None:
    assert main(["score", str(kept_run), str(videos), *RATE]) == 0
    together = {row["file"]: row for row in rows()}
    for name in ("a", "b", "short"):
        alone = ["score", str(kept_run), str(videos / name), *RATE, "--out", "alone.csv"]
        assert main(alone) == 0
        assert rows("alone.csv") == [together[name]]


def test_the_summary(
    kept_run: Path, videos: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", str(kept_run), str(videos), *RATE, "--out", "deep/s.csv"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("5 videos at a false-alarm rate of 0.2: ")
    assert "2 could not be scored" in out
    assert "the surprise of run at step 7, averaged over the windows of a video" in out
    assert "judged by the 6 videos that the run held out" in out
    assert "note: 1 video of fewer than 8 frames, which a window spans: looped." in out
    assert "trained on videos of this data" not in out
    assert "scores: deep/s.csv" in out
    for known in (data, data / "train", data / ".." / data.name):
        assert main(["score", str(kept_run), str(known), *RATE]) == 0
        assert "note: The run was trained on videos of this data" in capsys.readouterr().out


def test_the_calibration_is_kept_until_the_weights_change(
    run: Path, data: Path, videos: Path, refusal: Refusal
) -> None:
    words = ["score", str(run), str(videos), *RATE]
    assert main(words) == 0
    first = rows()
    config = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump(config | {"data": "/nowhere"}))
    assert main(words) == 0
    assert rows() == first
    path = run / "checkpoints" / "step-00000007.pt"
    content = load_checkpoint(path)
    content["state"]["predictor"]["0.bias"] += 0.1
    save_checkpoint(run / "checkpoints", 8, content, keep=2)
    assert "There is no /nowhere" in refusal(words)
    (run / "surprise.json").write_text("{}")
    save_checkpoint(run / "checkpoints", 9, load_checkpoint(path), keep=3)
    assert "There is no /nowhere" in refusal(words)


def test_a_flipped_bit_in_the_scores_that_were_kept_measures_anew(
    run: Path, videos: Path, refusal: Refusal
) -> None:
    words = ["score", str(run), str(videos), *RATE, "--overwrite"]
    assert main(words) == 0
    first, path = rows(), run / "surprise.json"
    whole = path.read_text()
    content = json.loads(whole)
    path.write_text(whole.replace(str(content["scores"][0]), str(content["scores"][0] + 4)))
    assert main(words) == 0
    assert rows() == first
    assert path.read_text() == whole
    # Without a digest, as an earlier version wrote it, they are taken as they stand.
    del content["sha256"]
    path.write_text(json.dumps(content))
    config = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump(config | {"data": "/nowhere"}))
    assert main(words) == 0
    assert rows() == first
    path.write_text(whole.replace("scores", "scorez"))
    assert "There is no /nowhere" in refusal(words)


def test_names_need_not_be_utf8(kept_run: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "odd" / "a", 9, 1, 3)
    odd = os.fsdecode(b"b\xff")
    try:
        write_video(tmp_path / "odd" / odd, 9, 1, 3)
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    assert main(["score", str(kept_run), str(tmp_path / "odd"), *RATE]) == 0
    assert [row["file"] for row in rows()] == ["a", "b\\udcff"]
    clips = load_clips(tmp_path / "odd", resolution=32, cache_dir=tmp_path / "cache")
    assert clips.names == ("a", odd)


def test_the_page_shows_a_frame_of_each(kept_run: Path, videos: Path) -> None:
    assert main(["score", str(kept_run), str(videos), *RATE, "--html", "new/page.html"]) == 0
    page = Path("new/page.html").read_text()
    assert page.count("<img") == 3
    assert page.count("<svg") == 1
    assert "of 5 videos are flagged as anomalous" in page
    assert "1 video of fewer than 8 frames" in page
    assert "0007.png: not an image" in page


def test_fail_on_anomaly_ends_with_3_only_where_something_was_flagged(
    kept_run: Path, data: Path
) -> None:
    """The held-out videos beside themselves: the highest score has a p-value of 2/7."""
    words = ["score", str(kept_run), str(data / "test"), "--fail_on_anomaly", "--overwrite"]
    assert main([*words, "--false_alarm_rate", "0.29"]) == 3
    found = sorted(float(row["p_value"]) for row in rows())
    assert found == pytest.approx([(1 + rank) / 7 for rank in range(1, 7)], abs=1e-5)
    assert main([*words, *RATE]) == 0


def test_data_that_has_moved(run: Path, data: Path, videos: Path, refusal: Refusal) -> None:
    words = ["score", str(run), str(videos), *RATE]
    settings = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump(settings | {"data": "/no/such/place"}))
    said = refusal(words)
    assert f"Videos are judged by those that {run} held out, and its data cannot be used" in said
    assert "There is no /no/such/place" in said
    assert f"If it has moved, write its new place into {run / 'config.yaml'}" in said
    shutil.copytree(data, "moved")
    (run / "config.yaml").write_text(yaml.safe_dump(settings | {"data": str(Path("moved"))}))
    assert main(words) == 0
    (run / "surprise.json").unlink()
    write_video(Path("moved/train/left/new"), 9, 1, 0)
    assert "The data at moved is not what" in refusal(words)


def test_a_run_that_held_nothing_out(
    data: Path, videos: Path, tmp_path: Path, refusal: Refusal
) -> None:
    run = write_dpc_run(tmp_path / "all", data / "train", holdout=0.0)
    said = refusal(["score", str(run), str(videos), *RATE])
    assert f"{run} held no videos out (--holdout 0), so there are none to judge others by" in said


def test_a_rate_that_cannot_be_promised(kept_run: Path, videos: Path, refusal: Refusal) -> None:
    words = ["score", str(kept_run), str(videos)]
    said = refusal(words)
    assert "A false-alarm rate of 0.05 needs at least 19 normal videos to calibrate on" in said
    assert "there are 6" in said
    assert "must lie between 0 and 1" in refusal([*words, "--false_alarm_rate", "1.5"])
    assert not Path("scores.csv").exists()


def test_a_run_that_has_diverged(run: Path, videos: Path, refusal: Refusal) -> None:
    path = (run / "checkpoints" / "latest").resolve()
    content = load_checkpoint(path)
    content["state"]["predictor"]["0.bias"].fill_(float("nan"))
    save_checkpoint(path.parent, 7, content, keep=1)
    said = refusal(["score", str(run), str(videos), *RATE])
    assert f"{run} gives scores that are not finite" in said
    assert not list(Path().glob("*.csv*"))


@pytest.mark.parametrize(
    ("source", "words", "expected"),
    [
        ("videos", ["--heatmaps", "heat"], "--heatmaps heat: run is a run of dpc, which scores"),
        ("-", [], "run is a run of dpc, which takes no list on standard input; give a folder"),
        ("torchvision:CIFAR10", [], "torchvision:CIFAR10 holds images, and run is a run of dpc"),
        ("vidoes", [], "There is no vidoes. Did you mean videos?"),
        ("videos/a/0001.png", [], "is a single file. Give a folder of videos or frames of them"),
        ("run", [], "run holds no videos or frames of them"),
    ],
)
def test_what_makes_no_sense_is_refused(
    run: Path, videos: Path, refusal: Refusal, source: str, words: list[str], expected: str
) -> None:
    del run, videos
    assert expected in refusal(["score", "run", source, *RATE, *words])
    assert not list(Path().glob("*.csv*"))


def test_images_are_refused(run: Path, tmp_path: Path, refusal: Refusal) -> None:
    write_split(tmp_path / "photos", 3)
    for path in (tmp_path / "photos").rglob("*.png"):
        path.rename(path.with_name(f"{int(path.stem) ** 2:03d}.png"))
    said = refusal(["score", str(run), "photos", *RATE])
    assert "photos seems to hold images: its pictures are not the frames of videos (dark: " in said
    assert "is a run of dpc, which takes videos, or folders of frames" in said
    for path in sorted((tmp_path / "photos").rglob("*.png")):  # numbered without a gap
        path.rename(path.with_name(f"{round(int(path.stem) ** 0.5) + 1:03d}.png"))
    said = refusal(["score", str(run), "photos", *RATE])
    assert "the pictures in its folders follow each other by number, but differ as those" in said
    (tmp_path / "one").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "one" / "1.png")
    assert "(one: a single picture)" in refusal(["score", str(run), "one", *RATE])


def test_settings_and_weights_that_do_not_fit(run: Path, videos: Path, refusal: Refusal) -> None:
    words = ["score", str(run), str(videos), *RATE]
    settings = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump(settings | {"width": 16}))
    assert f"The network in {run} does not fit its settings" in refusal(words)
    (run / "config.yaml").write_text(yaml.safe_dump(settings | {"widht": 16}))
    assert "has a setting 'widht' that this version of nda does not know" in refusal(words)
    (run / "config.yaml").write_text(yaml.safe_dump(settings))
    shutil.rmtree(run / "checkpoints")
    assert "holds no checkpoint yet" in refusal(words)
