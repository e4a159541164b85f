from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch_fidelity
from torch import Tensor, nn
from torch.utils.data import Dataset
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from nda.errors import CheckpointError, DataError, ShapeError
from nda.evaluation.fidelity import inception as fidelity
from nda.evaluation.fidelity.frechet import frechet_distance
from nda.evaluation.fidelity.inception import inception_metrics, inception_weights

CACHED = "checkpoints/weights-inception-2015-12-05-6726825d.pth"


class Images(Dataset[Tensor]):
    """Images as torch-fidelity itself takes them."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        return self.images[index]


class Pixels(nn.Module):
    """Stands in for Inception: pixels as features, the brightest channel as the class."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(()))  # tells the device

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.float()
        return x.flatten(1) / 255, x.mean(dim=(2, 3))


def some_images(count: int, seed: int = 0, low: int = 0) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randint(low, 256, (count, 3, 2, 2), generator=g, dtype=torch.uint8)


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights file whose network is `Pixels`."""
    monkeypatch.setattr(fidelity, "_inception", lambda path: Pixels())
    path = tmp_path / "weights.pth"
    path.write_bytes(b"any")
    return path


def values(real: Tensor, generated: Tensor, weights: Path) -> dict[str, float]:
    metrics = inception_metrics(real, generated, weights=weights, protocol={}, batch_size=8)
    return {metric.name: metric.value for metric in metrics}


def test_measures_each_figure_from_the_features(weights: Path) -> None:
    real, generated = some_images(30, seed=1), some_images(20, seed=2, low=128)
    found = values(real, generated, weights)
    pixels = real.flatten(1) / 255, generated.flatten(1) / 255
    assert found["fid"] == frechet_distance(*pixels)
    assert found["kid"] > values(real, real[:20], weights)["kid"]
    assert all(math.isfinite(value) for value in found.values())


def test_precision_is_of_the_generated_and_recall_of_the_real(weights: Path) -> None:
    real = some_images(40, seed=1)
    narrow = real[:1].repeat(12, 1, 1, 1)  # good images, all alike
    found = values(real, narrow, weights)
    assert found["precision"] == 1
    assert found["recall"] < 0.2
    assert values(narrow, real, weights)["recall"] == 1


def test_the_inception_score_counts_the_classes_generated(weights: Path) -> None:
    channels = torch.eye(3, dtype=torch.uint8).repeat(500, 1) * 255
    even = channels[:, :, None, None].expand(-1, 3, 2, 2)
    assert values(some_images(10), even, weights)["inception_score"] == pytest.approx(3, rel=0.02)
    one = even[:1].expand(90, -1, -1, -1)
    assert values(some_images(10), one, weights)["inception_score"] == pytest.approx(1)


def test_each_figure_says_how_it_was_measured(weights: Path) -> None:
    metrics = inception_metrics(
        some_images(30), some_images(20), weights=weights, protocol={"split": "test"}
    )
    known = {
        "split": "test",
        "backend": f"torch-fidelity {torch_fidelity.version.__version__}",
        "features": "inception-v3-compat, weights sha256 d6a7cd2a",
        "real_images": 30,
        "generated_images": 20,
    }
    kid = known | {"kid_subsets": 100, "kid_subset_size": 20}
    score = known | {"inception_score_splits": 10}
    neighbours = known | {"neighbours": 3}
    assert {metric.name: (metric.better, metric.protocol) for metric in metrics} == {
        "fid": ("lower", known),
        "kid": ("lower", kid),
        "kid_std": ("", kid),
        "inception_score": ("higher", score),
        "inception_score_std": ("", score),
        "precision": ("higher", neighbours),
        "recall": ("higher", neighbours),
    }


def test_kid_subsets_have_a_thousand_images_where_there_are_more(weights: Path) -> None:
    metrics = inception_metrics(
        some_images(1100), some_images(1200), weights=weights, protocol={}, batch_size=1200
    )
    (kid,) = [metric for metric in metrics if metric.name == "kid"]
    assert kid.protocol["kid_subset_size"] == 1000


@pytest.fixture(scope="module")
def random_inception(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the right names and shapes, random but with activations of ordinary size."""
    folder = tmp_path_factory.mktemp("inception")
    torch.save({}, folder / "none.pth")
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        network = FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=folder / "none.pth"
        )
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
    torch.save(network.state_dict(), folder / "random.pth")
    return folder / "random.pth"


@pytest.mark.slow
def test_agrees_with_torch_fidelity_itself(random_inception: Path) -> None:
    g = torch.Generator().manual_seed(0)
    real = torch.randint(256, (10, 3, 32, 32), generator=g, dtype=torch.uint8)
    generated = torch.randint(128, (10, 3, 32, 32), generator=g, dtype=torch.uint8)
    ours = values(real, generated, random_inception)
    theirs = torch_fidelity.calculate_metrics(
        input1=Images(generated),
        input2=Images(real),
        fid=True,
        kid=True,
        isc=True,
        prc=True,
        feature_extractor="inception-v3-compat",
        feature_extractor_weights_path=str(random_inception),
        kid_subset_size=10,
        cuda=False,
        save_cpu_ram=True,
        verbose=False,
    )
    assert ours == {
        "fid": pytest.approx(theirs["frechet_inception_distance"], rel=1e-4),
        "kid": pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-4),
        "kid_std": pytest.approx(theirs["kernel_inception_distance_std"], rel=1e-3, abs=1e-6),
        "inception_score": pytest.approx(theirs["inception_score_mean"], rel=1e-4),
        "inception_score_std": pytest.approx(theirs["inception_score_std"], rel=1e-3, abs=1e-6),
        "precision": theirs["precision"],
        "recall": theirs["recall"],
    }


def test_refuses_weights_that_are_not_there(tmp_path: Path) -> None:
    missing = tmp_path / "missing.pth"
    with pytest.raises(DataError, match=r"no Inception weights at .*missing\.pth\. Download https"):
        inception_weights(missing)
    with pytest.raises(DataError, match=r"no Inception weights at .*missing\.pth"):
        values(some_images(10), some_images(10), missing)


def test_finds_the_weights_that_torch_fidelity_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    assert inception_weights() is None
    with pytest.raises(DataError, match=r"not on this machine.*classifier Fréchet distance"):
        inception_metrics(some_images(10), some_images(10), weights=None, protocol={})
    assert list(tmp_path.iterdir()) == []  # nothing was fetched
    cached = tmp_path / CACHED
    cached.parent.mkdir()
    cached.write_bytes(b"weights")
    assert inception_weights() == cached
    assert inception_weights(tmp_path / CACHED) == cached


class RunsCode:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path, str]]:
        return Path.write_text, (self.path, "code ran")


def test_runs_no_code_of_a_weights_file(tmp_path: Path) -> None:
    torch.save({"fc.weight": RunsCode(tmp_path / "proof")}, tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match="does not hold torch-fidelity's Inception weights"):
        values(some_images(10), some_images(10), tmp_path / "weights.pth")
    assert not (tmp_path / "proof").exists()


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"PK\x03\x04 cut short"])
def test_refuses_a_file_that_is_no_weights(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"weights\.pth does not hold.*Download https"):
        values(some_images(10), some_images(10), path)


@pytest.mark.parametrize("content", [{"other.weight": torch.zeros(1)}, torch.zeros(3)])
def test_refuses_the_weights_of_another_network(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match=r"weights\.pth does not hold"):
        values(some_images(10), some_images(10), tmp_path / "weights.pth")


def test_refuses_too_few_images(weights: Path) -> None:
    with pytest.raises(DataError, match=r"at least 10 generated images.*got 9"):
        values(some_images(10), some_images(9), weights)


@pytest.mark.parametrize(
    "images", [torch.zeros(10, 3, 8, 8), torch.zeros(10, 1, 8, 8, dtype=torch.uint8)]
)
def test_refuses_images_of_another_form(weights: Path, images: Tensor) -> None:
    with pytest.raises(ShapeError, match="Real images for Inception must be uint8"):
        values(images, some_images(10), weights)
