"""`nda evaluate RUN --ood ...`: what it prints, keeps and refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from nda.cli import main
from nda.recipes import RECIPES, Entry
from nda.training.run_folder import RunFolder
from tests.conftest import write_split

Refusal = Callable[[list[str]], str]


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets: big pictures of 48 pixels, and small ones of 32."""
    folder = tmp_path_factory.mktemp("sets")
    write_split(folder / "big", 6, size=48)
    write_split(folder / "small" / "test", 4)
    return folder


def figures(run: Path) -> dict[str, float]:
    (evaluation,) = RunFolder.open(run).evaluations()
    return {metric["name"]: metric["value"] for metric in evaluation["metrics"]}


def test_a_table_a_set_is_printed_and_kept(
    copy: Path, sets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = figures(copy)
    words = ["evaluate", str(copy), "--ood", f"big={sets / 'big'}", f"small={sets / 'small'}"]
    assert main(words) == 0
    out = " ".join(capsys.readouterr().out.split())
    for title in (
        "Out-of-distribution big: 12 against 20 images, base rate 0.375",
        "Out-of-distribution small: 8 against 20 images, base rate 0.286",
    ):
        assert title in out
    for row in ("this discriminator", "its structure head", "MSP", "energy", "kNN"):
        assert out.count(f"│ {row} ") == 2
    assert out.count("in all tables: ") == 1
    assert "compression: every image, those of the data too, through one JPEG pass" in out
    assert "size: 48 x 48 and the like, resized and centre-cropped to 32 x 32" in out
    assert "Fréchet" not in out  # measured before, and not again
    after = figures(copy)
    assert before.items() < after.items()
    assert len(after) == len(before) + 2 * 5 * 4  # sets, scores and figures
    page = (copy / "report.html").read_text()
    assert "Out-of-distribution big" in page
    assert "Discriminator on held-out images and on small" in page


def test_figures_of_outliers_outlast_other_evaluations(
    copy: Path, sets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(copy), "--ood", f"small={sets / 'small'}"]) == 0
    first = json.loads((copy / "metrics.json").read_text())
    assert main(["evaluate", str(copy)]) == 0
    assert json.loads((copy / "metrics.json").read_text()) == first
    assert "kept as it was: Out-of-distribution small" in capsys.readouterr().out
    # Another set is added, and the same set measured otherwise takes the place of its figures.
    assert main(["evaluate", str(copy), "--ood", f"big={sets / 'big'}", "--ood_samples", "5"]) == 0
    assert (
        main(["evaluate", str(copy), "--ood", f"small={sets / 'small'}", "--ood_samples", "5"]) == 0
    )
    (evaluation,) = json.loads((copy / "metrics.json").read_text())
    names = [metric["name"] for metric in evaluation["metrics"]]
    assert len(names) == len(set(names))
    titles = {metric["table"] for metric in evaluation["metrics"]} - {""}
    assert sorted(title.split(",")[0] for title in titles) == [
        "Out-of-distribution big: 5 against 5 images",
        "Out-of-distribution small: 5 against 5 images",
    ]


def test_a_run_that_was_never_measured_gets_all_figures(copy: Path, sets: Path) -> None:
    (copy / "metrics.json").unlink()
    assert main(["evaluate", str(copy), "--ood", f"small={sets / 'small'}"]) == 0
    found = figures(copy)
    assert "classifier_frechet" in found
    assert "ood_small_discriminator_auroc" in found


def test_shared_images_are_warned_of(
    copy: Path, image_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(copy), "--ood", f"itself={image_folder}"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "warning: 0 of its 20 images are training images of this run and 20 are held-out" in out
    assert "this set is the data itself" in (copy / "report.html").read_text()


@pytest.mark.slow
def test_corruptions_are_measured_at_every_severity(
    copy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert main(["evaluate", str(copy), "--corruptions", "--ood_samples", "4"]) == 0
    found = figures(copy)
    areas = [name for name in found if name.startswith("corrupted_") and name.endswith("_auroc")]
    # The discriminator at five severities, four others at one; and their means.
    assert len(areas) == (19 + 1) * (5 + 1 + 3)
    out = capsys.readouterr().out
    assert "Corrupted images against clean ones (made here): AUROC" in out
    assert "mean of 19" in out
    assert "gaussian noise" in out
    assert main(["report", str(copy)]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--ood", "digits.zip"], "--ood is 'digits.zip'; give a name and a folder, .zip or "
         "torchvision:NAME, such as digits=digits.zip."),
        (["--ood", "a=.", "--ood", "a=.."], "--ood names two sets 'a': . and .."),
        (["--ood", "a=nowhere.zip"], "--ood a: There is no nowhere.zip."),
        (["--corruptions", "nowhere"], "There is no nowhere. Check the path."),
        (["--corruptions", "src"], "gaussian_noise.npy"),
        (["--ood_samples", "9"], "--ood_samples and --ood_jpeg belong to --ood or --corruptions, "
         "and neither is given. Name a set with --ood NAME=PATH."),
        (["--ood_jpeg", "0"], "--ood_samples and --ood_jpeg belong to --ood or --corruptions"),
        (["--ood", "a=.", "--ood_samples", "1"], "ood_samples is 1; it must be at least 2."),
        (["--ood", "a=.", "--ood_jpeg", "99"], "ood_jpeg is 99; it must lie between 1 and 95, or "
         "be 0 for no pass."),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence(
    words: list[str], message: str, finished: Path, refusal: Refusal
) -> None:
    before = (finished / "metrics.json").read_text()
    assert message in refusal(["evaluate", str(finished), *words])
    assert (finished / "metrics.json").read_text() == before


def test_a_recipe_without_a_detector(
    copy: Path, refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RECIPES, "counts", Entry("", "somewhere", "Config"))
    settings = yaml.safe_load((copy / "config.yaml").read_text())
    (copy / "config.yaml").write_text(yaml.safe_dump(settings | {"recipe": "counts"}))
    said = refusal(["evaluate", str(copy), "--ood", "a=."])
    assert said == (
        f"nda: {copy} is a run of counts; --ood and --corruptions measure the discriminator "
        "of a run of gan. Give such a run.\n"
    )
