"""`nda probe`: a run's discriminator and torchvision's encoders, end to end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torchvision import models

from nda.api.media import within
from nda.api.runs.work import open_run
from nda.cli import main
from nda.data.images.load import load_images
from nda.evaluation.fidelity.gap import discriminator_gap
from nda.evaluation.shortcuts.audit import shortcut_audit
from nda.negatives import negative_from_name
from nda.runtime.seeding import generator_for
from tests.conftest import write_split
from tests.support.tiny_run import train

Refusal = Callable[[list[str]], str]
SMALL = "torchvision:shufflenet_v2_x0_5"
ENCODER = [SMALL, "--input_size", "32"]


class Trap:
    """Unpickled, it makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.target,)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's default place is the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


def probe(model: Path | str, images: Path, *words: str) -> dict[str, Any]:
    """Probe, and give what was written to the JSON file."""
    command = ["probe", str(model), str(images), "--out", "probe.html", "--json", "figures.json"]
    command += ["--overwrite", *words]
    assert main(command) == 0
    content: dict[str, Any] = json.loads(Path("figures.json").read_text())
    return content


def figures(content: dict[str, Any]) -> dict[str, float]:
    return {metric["name"]: metric["value"] for metric in content["metrics"]}


def test_a_run(finished: Path, image_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = probe(finished, image_folder, "--device", "cpu")
    out = capsys.readouterr().out
    what = (
        "run (GAN on images, negative jigsaw:seam=feather) at step 4, on 20 images of images, test"
    )
    assert what in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 80
    names = ("jigsaw", "stitch", "cutout", "cutmix", "mixup")
    for name in (*names, "horizontal_flip", "random_crop", "gaussian_noise"):
        assert f"\n {name.replace('_', ' ')} " in out
        assert f"gap_{name}" in figures(found)
    assert found["not_measured"] == {}
    audit, head = found["audits"]
    assert (audit["output"], head["output"]) == ("discriminator", "structure head")
    assert audit["images"] == 20
    assert audit["compared"]["jigsaw"].keys() >= {"gap", "gap_interval", "above", "above_interval"}
    assert audit["sentence"] in " ".join(out.split())
    assert found["command"].startswith(f"nda probe {finished} {image_folder} --out")
    page = Path("probe.html").read_text()
    assert "does its discriminator see global structure?" in page
    assert page.index(audit["sentence"]) < page.index("rolled by 5 rows") < page.index("Figures")
    assert page.count("<svg") == 8
    assert "data:image/png;base64," in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_structure_head_is_audited_by_itself(image_folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "headed"
    changes = {"structure_head": "1", "negative": "jigsaw:seam=feather", "width": "4"}
    assert main(train(image_folder, run, **changes)) == 0
    found = probe(run, image_folder, "--negatives", "jigsaw")
    assert [audit["output"] for audit in found["audits"]] == ["discriminator", "structure head"]
    network = open_run(str(run), device="cpu").state.discriminator.module.eval()
    heldout = load_images(image_folder, split="test")
    order = torch.randperm(20, generator=generator_for(0, purpose="probe images"))
    expected = shortcut_audit(
        lambda x, _: network(x, structure=True)[1],
        heldout.images[order],
        torch.zeros(20, dtype=torch.int64),
        generator=generator_for(0, purpose="audit"),
    )
    gap = found["audits"][1]["compared"]["upside down"]["gap"]
    assert gap == pytest.approx(expected.compared["upside down"].gap, abs=1e-6)


def test_the_gap_is_that_of_the_run_itself(finished: Path, image_folder: Path) -> None:
    """The network read from the checkpoint alone scores as the run that is opened with its data."""
    found = probe(finished, image_folder, "--negatives", "stitch,jigsaw:grid=4", "--seed", "3")
    run = open_run(str(finished), device="cpu")
    heldout = load_images(image_folder, split="test")
    order = torch.randperm(20, generator=generator_for(3, purpose="probe images"))
    for name in ("stitch", "jigsaw:grid=4"):
        expected, _ = discriminator_gap(
            run.state.discriminator.module.eval(),
            heldout.images[order],
            torch.zeros(20, dtype=torch.int64),
            negative_from_name(name),
            negative_name=name,
            generator=generator_for(3, purpose="probe"),
            protocol={},
        )
        for metric in expected:
            assert figures(found)[metric.name] == pytest.approx(metric.value, abs=1e-6)


def test_a_run_needs_no_data_of_its_own(copy: Path, image_folder: Path) -> None:
    settings = yaml.safe_load((copy / "config.yaml").read_text())
    (copy / "config.yaml").write_text(yaml.safe_dump(settings | {"data": "/no/such/place"}))
    before = sorted(copy.rglob("*"))
    assert probe(copy, image_folder, "--count", "6")["protocol"]["images"] == 6
    assert sorted(copy.rglob("*")) == before


def test_images_of_another_size_are_resized_with_a_notice(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_split(tmp_path / "odd", 4, size=33)
    found = probe(finished, tmp_path / "odd", "--negatives", "jigsaw")
    (note,) = found["notes"]
    assert note.startswith("The images are 33 pixels wide and were resized to 32")
    assert " ".join(capsys.readouterr().out.split()).count(note) == 1
    assert note in Path("probe.html").read_text()


def test_the_runs_own_training_images_are_told(finished: Path, image_folder: Path) -> None:
    found = probe(finished, image_folder, "--split", "train", "--count", "8")
    assert found["notes"][0].startswith("The run was trained on images of this data.")
    assert found["protocol"]["split"] == "train"


@pytest.mark.slow
def test_a_conditional_run(image_folder: Path, tmp_path: Path, refusal: Refusal) -> None:
    run = tmp_path / "conditional"
    changes = {"conditional": "true", "network": "biggan", "width": "4", "steps": "1"}
    assert main(train(image_folder, run, **changes)) == 0
    # Dark images under the labels of light ones and the other way round are other images to it.
    shutil.copytree(image_folder / "test" / "dark", tmp_path / "turned" / "light")
    shutil.copytree(image_folder / "test" / "light", tmp_path / "turned" / "dark")
    right = probe(run, image_folder, "--negatives", "jigsaw")
    turned = probe(run, tmp_path / "turned", "--negatives", "jigsaw")
    edges = [found["histograms"][0]["edges"] for found in (right, turned)]
    assert edges[0] != edges[1]
    shutil.rmtree(tmp_path / "turned" / "dark")
    assert "is conditional on 2 classes, and" in refusal(
        ["probe", str(run), "turned", "--overwrite"]
    )


def test_an_encoder(image_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = probe(*encoder(image_folder))
    out = capsys.readouterr().out
    assert "note: No weights were given, so shufflenet_v2_x0_5 has random ones (seed 0)" in out
    assert max(map(len, out.splitlines())) <= 80
    assert "\n another view " in out
    assert "\n another image " in out
    values = figures(found)
    assert values["distance_jigsaw"] > 0
    assert values["cosine_gaussian_noise"] <= 1
    assert found["protocol"]["weights"] == "random, seed 0"
    assert found["protocol"]["input_size"] == 32
    page = Path("probe.html").read_text()
    assert "do its features see global structure?" in page
    assert page.count("<svg") == 8


def encoder(images: Path) -> tuple[str, Path, str, str]:
    return ENCODER[0], images, ENCODER[1], ENCODER[2]


def test_the_seed_decides(image_folder: Path) -> None:
    one, same, other = (
        figures(probe(*encoder(image_folder), "--seed", seed, "--negatives", "mixup"))
        for seed in ("1", "1", "2")
    )
    assert one == same != other


def test_an_encoder_with_weights(image_folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(7)
    weights = models.get_model("shufflenet_v2_x0_5").state_dict()
    torch.save(weights, tmp_path / "weights.pth")
    found = probe(f"{SMALL}:weights.pth", image_folder, "--negatives", "jigsaw")
    assert found["protocol"]["weights"].startswith("weights.pth, sha256 ")
    assert found["protocol"]["input_size"] == 112
    assert "sees the images at 112 pixels" in found["notes"][0]
    given = ("--negatives", "jigsaw", "--input_size", "32")
    assert probe(f"{SMALL}:weights.pth", image_folder, *given)["notes"] == []


def test_a_negative_that_does_not_fit_has_a_row_that_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_split(tmp_path / "odd", 4, size=33)
    found = probe(*encoder(tmp_path / "odd"), "--negatives", "jigsaw,cutout")
    assert list(found["not_measured"]) == ["jigsaw"]
    reason = found["not_measured"]["jigsaw"]
    assert reason.startswith("jigsaw cannot cut images of 33 x 33 (height x width)")
    out = capsys.readouterr().out
    assert "\n jigsaw " in out
    assert f"jigsaw was not measured: {reason}" in " ".join(out.split())
    assert f"not measured: {reason}" in Path("probe.html").read_text()
    assert {name for name in figures(found) if "jigsaw" in name} == set()


def test_broken_images_are_left_out_and_counted(tmp_path: Path) -> None:
    write_split(tmp_path / "some", 4)
    (tmp_path / "some" / "dark" / "broken.png").write_text("no image")
    found = probe(*encoder(tmp_path / "some"), "--skip-broken", "--negatives", "mixup")
    assert found["notes"][0] == "1 image could not be read and was left out."


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["torchvision:resnt18"], "no classification network 'resnt18'; did you mean 'resnet18'?"),
        ([f"{SMALL}:none.pth"], "There is no weights file none.pth."),
        (["resnet18"], "There is no run resnet18; did you mean torchvision:resnet18?"),
        (["no/such/run"], "no/such/run is not a run folder: it has no config.yaml."),
        ([SMALL, "--input_size", "8"], "input_size is 8; these networks need at least 32"),
        ([SMALL, "--count", "3"], "count is 3; it must be at least 4."),
        ([SMALL, "--seed", "-1"], "seed is -1; it must be at least 0."),
        ([SMALL, "--out", "page.pdf"], "--out page.pdf must end in .html."),
        ([SMALL, "--json", "page.html"], "--json page.html must end in .json."),
        ([SMALL, "--negatives", "jigsaw,stich"], "no negative 'stich'; did you mean 'stitch'"),
        ([SMALL, "--negatives", "jigsaw:grid=5"], "32 x 32 (height x width) into a grid of 5"),
        ([SMALL, "--split", "tset"], "has no split 'tset'. Choose one that exists: train, test."),
        ([SMALL, "--classes", "ligth"], "has no class 'ligth'. Did you mean 'light'?"),
        ([SMALL, "--device", "gpu"], "--device gpu is not known; give auto, cpu, cuda"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_refused(
    image_folder: Path, tmp_path: Path, refusal: Refusal, words: list[str], message: str
) -> None:
    model, *others = words
    assert message in refusal(["probe", model, str(image_folder), *others])
    assert not list(tmp_path.iterdir())


def test_images_that_are_not_there(finished: Path, tmp_path: Path, refusal: Refusal) -> None:
    said = refusal(["probe", str(finished), str(tmp_path / "imagse")])
    assert f"There is no {tmp_path / 'imagse'}." in said


def test_weights_with_code(image_folder: Path, tmp_path: Path, refusal: Refusal) -> None:
    torch.save({"fc.weight": Trap(tmp_path / "trapped")}, "weights.pth")
    said = refusal(["probe", f"{SMALL}:weights.pth", str(image_folder)])
    assert "holds pickled code, which is never run" in said
    assert not (tmp_path / "trapped").exists()


def test_weights_with_other_names(image_folder: Path, refusal: Refusal) -> None:
    torch.save({"encoder.weight": torch.zeros(2)}, "weights.pth")
    said = refusal(["probe", f"{SMALL}:weights.pth", str(image_folder)])
    assert "1 unexpected (encoder.weight)" in said


def test_a_run_without_checkpoint(copy: Path, image_folder: Path, refusal: Refusal) -> None:
    shutil.rmtree(copy / "checkpoints")
    assert "holds no checkpoint yet" in refusal(["probe", str(copy), str(image_folder)])


def test_a_checkpoint_with_code(copy: Path, image_folder: Path, refusal: Refusal) -> None:
    torch.save(Trap(copy / "trapped"), (copy / "checkpoints" / "latest").resolve())
    said = refusal(["probe", str(copy), str(image_folder)])
    assert "holds pickled code, which is never run" in said
    assert not (copy / "trapped").exists()


def test_a_run_of_another_recipe(copy: Path, image_folder: Path, refusal: Refusal) -> None:
    (copy / "config.yaml").write_text("recipe: pix2pix\n")
    said = refusal(["probe", str(copy), str(image_folder)])
    assert f"{copy} is a run of pix2pix, which cannot be probed; give a run of gan or anom" in said


def test_the_input_size_of_a_run(finished: Path, image_folder: Path, refusal: Refusal) -> None:
    said = refusal(["probe", str(finished), str(image_folder), "--input_size", "64"])
    assert "input_size is 64, but" in said
    assert "is a run, whose discriminator takes images of one size" in said


@pytest.mark.parametrize(
    ("model", "words", "expected"),
    [
        (
            "torchvision:resnet81",
            [],
            "no classification network 'resnet81'; did you mean",
        ),
        ("torchvision:resnet18:gone.pth", [], "There is no weights file gone.pth"),
        ("torchvision:resnet18", ["--out", "page"], "--out page must end in .html"),
        ("torchvision:resnet18", ["--json", "page"], "--json page must end in .json"),
        ("torchvision:resnet18", ["--count", "3"], "count is 3; it must be at least 4"),
        ("torchvision:resnet18", ["--input_size", "16"], "input_size is 16; these networks need"),
        ("torchvision:resnet18", ["--negatives", "jigsaw:grid=7"], "jigsaw cannot cut images"),
        ("nowhere", [], "nowhere is not a run folder"),
    ],
)
def test_wrong_uses_are_refused(
    image_folder: Path, refusal: Refusal, model: str, words: list[str], expected: str
) -> None:
    assert expected in refusal(["probe", model, str(image_folder), *words])


def test_a_set_of_torchvision_lies_in_no_folder() -> None:
    assert within("torchvision:CIFAR10", "torchvision:CIFAR10")
    assert not within(".", "torchvision:CIFAR10")
    assert not within("torchvision:CIFAR100", "torchvision:CIFAR10")
    assert within("photos/../photos/train", "photos")
    assert not within("photos2", "photos")
