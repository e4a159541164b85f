"""Models in folders and on the hub, with cards of what was measured; nothing here has a network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import nda
from nda.errors import CheckpointError, ConfigError, ShapeError, UserError

hub = pytest.importorskip("huggingface_hub")
FILES = ["README.md", "config.json", "detector.safetensors"]
SMALL: dict[str, Any] = {"resolution": 32, "steps": 2, "device": "cpu"}


@pytest.fixture(scope="module")
def normal() -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.randint(100, 156, (60, 3, 32, 32), dtype=torch.uint8, generator=rng)


@pytest.fixture(scope="module")
def fitted(normal: torch.Tensor) -> nda.AnomalyDetector:
    return nda.AnomalyDetector(**SMALL, false_alarm_rate=0.2).fit(normal)


@pytest.fixture(scope="module")
def gan_run(normal: torch.Tensor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "gan"
    nda.train("gan", data=normal, out=out, width=4, batch_size=4, evaluation_samples=10, **SMALL)
    return out


def test_a_detector_comes_back_from_a_folder(
    fitted: nda.AnomalyDetector, normal: torch.Tensor, tmp_path: Path
) -> None:
    folder = fitted.save_pretrained(tmp_path / "shared")
    assert sorted(path.name for path in folder.iterdir()) == FILES
    again = nda.AnomalyDetector.from_pretrained(str(folder))
    assert torch.equal(again.predict(normal).scores, fitted.predict(normal).scores)


def test_the_card_tells_what_the_run_measured(fitted: nda.AnomalyDetector, tmp_path: Path) -> None:
    folder = fitted.save_pretrained(tmp_path)
    card = hub.ModelCard.load(folder / "README.md")
    assert card.data.library_name == "nda"
    assert "anomaly-detection" in card.data.tags
    assert fitted.result is not None
    for metric in fitted.result.evaluation.metrics[:5]:
        assert metric.title in card.text
        assert f"{metric.value:.4g}" in card.text
    assert "at most 20 % are flagged on average" in card.text
    assert "| `resolution` | 32 |" in card.text
    # Loaded from a file, nobody knows what its run measured; no older figures stay.
    nda.AnomalyDetector.from_pretrained(folder).save_pretrained(folder)
    assert "has not been evaluated" in (folder / "README.md").read_text()


def test_networks_of_a_gan_come_back_from_a_folder(gan_run: Path, tmp_path: Path) -> None:
    generator = nda.GanGenerator.from_run(gan_run)
    images = generator.sample(3, seed=5)
    assert images.shape == (3, 3, 32, 32)
    assert not torch.equal(images, generator.sample(3, seed=6))
    again = nda.GanGenerator.from_pretrained(generator.save_pretrained(tmp_path / "g"))
    assert torch.equal(again.sample(3, seed=5), images)

    discriminator = nda.GanDiscriminator.from_run(gan_run)
    logits = discriminator.score(images)
    known = nda.GanDiscriminator.from_pretrained(discriminator.save_pretrained(tmp_path / "d"))
    assert torch.equal(known.score(images), logits)
    card = (tmp_path / "g" / "README.md").read_text()
    assert "Gap D(x)" in card
    assert "| `negative` |" in card
    assert "nda.GanGenerator.from_pretrained" in card


def test_what_is_sent_to_the_hub(
    fitted: nda.AnomalyDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: dict[str, Any] = {}

    class Api:
        def __init__(self, *_: Any, **__: Any) -> None: ...

        def create_repo(self, repo_id: str, **settings: Any) -> Any:
            sent.update(repo=repo_id, **settings)
            return type("Url", (), {"repo_id": repo_id})

        def upload_folder(self, folder_path: str, **_: Any) -> str:
            sent["files"] = sorted(path.name for path in Path(folder_path).iterdir())
            return "https://hub/me/parts"

    monkeypatch.setattr("huggingface_hub.hub_mixin.HfApi", Api)
    assert fitted.push_to_hub("me/parts", private=True) == "https://hub/me/parts"
    assert sent["repo"] == "me/parts"
    assert sent["private"] is True
    assert sent["files"] == FILES


@pytest.mark.parametrize("name", ["parts", "runs/part", "./runs/other", "a/b/c", "runs\\parts"])
def test_a_folder_that_is_not_there_is_told_of_without_asking_the_hub(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: Any, **__: Any) -> None:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", asked)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs/parts").mkdir(parents=True)
    with pytest.raises(CheckpointError, match=r"There is no .*a repository of the hub, OWNER/NAME"):
        nda.AnomalyDetector.from_pretrained(name)
    if name == "runs/part":
        with pytest.raises(CheckpointError, match=r"Did you mean runs.parts\?"):
            nda.AnomalyDetector.from_pretrained(name)


def test_what_may_be_a_repository_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download(repo_id: str, **_: Any) -> None:
        asked.append(repo_id)
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    with pytest.raises(
        CheckpointError, match=r"no folder with a detector\.safetensors, and no rep"
    ):
        nda.AnomalyDetector.from_pretrained("some-body/parts_1.0")
    assert asked == ["some-body/parts_1.0"]


@pytest.mark.parametrize("name", [None, "", 3])
def test_what_is_no_name_is_refused(name: Any) -> None:
    with pytest.raises(ConfigError, match=f"was given {name!r}; expected a folder that save_pre"):
        nda.AnomalyDetector.from_pretrained(name)


def test_what_cannot_be_read_is_refused(
    gan_run: Path, fitted: nda.AnomalyDetector, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=r"holds no detector\.safetensors; give a folder"):
        nda.AnomalyDetector.from_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"There is no not/a/name\..* OWNER/NAME"):
        nda.GanGenerator.from_pretrained("not/a/name")
    (tmp_path / "generator.safetensors").write_bytes(b"0123456789")
    with pytest.raises(CheckpointError, match=r"generator\.safetensors is damaged or no network"):
        nda.GanGenerator.from_pretrained(tmp_path)
    folder = nda.GanDiscriminator.from_run(gan_run).save_pretrained(tmp_path)
    (folder / "discriminator.safetensors").rename(folder / "generator.safetensors")
    with pytest.raises(CheckpointError, match="damaged or no network"):
        nda.GanGenerator.from_pretrained(folder)
    with pytest.raises(UserError, match="not a run folder"):
        nda.GanGenerator.from_run(tmp_path)


def test_images_of_another_size_or_type_are_refused(gan_run: Path) -> None:
    discriminator = nda.GanDiscriminator.from_run(gan_run)
    with pytest.raises(ShapeError, match=r"must be of 32 × 32 pixels, as in training; got 16 × 32"):
        discriminator.score(torch.zeros(2, 3, 32, 16, dtype=torch.uint8))
    with pytest.raises(ShapeError, match="Images must be uint8"):
        discriminator.score(torch.zeros(2, 3, 32, 32))


def test_without_the_package_it_says_how_to_get_it(
    fitted: nda.AnomalyDetector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", None)
    for call in (
        lambda: fitted.save_pretrained(tmp_path),
        lambda: fitted.push_to_hub("me/parts"),
        lambda: nda.AnomalyDetector.from_pretrained(tmp_path),
    ):
        with pytest.raises(ConfigError, match=r"pip install 'nda-torch\[hub\]'"):
            call()


@pytest.mark.parametrize("text", ["{", "[1]", "\xff", '{"model": "another"}'])
def test_what_config_json_says_is_not_read(
    text: str, fitted: nda.AnomalyDetector, tmp_path: Path
) -> None:
    folder = fitted.save_pretrained(tmp_path)
    (folder / "config.json").write_bytes(text.encode("latin1"))
    assert len(nda.AnomalyDetector.from_pretrained(folder).module.calibration)


@pytest.mark.parametrize("counted", [True, False])
def test_a_detector_comes_back_from_the_hub(
    counted: bool, fitted: nda.AnomalyDetector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, asked = fitted.save_pretrained(tmp_path), []

    def download(*, repo_id: str, filename: str, revision: str | None = None, **known: Any) -> str:
        assert set(known) <= {"cache_dir", "force_download", "token", "local_files_only"}
        asked.append((repo_id, filename, revision))
        if filename == "config.json" and not counted:
            raise hub.errors.EntryNotFoundError("no config.json")
        return str(folder / filename)

    monkeypatch.setattr(hub, "hf_hub_download", download)
    monkeypatch.setattr("huggingface_hub.hub_mixin.hf_hub_download", lambda repo_id, filename, **k:
                        download(repo_id=repo_id, filename=filename, **k))  # fmt: skip
    again = nda.AnomalyDetector.from_pretrained("me/parts", revision="v1")
    assert torch.equal(again.module.calibration, fitted.module.calibration)
    assert set(asked) == {("me/parts", name, "v1") for name in FILES[1:]}


def test_files_and_folders_here_ask_nothing_of_the_network(
    fitted: nda.AnomalyDetector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "hf_hub_download", lambda **_: pytest.fail("the network was asked"))
    file = fitted.save_pretrained(tmp_path) / "detector.safetensors"
    nda.AnomalyDetector.from_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"is a file; give its folder, or read it with Anom"):
        nda.AnomalyDetector.from_pretrained(file)
    with pytest.raises(ConfigError, match=r"is a file; give a folder to write the model into"):
        fitted.save_pretrained(file)


def test_what_was_not_fitted_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.hub_mixin.HfApi", lambda **_: pytest.fail("it was asked"))
    with pytest.raises(ConfigError, match="has not been fitted"):
        nda.AnomalyDetector().save_pretrained(tmp_path / "shared")
    assert not (tmp_path / "shared").exists()
    with pytest.raises(ConfigError, match="has not been fitted"):
        nda.AnomalyDetector().push_to_hub("me/parts")


def test_a_hub_that_is_not_reached_is_told_in_a_sentence(
    fitted: nda.AnomalyDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise hub.errors.HTTPError("Name or service not known")

    with pytest.raises(ConfigError, match=r"^a b/c could not be sent to the hub \(Repo id must"):
        fitted.push_to_hub("a b/c")
    monkeypatch.setattr("huggingface_hub.hub_mixin.HfApi.create_repo", unreachable)
    with pytest.raises(ConfigError, match=r"not known\)\. Give the name of a repository of yours"):
        fitted.push_to_hub("me/parts")
    monkeypatch.setattr(hub, "hf_hub_download", unreachable)
    with pytest.raises(CheckpointError, match=r"no repository of the hub that can be read \(Name"):
        nda.AnomalyDetector.from_pretrained("me/parts")
