from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from nda.errors import CheckpointError
from nda.evaluation.record import Evaluation
from nda.report.pages.run import write_report
from nda.report.pictures.grid import image_grid, save_png
from nda.training.run_folder import RunFolder
from tests.support.invented_runs import (
    Read,
    bare_run,
    check_self_contained,
    distance,
    evaluated_run,
    whole_run,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Read:
    run = whole_run(tmp_path_factory.mktemp("runs") / "first run")
    path = write_report(run)
    assert path == run.path / "report.html"
    page = path.read_text()
    check_self_contained(page)
    return Read(page)


def test_the_page_tells_what_was_run(whole: Read) -> None:
    assert "GAN on cifar10, negative jigsaw" in whole.text
    assert (
        "Run first run has trained for 20 steps and seen 1,280 images in 10.0 s (128 images/s); "
        "device cuda, precision bf16-mixed, seed 0." in whole.text
    )


def test_figures_stand_with_their_protocol(whole: Read) -> None:
    figures = whole.text.split("Only figures of the same protocol")[1].split("Samples over")[0]
    assert (
        "Distance of features (lower is better) split: test; EMA: yes; generated images: 12,345 "
        "40.25" in figures
    )
    assert "Notes: FID: no weights on this machine." in figures
    assert "50.5" not in figures


def test_samples_are_spread_over_time_and_the_latest_comes_last(whole: Read) -> None:
    assert whole.pictures == [
        "step 0",
        "step 4",
        "step 10",
        "step 16",
        "step 20",
        "Real samples and the negatives made for them",
    ]


def test_nearest_training_images_are_shown_where_a_run_has_them(tmp_path: Path) -> None:
    run = whole_run(tmp_path / "run", recipe="numerosity", negative="other_counts")
    assert "Nearest training images" not in Read(write_report(run).read_text()).text
    save_png(image_grid(torch.zeros(4, 3, 8, 8, dtype=torch.uint8), 4), run.samples / "nearest.png")
    read = Read(write_report(run).read_text())
    assert "Numerosity on cifar10, negative other counts" in read.text
    assert "The same latent vectors throughout" in read.text
    assert read.pictures[-1].startswith("Generated samples, each with the training images nearest")


def test_pictures_of_an_encoder_stand_in_place_of_samples(tmp_path: Path) -> None:
    run = bare_run(tmp_path / "run")
    for name in ("neighbours.png", "features.png"):
        save_png(image_grid(torch.zeros(4, 3, 8, 8, dtype=torch.uint8), 4), run.samples / name)
    read = Read(write_report(run).read_text())
    assert "What the encoder sees" in read.text
    assert [caption.split(",")[0] for caption in read.pictures] == [
        "Held-out images as the encoder sees them: principal components of features",
        "Held-out images",
    ]
    assert "No samples were drawn" not in read.text
    assert "no picture of negatives" not in read.text


def test_curves_and_histograms_are_drawn(whole: Read) -> None:
    captions = ("Losses", "Mean output of the discriminator", "Images per second", "Gap of scores")
    for caption in (*captions, "Distance of features (lower is better)"):
        assert caption in whole.text
    assert whole.tags.count("svg") == len(captions) + 1


def test_what_objectives_log_is_told_in_words(tmp_path: Path) -> None:
    run = bare_run(tmp_path / "run")
    names = ("loss_matched", "zero_centred_penalty", "fake_weight", "right_negative", "right_fake")
    rows = [{"step": step} | dict.fromkeys(names, 0.5 / step) for step in (1, 2)]
    run.log_path.write_text("\n".join(map(json.dumps, rows)))
    read = Read(write_report(run).read_text())
    for caption in (
        "Losses",
        "Discriminator's squared slope (R1 and R2)",
        "Generated images' share λ of the mixture",
        "Real images with the higher score",
    ):
        assert caption in read.text
    assert read.tags.count("svg") == 4  # both shares in one
    assert all(name not in read.text for name in names if name != "fake_weight")


def test_settings_and_the_command_to_repeat_are_given(whole: Read) -> None:
    assert "fake_weight 0.25" in whole.text
    assert "negative_data not set" in whole.text
    assert "/ data/ sets/ cifar10.zip" in whole.text  # a long path may break after each slash
    command = whole.text.split("To repeat this run")[1]
    assert command.startswith(" nda train gan \\ --config '/")
    assert "first run/ config.yaml' \\ --out NEW" in command
    assert command.endswith("Made with nda 0.1.0, torch 2.11.0, Python 3.12.3.")


def test_a_run_of_videos_has_seen_clips(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("recipe: dpc\nblocks: 8\n")
    row = {"step": 2, "images": 16, "seconds": 4.0}
    (tmp_path / "log.jsonl").write_text(json.dumps(row) + "\n")
    text = Read(write_report(RunFolder(tmp_path)).read_text()).text
    assert "2 steps and seen 16 clips in 4.0 s (4 clips/s)" in text


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    metric = distance(1.5, split=f'"{hostile}')
    evaluation = Evaluation(1, [metric], [], [hostile])
    name = f"a{hostile.replace('/', '')}"
    run = evaluated_run(
        tmp_path / name, evaluation, negative=hostile, data=f"d{hostile}", extra={hostile: hostile}
    )
    save_png(image_grid(torch.zeros(1, 3, 4, 4, dtype=torch.uint8), 1), run.samples / "step-1.png")
    page = write_report(run).read_text()
    check_self_contained(page)
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;") >= 5


def test_missing_parts_are_named(tmp_path: Path) -> None:
    text = Read(write_report(bare_run(tmp_path / "bare")).read_text()).text
    for sentence in (
        "Run bare has no log: how far it came is not known.",
        "This run has not been evaluated.",
        "No samples were drawn in this run.",
        "There is no picture of negatives in this run.",
        "No row of the log is here: it is empty or missing, or the run is shorter than its "
        "log_every.",
    ):
        assert sentence in text


def test_an_evaluation_may_hold_nothing(tmp_path: Path) -> None:
    run = evaluated_run(tmp_path / "run", Evaluation(7, []))
    text = Read(write_report(run).read_text()).text
    assert "The evaluation at step 7 holds no metrics." in text
    assert "Histograms" not in text
    assert "Metrics over training" not in text


def test_a_run_of_nothing_but_its_recipe_has_a_page(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("recipe: moco\n")
    assert "Moco" in Read(write_report(RunFolder(tmp_path)).read_text()).text


def test_an_unfinished_run_says_so_and_keeps_the_newest_row_of_a_step(tmp_path: Path) -> None:
    run = bare_run(tmp_path / "run")
    rows = [{"step": 1, "loss": 1}, {"step": 12, "images": 5}, {"step": 12, "images": 768}]
    lines = [json.dumps(row) for row in rows]
    run.log_path.write_text("\n".join(lines) + '\n{"step": 13, "los')
    text = Read(write_report(run).read_text()).text
    assert "has trained for 12 of 20 steps and seen 768 images;" in text
    run.save_evaluation(Evaluation(20, []).as_dict())  # the last steps made no whole row
    assert "has trained for 20 steps and seen" in Read(write_report(run).read_text()).text


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    run = whole_run(tmp_path / "run")
    latest = run.samples / "step-00000020.png"
    latest.write_bytes(latest.read_bytes()[:60])
    (run.samples / "negatives.png").write_text("no picture")
    read = Read(write_report(run).read_text())
    assert "step 20: the file is damaged and cannot be shown." in read.text
    assert "negatives made for them: the file is damaged and cannot be shown." in read.text
    assert read.pictures == ["step 0", "step 4", "step 10", "step 16"]


def test_large_pictures_are_shrunk(tmp_path: Path) -> None:
    run = bare_run(tmp_path / "run")
    run.samples.mkdir()
    Image.new("RGB", (3200, 100)).save(run.samples / "step-1.png")
    page = write_report(run).read_text()
    assert 'width="1600" height="50"' in page


def test_a_broken_configuration_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("steps: 3\n")
    with pytest.raises(CheckpointError, match="does not name its recipe"):
        write_report(RunFolder(tmp_path))


def test_a_run_that_was_fitted_in_one_step_is_named_by_its_method(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("recipe: anomaly\nmethod: gaussian\nnegative: blemish\n")
    (tmp_path / "metrics.json").write_text(json.dumps([{"step": 1, "metrics": []}]))
    text = Read(write_report(RunFolder(tmp_path)).read_text()).text
    assert "Anomaly, method gaussian" in text or "method gaussian" in text.split("Run")[0]
    assert "has trained for 1 step." in text
    assert "negative blemish" not in text.split("Run")[0]
