"""The action recipe: what is trained at which rate, what is frozen, windows, and resuming."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from nda.data.clips.sampling import windows
from nda.errors import CheckpointError, ConfigError, DataError
from nda.recipes import RECIPES
from nda.recipes.action import train as action
from nda.recipes.action.evaluate import all_windows, evaluate, video_probabilities
from nda.recipes.action.train import ActionState, lr_factor
from nda.training.checkpoint import load_checkpoint
from nda.training.launch import launch
from nda.training.run_folder import RunFolder
from nda.training.start import resume, start
from tests.support.tiny_video import tiny_action, tiny_dpc, write_videos


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_videos(tmp_path_factory.mktemp("videos") / "squares")


@pytest.fixture(scope="module")
def pretrained(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of dpc whose encoder has 8 channels in its stem."""
    folder = tmp_path_factory.mktemp("pretrained") / "jigsaw"
    assert start(RECIPES["dpc"].recipe(), tiny_dpc(videos, folder, steps=2)).train()
    return folder


def build(data: Path, **changes: Any) -> ActionState:
    config = tiny_action(data, **changes)
    config.check()
    return action.build(config, launch(config))


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def weights(state: ActionState, part: str) -> dict[str, torch.Tensor]:
    found = getattr(state.network.module, part).state_dict()
    return {name: value.clone() for name, value in found.items()}


def test_the_encoder_is_that_of_the_run(videos: Path, pretrained: Path) -> None:
    state = build(videos, encoder=str(pretrained))
    kept = load_checkpoint(pretrained / "checkpoints" / "latest")["state"]["encoder"]
    for name, value in weights(state, "encoder").items():
        assert torch.equal(value, kept[name]), name
    assert (state.origin.run, state.origin.negative, state.origin.step) == ("jigsaw", "jigsaw", 2)
    random = build(videos)
    assert random.origin.run == "none"
    assert random.origin.digest != state.origin.digest


def test_the_head_begins_the_same_whatever_the_encoder(videos: Path, pretrained: Path) -> None:
    one, other = (weights(build(videos, encoder=e), "head") for e in ("none", str(pretrained)))
    for name, value in one.items():
        assert torch.equal(value, other[name])


@pytest.mark.parametrize(
    ("changes", "rates"),
    [
        ({}, (1e-3, 1e-4)),
        ({"encoder_lr": 1e-5}, (1e-3, 1e-5)),
        ({"encoder": "none"}, (1e-3, 1e-3)),
    ],
)
def test_encoder_and_head_move_at_their_own_rates(
    videos: Path, pretrained: Path, changes: dict[str, Any], rates: tuple[float, float]
) -> None:
    state = build(videos, **({"encoder": str(pretrained)} | changes))
    for part, rate in zip(("head", "encoder"), rates, strict=True):
        before = weights(state, part)
        module = getattr(state.network.module, part)
        if part == "head":
            both = {"encoder": weights(state, "encoder")}
            action.step(state, state.batch(0), draws())
        else:
            before = both["encoder"]
        moved = [
            float((value.detach() - before[name]).abs().max())
            for name, value in module.named_parameters()
        ]
        # The first step of Adam moves a weight by its learning rate, whatever the gradient.
        assert max(moved) == pytest.approx(rate, rel=0.01)
        assert sum(move > 0.5 * rate for move in moved) > 0.9 * len(moved)


def test_a_frozen_encoder_stays_what_it_was(videos: Path, pretrained: Path) -> None:
    state = build(videos, encoder=str(pretrained), frozen=True)
    encoder, head = weights(state, "encoder"), weights(state, "head")
    for step in range(3):
        action.step(state, state.batch(step), draws())
        evaluate(state)
    for name, value in weights(state, "encoder").items():
        assert torch.equal(value, encoder[name]), name  # statistics of batch norm as well
    for name, value in weights(state, "head").items():
        assert not torch.equal(value, head[name]), name
    assert all(p.grad is None for p in state.network.module.encoder.parameters())
    clips = torch.rand(2, 4, 3, 2, 64, 64)
    network = state.network.module.train()
    assert torch.equal(network.encoder(clips), network.encoder(clips))  # no dropout either


def test_rates_fall_twice() -> None:
    config = tiny_action(Path("unused"), steps=10, first_drop=0.6, second_drop=0.8)
    assert [lr_factor(step, config) for step in range(10)] == pytest.approx(
        [1] * 6 + [0.1] * 2 + [0.01] * 2
    )
    assert lr_factor(9, tiny_action(Path("unused"), steps=10, first_drop=1.0, second_drop=1.0)) == 1


def test_videos_are_kept_apart(videos: Path) -> None:
    state = build(videos)
    assert state.validation is not None
    names = [set(clips.names) for clips in (state.train, state.validation, state.test)]
    assert not names[0] & names[1]
    assert not names[0] & names[2]
    assert len(names[0]) + len(names[1]) == 8
    assert len(names[2]) == 6
    assert all(name.startswith("train/") for name in names[0] | names[1])
    assert all(name.startswith("test/") for name in names[2])
    assert build(videos, holdout=0.0).validation is None


def test_every_test_video_counts_by_the_mean_over_its_windows(videos: Path) -> None:
    state = build(videos)
    found, count = video_probabilities(state, state.test)
    network = state.network.module.eval()
    total = 0
    for video in range(6):
        frames = state.test.frames(video)  # (T, 3, 64, 64)
        starts = windows(len(frames), 8, 0.5).tolist()
        assert starts == ([0] if len(frames) == 5 else [0, 4])
        shares = []
        for first in starts:
            numbers = [(first + k) % len(frames) for k in range(8)]
            clip = frames[numbers].float() / 127.5 - 1
            blocks = torch.stack([clip[2 * n : 2 * n + 2].transpose(0, 1) for n in range(4)])
            with torch.no_grad():
                shares.append(network(blocks[None])[0].double().softmax(0))
        total += len(starts)
        torch.testing.assert_close(found[video], torch.stack(shares).mean(0), atol=1e-5, rtol=1e-4)
    assert count == total == 10


def test_windows_of_all_videos_stand_one_after_the_other(videos: Path) -> None:
    clips = build(videos).test
    which, starts = all_windows(clips, 4, 0.5)
    for video, length in enumerate(clips.lengths.tolist()):
        assert torch.equal(starts[which == video], windows(length, 4, 0.5))


def test_figures_say_how_many_videos_were_used(
    videos: Path, pretrained: Path, tmp_path: Path
) -> None:
    run = start(
        RECIPES["action"].recipe(), tiny_action(videos, tmp_path / "run", encoder=str(pretrained))
    )
    found = run.evaluate()
    metrics = {metric.name: metric for metric in found.metrics}
    used = "6, of which 2 with fewer than 8 frames are looped"
    assert f"Videos of test split: {used}." in found.notes
    assert metrics["top1"].protocol["videos"] == used
    digest = run.state.origin.digest
    encoder = f"Encoder: jigsaw at step 2, trained against jigsaw, digest {digest}."
    assert encoder in found.notes
    scratch = start(
        RECIPES["action"].recipe(), tiny_action(videos, tmp_path / "scratch")
    ).evaluate()
    assert "Encoder: random weights." in scratch.notes
    low, high = metrics["top1"].interval or (0, 0)
    bounds = f"Accuracy (top-1): 6 videos leave it between {low:.3f} and {high:.3f} (95 %)"
    assert any(note.startswith(bounds) for note in found.notes)
    protocols = [next(m.protocol for m in e.metrics if m.name == "top1") for e in (found, scratch)]
    assert protocols[0] == protocols[1]  # so that the two may be compared
    assert metrics["top1"].value * 6 == pytest.approx(round(metrics["top1"].value * 6))
    assert metrics["validation_top1"].protocol["split"] == "part of the training split"
    assert "top5" not in metrics  # of 2 classes
    rows = {(m.row, m.column) for m in found.metrics if m.table}
    assert rows == {(a, b) for a in ("left", "right") for b in ("left", "right")}
    assert run.state.network.module.training


@pytest.mark.slow
def test_a_trained_classifier_tells_the_directions_apart(videos: Path, tmp_path: Path) -> None:
    config = tiny_action(
        videos, tmp_path / "run", steps=60, lr=5e-3, dropout=0.0, encoder_dropout=0.0,
        batch_size=8, holdout=0.0, crop_low=1.0, jitter_probability=0.0, first_drop=1.0,
        second_drop=1.0, log_every=10,
    )  # fmt: skip
    run = start(RECIPES["action"].recipe(), config)
    assert run.train()
    losses = [row["loss"] for row in run.folder.log()]
    assert losses[-1] < 0.7 * math.log(2)
    assert (run.folder.samples / "step-00000060.png").is_file()


@pytest.mark.parametrize("frozen", [False, True])
def test_a_resumed_run_is_the_same_run(
    videos: Path, pretrained: Path, tmp_path: Path, frozen: bool
) -> None:
    changes: dict[str, Any] = {"encoder": str(pretrained), "frozen": frozen}
    whole = start(RECIPES["action"].recipe(), tiny_action(videos, tmp_path / "whole", **changes))
    assert whole.train()
    part = start(RECIPES["action"].recipe(), tiny_action(videos, tmp_path / "part", **changes))
    for _ in range(2):
        part._one_step()
    part.save()
    again = resume(RECIPES["action"].recipe(), type(part.config), RunFolder.open(tmp_path / "part"))
    assert again.state.step == 2
    assert again.train()
    mine, expected = (
        load_checkpoint(tmp_path / name / "checkpoints" / "latest")["state"]
        for name in ("part", "whole")
    )
    for key, value in expected["network"].items():
        assert torch.equal(mine["network"][key], value), key
    for index, moments in expected["optimizer"]["state"].items():
        for key, value in moments.items():
            assert torch.equal(mine["optimizer"]["state"][index][key], value), (index, key)


def test_a_run_remembers_the_encoder_it_began_with(videos: Path, tmp_path: Path) -> None:
    encoder = start(RECIPES["dpc"].recipe(), tiny_dpc(videos, tmp_path / "encoder", steps=2))
    assert encoder.train()
    run = start(
        RECIPES["action"].recipe(),
        tiny_action(videos, tmp_path / "run", encoder=str(encoder.folder.path)),
    )
    run.save()
    longer = resume(RECIPES["dpc"].recipe(), type(encoder.config), encoder.folder, steps=4)
    assert longer.train()
    again = resume(RECIPES["action"].recipe(), type(run.config), run.folder)
    assert again.state.origin == run.state.origin
    assert again.state.origin.step == 2
    shutil.rmtree(encoder.folder.path)
    again = resume(RECIPES["action"].recipe(), type(run.config), run.folder)
    assert again.state.origin == run.state.origin
    for name, value in weights(run.state, "encoder").items():
        assert torch.equal(weights(again.state, "encoder")[name], value), name
    assert again.train()


def test_runs_of_another_recipe_or_network_are_refused(
    videos: Path, pretrained: Path, tmp_path: Path
) -> None:
    other = start(RECIPES["action"].recipe(), tiny_action(videos, tmp_path / "other"))
    other.save()
    with pytest.raises(
        CheckpointError, match="is a run of action, which has no encoder of videos; give a run of"
    ):
        build(videos, encoder=str(tmp_path / "other"))
    with pytest.raises(CheckpointError, match=r"is not a run folder: it has no config\.yaml"):
        build(videos, encoder=str(tmp_path / "absent"))
    with pytest.raises(
        ConfigError, match=r"network is resnet34, but the encoder in .* resnet18; l"
    ):
        build(videos, encoder=str(pretrained), network="resnet34")
    with pytest.raises(ConfigError, match=r"width is 16, but the encoder in .* width 8; leave --w"):
        build(videos, encoder=str(pretrained), width=16)


@pytest.mark.parametrize(
    ("origin", "message"),
    [
        (None, "must be a mapping"),
        ({"run": "x"}, "missing 3 required positional arguments"),
        ({"colour": 1}, "unexpected keyword argument 'colour'"),
        ({"run": "x", "negative": "none", "step": "2", "digest": ""}, "step is '2', but a whole"),
    ],
)
def test_a_damaged_origin_is_refused(
    videos: Path, tmp_path: Path, origin: object, message: str
) -> None:
    run = start(RECIPES["action"].recipe(), tiny_action(videos, tmp_path / "run"))
    run.save()
    path = (run.folder.checkpoints / "latest").resolve()
    content = load_checkpoint(path)
    content["state"]["origin"] = origin
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=f"where its encoder comes from .*{message}"):
        resume(RECIPES["action"].recipe(), type(run.config), run.folder)


def test_an_encoder_that_does_not_fit_its_settings_is_refused(videos: Path, tmp_path: Path) -> None:
    run = start(RECIPES["dpc"].recipe(), tiny_dpc(videos, tmp_path / "run"))
    run.save()
    text = run.folder.config_path.read_text().replace("width: 8", "width: 16")
    run.folder.config_path.write_text(text)
    with pytest.raises(CheckpointError, match=r"does not fit its settings .* Restore its config"):
        build(videos, encoder=str(run.folder.path))
    for width in ("40000", "wide"):
        run.folder.config_path.write_text(text.replace("width: 16", f"width: {width}"))
        with pytest.raises(CheckpointError, match=r"Restore it"):
            build(videos, encoder=str(run.folder.path))


def test_videos_without_classes_are_refused(tmp_path: Path) -> None:
    data = write_videos(tmp_path / "videos")
    for split in ("train", "test"):
        for video in (data / split / "right").iterdir():
            for frame in video.iterdir():
                frame.unlink()
            video.rmdir()
        (data / split / "right").rmdir()
    with pytest.raises(DataError, match="has 1 classes of videos; a classifier needs at least 2"):
        build(data)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "width is 0; it must be at least 1"),
        ({"lr": 0.0}, "lr is 0.0; it must be above 0"),
        ({"encoder_lr": 0.0}, "encoder_lr is 0.0; it must be above 0"),
        ({"weight_decay": -1.0}, "weight_decay is -1.0; it must be at least 0"),
        ({"overlap": 1.0}, "overlap is 1.0; it must be at least 0 and below 1"),
        ({"dropout": -0.5}, "dropout is -0.5; it must be at least 0 and below 1"),
        ({"holdout": 0.7}, "holdout is 0.7; at most 0.5 of the training videos can be kept"),
        ({"frozen": True, "encoder_lr": 1e-4}, "but a frozen encoder does not learn; leave out"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tiny_action(Path("unused"), **changes).check()


def test_a_class_without_training_videos_is_refused(videos: Path, tmp_path: Path) -> None:
    for split, names in (("train", ("left/g0", "right/g1", "right/g2")), ("test", ("left/g0",))):
        for name in names:
            shutil.copytree(videos / split / name, tmp_path / "few" / split / name)
    with pytest.raises(
        DataError, match=r"no training video of class 'left' left when --holdout 0\.5"
    ):
        build(tmp_path / "few", holdout=0.5)
    build(tmp_path / "few", holdout=0.0, batch_size=2)
