"""From training to pages through the commands: train, resume, evaluate, sample, report, compare."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from nda.cli import main
from nda.errors import TrainingError
from nda.training.checkpoint import load_checkpoint
from nda.training.run_folder import RunFolder
from tests.support.tiny_run import train


def in_one_line(text: str) -> str:
    """Without the terminal's line breaks and the frames of tables."""
    return " ".join(text.split())


def test_a_trained_run_is_complete(finished: Path) -> None:
    # Another test of this process may hold the run: the lock is no part of it.
    names = {path.name for path in finished.iterdir()} - {".lock"}
    assert names == {
        "config.yaml",
        "log.jsonl",
        "metrics.json",
        "report.html",
        "checkpoints",
        "samples",
        "tensorboard",
    }
    run = RunFolder.open(finished)
    assert [row["step"] for row in run.log()] == [1, 2, 3, 4]
    assert [each["step"] for each in run.evaluations()] == [4]
    assert "Classifier Fréchet distance" in (finished / "report.html").read_text()


def test_training_says_what_it_measured_and_where_the_report_is(
    image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(train(image_folder, tmp_path / "run", steps="1", negative="none")) == 0
    captured = capsys.readouterr()
    out = in_one_line(captured.out)
    assert out.startswith("measured at step 1:")
    assert "Classifier Fréchet distance" in out
    assert "split test split" in out
    assert "note: FID, KID" in out
    assert captured.out.endswith(f"report: {tmp_path / 'run' / 'report.html'}\n")
    assert captured.err == (
        f"nda: training gan, 1 step, into {tmp_path / 'run'}.\n"
        "nda: 40 images of split train (dark 20, light 20) are taken; passed over: 20 of split "
        "test.\n"
    )


def test_a_batch_of_more_images_than_there_are_is_made_smaller_and_said(
    image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = train(image_folder, tmp_path / "run", steps="1", negative="none", batch_size="500")
    assert main(words) == 0
    assert capsys.readouterr().err.splitlines()[1] == (
        "nda: A batch of 500 samples is larger than the data set of 40 (training takes 40 of your "
        "60 images, and the other 20 are held out); batches of 40 are taken in place of 500."
    )
    assert RunFolder.open(tmp_path / "run").config()["batch_size"] == 40
    assert main(["resume", str(tmp_path / "run"), "--steps", "2"]) == 0


def test_a_run_resumed_in_parts_is_the_same_run(
    image_folder: Path, finished: Path, tmp_path: Path
) -> None:
    assert main(train(image_folder, tmp_path / "run", steps="1")) == 0
    for steps in ("3", "4"):
        assert main(["resume", str(tmp_path / "run"), "--steps", steps]) == 0
    mine = load_checkpoint(tmp_path / "run" / "checkpoints" / "latest")
    expected = load_checkpoint(finished / "checkpoints" / "latest")
    assert mine["step"] == expected["step"] == 4
    for name in ("generator", "discriminator", "ema"):
        for key, value in expected["state"][name].items():
            assert torch.equal(mine["state"][name][key], value), (name, key)
    assert [each["step"] for each in RunFolder.open(tmp_path / "run").evaluations()] == [1, 3, 4]


def test_a_complete_run_is_not_trained_again(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["resume", str(finished)]) == 2
    assert capsys.readouterr().err == (
        "nda: The run is complete: it has reached step 4 of 4. Give a larger --steps to train on.\n"
    )


def test_a_run_cut_off_before_its_evaluation_is_measured(copy: Path) -> None:
    (copy / "metrics.json").unlink()
    (copy / "report.html").unlink()
    assert main(["resume", str(copy)]) == 0
    assert [each["step"] for each in RunFolder.open(copy).evaluations()] == [4]
    assert (copy / "report.html").is_file()


def test_evaluate_measures_again(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = json.loads((copy / "metrics.json").read_text())
    assert main(["evaluate", str(copy)]) == 0
    assert json.loads((copy / "metrics.json").read_text()) == before
    assert main(["evaluate", str(copy), "--evaluation_samples", "15"]) == 0
    ((after,)) = json.loads((copy / "metrics.json").read_text())
    assert after["metrics"][0]["protocol"]["generated_images"] == 15
    assert "measured at step 4:" in capsys.readouterr().out
    assert main(["evaluate", str(copy), "--inception_weights", "no-such-file"]) == 2
    assert "there is no such file" in capsys.readouterr().err


def test_sample_writes_a_grid_or_a_folder(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid, folder = tmp_path / "grid.png", tmp_path / "images"
    assert main(["sample", str(finished), "--out", str(grid), "--count", "9"]) == 0
    assert capsys.readouterr().out == f"9 images of step 4: {grid}\n"
    with Image.open(grid) as picture:
        assert picture.size == (3 * 100 + 4, 3 * 100 + 4)
    assert main(["sample", str(finished), "--out", str(folder), "--count", "3"]) == 0
    assert sorted(path.name for path in folder.iterdir()) == [f"{i:06d}.png" for i in range(3)]
    with Image.open(folder / "000002.png") as picture:
        assert (picture.size, picture.mode) == ((32, 32), "RGB")
    assert main(["sample", str(finished), "--count", "0"]) == 2
    assert "count is 0" in capsys.readouterr().err


def test_samples_follow_from_their_seed(finished: Path, tmp_path: Path) -> None:
    pictures = []
    for index, seed in enumerate(("1", "1", "2")):
        out = tmp_path / f"{index}.png"
        assert main(["sample", str(finished), "--out", str(out), "--seed", seed]) == 0
        pictures.append(out.read_bytes())
    assert pictures[0] == pictures[1] != pictures[2]


@pytest.mark.parametrize(
    ("recipe", "instead"),
    [
        ("anomaly", "score images with 'nda score {run} IMAGES'"),
        ("pix2pix", "'nda sample {run} IMAGES --out DIR'"),
        ("moco", "'nda train linear-probe --encoder {run}'"),
        ("linear_probe", "{run}/report.html"),
        ("detection", "{run}/report.html"),
        ("dpc", "'nda train action --encoder {run}'"),
        ("action", "'nda evaluate {run}' measures it"),
    ],
)
def test_runs_that_generate_nothing_say_what_to_do_with_them(
    recipe: str, instead: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"recipe": recipe, "device": "cpu"}))
    assert main(["sample", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert f"is a run of {recipe}, which generates no images; " in said
    assert instead.format(run=tmp_path) in said


def test_report_writes_the_page_again(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = copy / "report.html"
    page.unlink()
    assert main(["report", str(copy)]) == 0
    assert capsys.readouterr().out == f"report: {page}\n"
    assert page.read_text().startswith("<!doctype html>")


def test_compare_writes_one_page_of_several_runs(
    image_folder: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, page = tmp_path / "other", tmp_path / "pages" / "both.html"
    assert main(train(image_folder, other, negative="none", steps="2")) == 0
    capsys.readouterr()
    assert main(["compare", str(finished), str(other), "--out", str(page)]) == 0
    assert capsys.readouterr().out == f"comparison: {page}\n"
    assert "jigsaw" in page.read_text()
    assert main(["compare", str(finished), "--out", str(page), "--overwrite"]) == 2
    assert "1 run given; a comparison needs two or more" in capsys.readouterr().err


def test_a_run_is_read_from_its_folder_alone(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = copy.rename(copy.parent / "moved")
    shutil.rmtree(moved / "tensorboard")
    assert main(["evaluate", str(moved)]) == 0
    assert f"report: {moved}" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["resume", "evaluate", "sample", "report", "compare"])
def test_a_folder_that_is_no_run(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert f"{tmp_path} is not a run folder: it has no config.yaml." in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", ["resume", "evaluate", "sample"])
def test_a_run_of_another_recipe(
    command: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = yaml.safe_load((copy / "config.yaml").read_text())
    (copy / "config.yaml").write_text(yaml.safe_dump(settings | {"recipe": "vae"}))
    assert main([command, str(copy)]) == 2
    assert "The run's recipe 'vae' is not known" in capsys.readouterr().err


def test_a_loss_gone_wrong_is_one_sentence(
    image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = train(image_folder, tmp_path / "run", steps="50", lr_d="1e38", objective="wasserstein")
    assert main(words) == 2
    err = capsys.readouterr().err
    assert "was not finite at step" in err
    assert (err.count("\n"), issubclass(TrainingError, ValueError)) == (3, True)
