"""What is there already is written over by no verb, unless `--overwrite` is given."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from nda.cli import main
from nda.commands.parser import parse
from tests.support.processes import PATIENCE

# Words of every verb that writes where it is told, or by default into the folder it is called in;
# the option, and the place.
PLACES = [
    (["preview", "photos"], "out", "negatives.png"),
    (["check", "photos"], "out", "check.html"),
    (["check", "photos"], "json", "mine.json"),
    (["probe", "torchvision:resnet18", "photos"], "out", "probe.html"),
    (["probe", "torchvision:resnet18", "photos"], "json", "mine.json"),
    (["score", "detector.safetensors", "photos"], "out", "scores.csv"),
    (["score", "detector.safetensors", "photos"], "html", "mine.html"),
    (["score", "detector.safetensors", "photos"], "heatmaps", "full"),
    (["sample", "run"], "out", "samples.png"),
    (["sample", "run"], "out", "full"),
    (["sample", "run", "photos"], "out", "full"),
    (["compare", "run", "run"], "out", "comparison.html"),
    (["export", "detector.safetensors"], "out", "mine.onnx"),
    (["data", "dots"], "out", "mine.zip"),
    (["data", "clevr"], "out", "mine.zip"),
    (["data", "shard", "photos"], "out", "full"),
]
# Their options, and those of verbs that write into a run's folder alone.
OPTIONS = {
    "preview": "PreviewOptions", "check": "CheckOptions", "probe": "ProbeOptions",
    "score": "ScoreOptions", "run": "SampleOptions", "pages": "CompareOptions",
    "export": "ExportOptions", "data_kinds.dots": "DotsOptions",
    "data_kinds.clevr": "ClevrOptions", "data_kinds.shard": "ShardOptions",
}  # fmt: skip
PNG = b"\x89PNG"
BEFORE_TORCH = """
import sys
from nda.cli import main
for words in {words!r}:
    assert main(words) == 2, words
    for slow in ("torch", "numpy", "lightning_fabric", "matplotlib"):
        assert slow not in sys.modules, (slow, words)
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that has all of them already."""
    monkeypatch.chdir(tmp_path)
    for folder in ("photos", "run", "full"):
        Path(folder).mkdir()
    Path("run/config.yaml").write_text("recipe: gan\n")
    for name in ("detector.safetensors", "full/a.txt", *(p for _, _, p in PLACES if p != "full")):
        Path(name).write_text("mine")
    return tmp_path


def test_every_verb_refuses_before_torch_is_imported_and_keeps_what_is_there(here: Path) -> None:
    words = [[*verb, f"--{option}", place] for verb, option, place in PLACES]
    new = {"json": "new.html", "html": "new.csv", "heatmaps": "new.csv"}  # the other places
    for typed, (_, option, _) in zip(words, PLACES, strict=True):
        typed.extend(["--out", new[option]] if option in new else [])
    words += [verb for verb, option, place in PLACES if option == "out" and Path(place).stem in
              {"negatives", "check", "probe", "scores", "samples", "comparison"}]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", BEFORE_TORCH.format(words=words)],
        capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=here,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    said = done.stderr.splitlines()
    assert len(said) == len(words)
    wanted = [(option, place) for _, option, place in PLACES]
    for line, (option, place) in zip(said, wanted, strict=False):
        assert line == (
            f"nda: --{option} {place} exists already and would be lost; give another --{option}, "
            "or --overwrite."
        )
    assert all(" exists already and would be lost" in line for line in said)
    assert all(Path(p).read_text() == "mine" for _, _, p in PLACES if p != "full")


@pytest.mark.parametrize("module", OPTIONS)
def test_every_such_verb_explains_the_flag_alike(
    module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    verb = importlib.import_module(f"nda.commands.verbs.{module}")
    options = getattr(verb, OPTIONS[module])
    with pytest.raises(SystemExit):
        parse(["--help"], options, command=module)
    assert "replace files that are there" in " ".join(capsys.readouterr().out.split())


def test_a_picture_is_replaced_where_that_is_asked_for(image_folder: Path, here: Path) -> None:
    assert main(["preview", str(image_folder), "--count", "2", "--overwrite"]) == 0
    assert Path("negatives.png").read_bytes().startswith(PNG)


def test_samples_and_pages_are_replaced_where_that_is_asked_for(
    finished: Path, copy: Path, here: Path
) -> None:
    assert main(["sample", str(finished), "--count", "2", "--overwrite"]) == 0
    assert Path("samples.png").read_bytes().startswith(PNG)
    assert main(["sample", str(finished), "--count", "2", "--out", "full", "--overwrite"]) == 0
    assert sorted(p.name for p in Path("full").iterdir()) == ["000000.png", "000001.png", "a.txt"]
    assert main(["compare", str(finished), str(copy), "--overwrite"]) == 0
    assert "<html" in Path("comparison.html").read_text()


def test_translations_never_replace_what_is_translated(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("some").mkdir()
    Image.new("RGB", (8, 8)).save("some/a.png")
    assert main(["sample", "run", "some", "--out", "some", "--overwrite"]) == 2
    assert "--out some lies within some" in capsys.readouterr().err
    assert main(["sample", "run", "some/a.png", "--out", "some", "--overwrite"]) == 2
    assert "whose translation has the same name" in capsys.readouterr().err
