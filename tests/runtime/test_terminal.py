"""What reaches the terminal: names that hold orders to it are shown, and rich keeps its own."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from rich.table import Table

from nda.cli import main
from nda.runtime.console import console
from nda.runtime.terminal import plain_output, shown

NASTY = "a\x1b[2J\x07\x9b31m\r\u202egnp.b\x7f[red]:smile:[/]"
SPELLED = r"a\x1b[2J\x07\x9b31m\r\u202egnp.b\x7f[red]:smile:[/]"


def test_orders_are_spelled_out_and_text_stays() -> None:
    assert shown(NASTY) == SPELLED
    assert shown("caf\udce9") == r"caf\udce9"
    plain = "ü λ × 日本\n\tend 'x' \\x1b"
    assert shown(plain) == plain


def test_prints_and_tables_show_names_as_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with plain_output():
        print(NASTY)
        print(NASTY, file=sys.stderr)
        out = console()
        out.print(NASTY)
        table = Table(title=NASTY, caption=NASTY)
        table.add_column(NASTY)
        table.add_row(NASTY)
        out.print(table)
    captured = capsys.readouterr()
    assert captured.out.count(SPELLED) == 6
    assert captured.err == SPELLED + "\n"
    assert not set(captured.out) & set("\x1b\x07\x9b\r\u202e\x7f")


def test_the_streams_are_as_before_afterwards() -> None:
    before = sys.stdout, sys.stderr
    with pytest.raises(KeyboardInterrupt), plain_output():
        raise KeyboardInterrupt
    assert (sys.stdout, sys.stderr) == before


def test_what_an_encoding_lacks_is_spelled_out(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(file, encoding="ascii"))
    with plain_output():
        print("λ caf\udce9")
        sys.stdout.flush()
    assert file.getvalue() == b"\\u03bb caf\\udce9\n"


@pytest.mark.parametrize(
    "words",
    [
        ["{}"],
        ["preview", "{}"],
        ["preview", ".", "--out", "{}"],
        ["preview", ".", "--negatives", "{}"],
        ["train", "{}"],
        ["train", "gan", "--data", "{}", "--out", "run"],
        ["train", "gan", "--config", "{}"],
        ["train", "gan", "--{}", "1"],
        ["resume", "{}"],
        ["evaluate", "{}"],
        ["score", "{}", "."],
        ["sample", "{}"],
        ["report", "{}"],
        ["compare", "{}", "{}"],
        ["export", "{}"],
        ["probe", "{}", "."],
    ],
)
def test_no_error_sends_what_was_typed_to_the_terminal(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main([word.replace("{}", "x\x1b[2J\ny") for word in words]) == 2
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out + captured.err
    assert captured.err.count("\n") == 1
