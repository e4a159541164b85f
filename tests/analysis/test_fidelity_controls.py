"""The controls of the distances make images worse in the way that they say."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
import torch

from nda.data import ImageSet
from tests.conftest import write_split
from tests.support.tiny_lite0 import install_lite0

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "analysis" / "fidelity_controls.py"))


def noise(count: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.randint(60, 196, (count, 3, 32, 32), generator=rng).to(torch.uint8)


def test_blur_takes_detail_and_keeps_the_mean() -> None:
    images = noise(4)
    deviations = [float(images.float().std())]
    for dose in SCRIPT["BLURS"]:
        worse = SCRIPT["blurred"](images, dose)
        deviations.append(float(worse.float().std()))
        assert float(worse.float().mean()) == pytest.approx(float(images.float().mean()), abs=1)
    assert deviations == sorted(deviations, reverse=True)


def test_noise_has_the_deviation_that_it_says_in_levels() -> None:
    images = noise(8)
    worse = SCRIPT["with_noise"](images, 10.0, torch.Generator().manual_seed(1))
    assert worse.dtype == torch.uint8
    assert float((worse.float() - images.float()).std()) == pytest.approx(10, rel=0.03)


def test_every_class_has_as_many_images() -> None:
    labels = torch.tensor([0] * 9 + [1] * 5)
    images = ImageSet.of(noise(14), labels, ("a", "b"))
    some = SCRIPT["evenly"](images, 4, torch.Generator().manual_seed(0))
    assert some.labels.bincount().tolist() == [4, 4]
    assert len({image.numpy().tobytes() for image in some.images}) == 8


def test_classes_left_out_are_left_out() -> None:
    labels = torch.arange(10).repeat(8)
    pool = ImageSet.of(noise(80), labels, [str(label) for label in range(10)])

    def features(images: torch.Tensor) -> torch.Tensor:
        """Each image's class as its feature, where it is unchanged."""
        rows = {image.numpy().tobytes(): label for image, label in zip(pool.images, labels.tolist(),
                                                                       strict=True)}  # fmt: skip
        return torch.tensor([[rows.get(image.numpy().tobytes(), -1)] for image in images])

    made = list(SCRIPT["made_worse"](pool, 40, features, torch.Generator().manual_seed(0)))
    assert [(kind, dose) for kind, dose, _ in made] == [
        ("as they are", 0),
        *(("blur", dose) for dose in SCRIPT["BLURS"]),
        *(("noise", dose) for dose in SCRIPT["NOISES"]),
        *(("classes left out", dose) for dose in SCRIPT["DROPPED"]),
    ]
    assert all(len(worse) == 40 for _, _, worse in made)
    for kind, dose, worse in made:
        if kind == "classes left out":
            assert int(worse.min()) == dose


def test_the_script_writes_every_control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_lite0(monkeypatch, tmp_path / "weights.pth")
    write_split(tmp_path / "data" / "train", 20)
    write_split(tmp_path / "data" / "test", 10)
    monkeypatch.setitem(SCRIPT["made_worse"].__globals__, "DROPPED", ())
    out = tmp_path / "new" / "controls.json"
    SCRIPT["main"](["--data", str(tmp_path / "data"), "--count", "20", "--out", str(out)])
    found: dict[str, Any] = json.loads(out.read_text())
    assert (
        found["command"] == "python analysis/fidelity_controls.py --data data --count 20 --seed 0"
    )
    assert found["images"] == 20
    assert [row["kind"] for row in found["rows"]] == ["as they are"] + ["blur"] * 3 + ["noise"] * 3
    for row in found["rows"]:
        assert len(row["lite0_kernel"]) == 3
        assert 0 <= row["lite0_precision"] <= 1
    with pytest.raises(SystemExit, match="data has too few images for --count 50"):
        SCRIPT["main"](["--data", str(tmp_path / "data"), "--count", "50", "--out", str(out)])
