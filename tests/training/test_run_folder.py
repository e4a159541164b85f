"""What is read back from a run folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from nda.errors import CheckpointError
from nda.training.run_folder import RunFolder


def test_a_folder_without_settings_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"is not a run folder: it has no config\.yaml"):
        RunFolder.open(tmp_path)
    with pytest.raises(CheckpointError, match="nowhere is not a run folder"):
        RunFolder.open(tmp_path / "nowhere")


@pytest.mark.parametrize("text", [b"steps: [1, 2", b"\xff\xfe\x00", b"a: b: c"])
def test_settings_that_are_no_yaml_are_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "config.yaml").write_bytes(text)
    with pytest.raises(CheckpointError, match=r"config\.yaml is not readable YAML"):
        RunFolder.open(tmp_path).config()


@pytest.mark.parametrize("text", ["", "- gan\n", "steps: 10\n"])
def test_settings_without_a_recipe_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(CheckpointError, match="does not name its recipe"):
        RunFolder.open(tmp_path).config()


def test_settings_never_run_code(tmp_path: Path) -> None:
    target = tmp_path / "made-by-yaml"
    code = f"recipe: !!python/object/apply:pathlib.Path.touch [!!python/name:x '{target}']\n"
    (tmp_path / "config.yaml").write_text(code)
    with pytest.raises(CheckpointError, match="not readable YAML"):
        RunFolder.open(tmp_path).config()
    assert not target.exists()


def test_a_row_cut_short_is_left_out_of_the_log(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.log() == []
    folder.log_path.write_text('{"step": 1, "loss": 0.5}\n{"step": 2, "lo')
    assert folder.log() == [{"step": 1, "loss": 0.5}]


def test_evaluations_are_kept_by_step(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.evaluations() == []
    for step, value in ((20, 1.0), (10, 2.0), (20, 3.0)):
        folder.save_evaluation({"step": step, "value": value})
    assert folder.evaluations() == [{"step": 10, "value": 2.0}, {"step": 20, "value": 3.0}]


NO_ROWS = [
    '{"step": 1',
    "[1]",
    '{"loss": 1.0}',
    '{"step": true}',
    '{"step": 2, "loss": "x"}',
    "[" * 3000,
]


@pytest.mark.parametrize("line", NO_ROWS, ids=lambda line: line[:24])
def test_rows_that_are_none_are_left_out(tmp_path: Path, line: str) -> None:
    run = RunFolder(tmp_path)
    run.log_path.write_bytes(f'{{"step": 3}}\n{line}\n'.encode() + b'\xff\n{"step": 4}\n')
    assert [row["step"] for row in run.log()] == [3, 4]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[{",
        "7",
        "[7]",
        '[{"metrics": []}]',
        '[{"step": 1, "metrics": [{"name": "a"}]}]',
        "[" * 3000,
    ],
    ids=lambda text: text[:24],
)
def test_damaged_figures_stop_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    run = RunFolder(tmp_path)
    run.metrics_path.write_text(text)
    assert run.evaluations() == run.evaluations() == []
    said = capsys.readouterr().err
    assert said.startswith(f"nda: {run.metrics_path} is damaged (")
    assert said.count("measures anew") == 1
    run.save_evaluation({"step": 4, "metrics": []})
    assert [each["step"] for each in run.evaluations()] == [4]
    assert (tmp_path / "metrics.json.damaged").read_text() == text


@pytest.mark.parametrize("text", ["[" * 3000, "recipe: gan\n1: 2\n", "recipe: [gan]\n", "\x00"])
def test_damaged_settings_are_refused(tmp_path: Path, text: str) -> None:
    run = RunFolder(tmp_path)
    run.config_path.write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.yaml .*Restore it"):
        run.config()
