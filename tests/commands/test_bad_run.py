"""Runs that cannot be taken up again: one sentence, exit code 2, and the run stays as it was."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from nda.cli import main
from nda.training.checkpoint import load_checkpoint
from nda.training.run_folder import RunFolder
from tests.support.tiny_run import train

Refusal = Callable[[list[str]], str]


class Trap:
    """Unpickled, it makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.target,)


def test_a_folder_that_holds_a_run(image_folder: Path, copy: Path, refusal: Refusal) -> None:
    before = (copy / "log.jsonl").read_bytes()
    said = refusal(train(image_folder, copy))
    assert f"{copy} already holds a run. Continue it with 'nda resume {copy}'" in said
    assert (copy / "log.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 3}, "width is 3 in"),
        ({"negative": "stitch"}, "negative is 'stitch' in"),
        ({"width": "wide"}, "config.yaml is not as nda wrote it"),
        ({"widht": 2}, "has a setting 'widht' that this version of nda does not know"),
        ({"network": "biggan", "conditional": True}, "network is 'biggan' in"),
    ],
    ids=str,
)
def test_changed_settings(
    copy: Path,
    refusal: Refusal,
    changes: dict[str, object],
    message: str,
) -> None:
    settings = RunFolder.open(copy).config()
    (copy / "config.yaml").write_text(yaml.safe_dump(settings | changes))
    before = (copy / "log.jsonl").read_bytes()
    assert message in refusal(["resume", str(copy), "--steps", "9"])
    assert (copy / "log.jsonl").read_bytes() == before


def test_changed_data(image_folder: Path, tmp_path: Path, refusal: Refusal) -> None:
    data = shutil.copytree(image_folder, tmp_path / "images")
    assert main(train(data, tmp_path / "run", steps="1")) == 0
    with Image.open(data / "train" / "dark" / "000.png") as image:
        image.rotate(90).save(data / "train" / "dark" / "000.png")
    said = refusal(["resume", str(tmp_path / "run"), "--steps", "2"])
    assert f"The data at {data} is not what {tmp_path / 'run'} was trained on" in said


def test_data_that_went_away(copy: Path, refusal: Refusal) -> None:
    settings = RunFolder.open(copy).config()
    (copy / "config.yaml").write_text(yaml.safe_dump(settings | {"data": "/no/such/place"}))
    said = refusal(["evaluate", str(copy)])
    assert "There is no /no/such/place." in said
    assert said.endswith(f" If it has moved: nda resume {copy} --data ITS_NEW_PLACE\n")
    assert main(["sample", str(copy), "--out", str(copy / "drawn.png")]) == 0


def test_data_that_moved(image_folder: Path, copy: Path, tmp_path: Path, refusal: Refusal) -> None:
    moved = shutil.copytree(image_folder, tmp_path / "moved")
    assert main(["evaluate", str(copy), "--data", str(moved)]) == 0
    assert RunFolder.open(copy).config()["data"] == str(moved)
    moved.rename(tmp_path / "again")
    assert main(["resume", str(copy), "--steps", "5", "--data", str(tmp_path / "again")]) == 0
    assert RunFolder.open(copy).config()["data"] == str(tmp_path / "again")
    (tmp_path / "again" / "train" / "dark" / "000.png").unlink()
    assert "is not what" in refusal(["evaluate", str(copy), "--data", str(tmp_path / "again")])


def test_a_damaged_checkpoint_is_passed_over_and_that_is_said(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], refusal: Refusal
) -> None:
    newest = (copy / "checkpoints" / "latest").resolve()
    whole = newest.read_bytes()
    newest.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    said = f"nda: {newest} is damaged; the checkpoint before it is taken in its place, of step 2.\n"
    assert main(["sample", str(copy), "--out", str(tmp_path / "drawn.png")]) == 0
    assert said in capsys.readouterr().err
    assert main(["resume", str(copy)]) == 0
    assert said in capsys.readouterr().err
    assert main(["sample", str(copy), "--out", str(tmp_path / "again.png")]) == 0
    assert capsys.readouterr().err == ""
    assert load_checkpoint(newest)["step"] == 4  # what was lost has been trained again

    for each in (copy / "checkpoints").glob("step-*.pt"):
        each.write_bytes(each.read_bytes()[:2000])
    said = refusal(["resume", str(copy), "--steps", "9"])
    assert f"{newest} is damaged or cut short (its end is not that of an archive)." in said


def test_a_checkpoint_with_code(copy: Path, tmp_path: Path, refusal: Refusal) -> None:
    torch.save(Trap(tmp_path / "trapped"), (copy / "checkpoints" / "latest").resolve())
    for words in (["resume", str(copy), "--steps", "9"], ["sample", str(copy)]):
        assert "holds pickled code, which is never run" in refusal(words)
    assert not (tmp_path / "trapped").exists()


def test_a_run_cut_off_before_its_first_checkpoint_begins_again(
    finished: Path, copy: Path, refusal: Refusal
) -> None:
    for path in copy.iterdir():
        if path.name != "config.yaml":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert "holds no checkpoint yet" in refusal(["evaluate", str(copy)])
    assert main(["resume", str(copy)]) == 0
    weights = [load_checkpoint(run / "checkpoints/latest")["state"] for run in (finished, copy)]
    assert str(weights[0]) == str(weights[1])


def test_no_checkpoint(copy: Path, refusal: Refusal) -> None:
    shutil.rmtree(copy / "checkpoints")
    assert "holds no checkpoint yet" in refusal(["resume", str(copy)])
