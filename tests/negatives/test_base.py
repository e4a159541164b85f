"""What the base of all negatives asks of a kind, and how it moves what was drawn."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from nda.errors import ShapeError
from nda.negatives import HorizontalFlip, Negative, Params
from nda.negatives.base import to_device_like


class OnlyDrawn(Negative):
    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        return {}


class OnlyReplayed(Negative):
    def replay(self, x: Tensor, params: Params) -> Tensor:
        return x


@pytest.mark.parametrize(("kind", "lacks"), [(OnlyDrawn, "replay"), (OnlyReplayed, "draw")])
def test_a_negative_must_say_how_it_is_drawn_and_how_it_is_replayed(
    kind: type[Negative], lacks: str
) -> None:
    with pytest.raises(TypeError, match=f"abstract method '?{lacks}"):
        kind()


@pytest.mark.parametrize("on_gpu", [True, False])
def test_only_the_way_to_a_gpu_goes_unwaited_for(on_gpu: bool) -> None:
    asked: list[tuple[object, dict[str, Any]]] = []
    drawn: Any = SimpleNamespace(to=lambda device, **how: asked.append((device, how)))
    x: Any = SimpleNamespace(device="there", is_cuda=on_gpu)
    to_device_like(drawn, x)
    assert asked == [("there", {"non_blocking": on_gpu})]


def test_a_row_of_two_pixels_is_a_picture() -> None:
    assert HorizontalFlip()(torch.zeros(1, 1, 1, 2)).shape == (1, 1, 1, 2)


@pytest.mark.parametrize("shape", [(2, 0, 4, 4), (2, 3, 4, 0), (2, 0, 3, 4, 4)])
def test_pictures_without_pixels_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="without pixels, of shape"):
        HorizontalFlip()(torch.zeros(shape))
