"""Who counts: the rule for dots, and a network whose accuracy stands beside every figure."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from nda.data import draw_dots
from nda.errors import ConfigError
from nda.evaluation.counting.dots import count_dots
from nda.recipes.numerosity.counter import Counter, counter_of
from tests.support.tiny_numerosity import SIDE, build, tiny_numerosity, write_dots

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Diversity:
    hue_entropy: float
    saturation: float
    position_entropy: float


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A counting network that counts dots, with what it was trained on; accurate as the last says.

    It stands in for the real one, which takes minutes to train.
    """
    calls: list[dict[str, Any]] = [{"accuracy": 0.99}]

    def train(images: Tensor, counts: Tensor, **others: Any) -> Any:
        calls.append({"images": images, "counts": counts, **others})
        return SimpleNamespace(count=count_dots, accuracy=calls[0]["accuracy"])

    network = SimpleNamespace(train_count_network=train)
    diversity = SimpleNamespace(scene_diversity=lambda images: Diversity(1.0, 0.5, len(images)))
    monkeypatch.setitem(sys.modules, "nda.evaluation.counting.network", network)
    monkeypatch.setitem(sys.modules, "nda.evaluation.counting.scenes", diversity)
    return calls


def counter(data: Path, **changes: Any) -> Counter:
    return counter_of(tiny_numerosity(data, counter="network", **changes), SIDE, CPU)


def test_dots_are_counted_by_their_rule() -> None:
    found = counter_of(tiny_numerosity(Path("unused")), SIDE, CPU)
    counts = torch.tensor([0, 2, 5])
    images = draw_dots(counts, SIDE, generator=torch.Generator().manual_seed(0))
    assert torch.equal(found.count(images), counts)
    assert found.variety(images).saturation > 0.5
    assert set(found.protocol) == {"counter"}


def test_the_network_learns_all_counts_and_its_accuracy_is_told(
    tmp_path: Path, trained: list[dict[str, Any]]
) -> None:
    data = write_dots(tmp_path / "dots.zip")
    found = counter(data)
    call = trained[1]
    assert torch.equal(count_dots(call["images"]), call["counts"])
    assert torch.equal(count_dots(call["heldout_images"]), call["heldout_counts"])
    assert set(call["counts"].tolist()) == set(call["heldout_counts"].tolist()) == {1, 2, 3}
    assert (len(call["images"]), len(call["heldout_images"])) == (63, 7)
    assert "1, 2, 3 objects" in str(found.protocol["counter"])
    assert found.protocol["counter_accuracy"] == 0.99
    assert "warning" not in found.protocol
    assert found.variety(call["images"]).position_entropy == 63


def test_it_may_learn_from_other_images(tmp_path: Path, trained: list[dict[str, Any]]) -> None:
    data = write_dots(tmp_path / "two.zip", {2: 30})
    other = write_dots(tmp_path / "all.zip", {0: 10, 2: 10}, seed=1)
    found = counter(data, counter_data=str(other))
    assert set(trained[1]["counts"].tolist()) == {0, 2}
    assert "0, 2 objects" in str(found.protocol["counter"])


def test_a_network_that_counts_badly_is_a_warning(
    tmp_path: Path, trained: list[dict[str, Any]]
) -> None:
    trained[0]["accuracy"] = 0.93
    found = counter(write_dots(tmp_path / "dots.zip"))
    assert "right on 93.0% of held-out images only, below 98%" in str(found.protocol["warning"])


def test_images_without_the_right_count_cannot_teach_counting(tmp_path: Path) -> None:
    data = write_dots(tmp_path / "two.zip", {2: 30})
    with pytest.raises(
        ConfigError, match=r"images of 2 objects and of other numbers, and .* has 2"
    ):
        build(tiny_numerosity(data, negative="none", counter="network"))
