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


def figure(**changes: str) -> str:
    """An evaluation of one figure, with JSON in place of some of its parts."""
    parts = {"name": '"a"', "title": '"A"', "value": "1", "better": '""', "protocol": "{}"}
    inner = ", ".join(f'"{name}": {text}' for name, text in (parts | changes).items())
    return f'[{{"step": 1, "metrics": [{{{inner}}}]}}]'


def histogram(**changes: str) -> str:
    parts = {"name": '"h"', "title": '"H"', "axis": '"x"', "edges": "[0, 1]"}
    parts |= {"series": '{"a": [1]}', "protocol": "{}"}
    inner = ", ".join(f'"{name}": {text}' for name, text in (parts | changes).items())
    return f'[{{"step": 1, "histograms": [{{{inner}}}]}}]'


def test_the_figures_that_the_damaged_ones_differ_from_are_read(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for text in (figure(), histogram(), figure(interval="[0, 1.5]", protocol='{"n": 3}')):
        run.metrics_path.write_text(text)
        assert [each["step"] for each in run.evaluations()] == [1]


def test_values_of_the_log_that_are_no_numbers_are_left_out(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.log_path.write_text('{"step": 1, "a": NaN, "b": 1e999, "c": 1' + "0" * 400 + ', "d": 2}')
    assert run.log() == [{"step": 1, "d": 2}]


NO_ROWS = [
    '{"step": 1',
    "[1]",
    '{"loss": 1.0}',
    '{"step": true}',
    '{"step": 2, "loss": "x"}',
    "[" * 3000,
    '{"step": -1, "loss": 1.0}',
    '{"step": 1' + "0" * 400 + "}",
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
        '{"step": 1}',
        '[{"step": -1}]',
        '[{"step": "1"}]',
        '[{"step": 1, "notes": [7]}]',
        figure(value="high"),
        figure(value="1" + "0" * 400),
        figure(value="NaN"),
        figure(protocol='{"a": {"b": 1}}'),
        figure(interval="[1]"),
        figure(interval='"ab"'),
        figure(row="null"),
        histogram(edges='"q"'),
        histogram(edges="[]"),
        histogram(edges="[0, 1, 2]"),
        histogram(series='{"a": [null]}'),
        histogram(protocol="[]"),
    ],
    ids=lambda text: text[:90],
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
