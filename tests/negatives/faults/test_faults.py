"""What faults have in common, and what each of them draws."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nda.errors import ConfigError, ShapeError
from nda.negatives import Crack, Paste, Stain, Texture, negative_from_name
from nda.negatives.faults.crack import dotted, paths
from nda.negatives.faults.fault import draw_shifts, draws
from tests.negatives.test_contract import random_batch, seeded

FAULTS = ["crack", "scar", "stain", "texture", "paste", "missing"]
MARKS = ["crack", "scar", "stain"]  # that are lit otherwise than what is under them


def changed(name: str, x: Tensor, seed: int = 0) -> Tensor:
    return negative_from_name(name)(x, generator=seeded(seed)).float() - x.float()


@pytest.mark.parametrize("name", FAULTS)
def test_a_batch_is_what_its_samples_are_one_by_one(name: str) -> None:
    x = random_batch((5, 3, 20, 28), torch.float32)
    negative = negative_from_name(name)
    params = negative.draw(x, seeded(0))
    result, mask = negative.replay(x, params), negative.mask(x, params)
    for b in range(5):
        own = {key: value[b : b + 1] for key, value in params.items()}
        rows = [b]
        if name == "texture":  # which needs its partner beside it
            rows.append(int(params["source"][b]))
            own = {key: value[rows] for key, value in params.items()}
            own["source"] = torch.tensor([1, 0])
        torch.testing.assert_close(negative.replay(x[rows], own)[0], result[b])
        assert torch.equal(negative.mask(x[rows], own)[0], mask[b])


@pytest.mark.parametrize("name", FAULTS)
def test_strength_scales_the_change(name: str) -> None:
    x = random_batch((8, 3, 32, 32), torch.float64) * 0.5
    full, half = changed(name, x), changed(f"{name}:strength=0.5", x)
    if name == "scar":  # covered and relit, one after the other
        assert 0.3 < half.abs().mean() / full.abs().mean() < 0.8
    else:
        torch.testing.assert_close(half, full / 2)


@pytest.mark.parametrize("name", MARKS)
@pytest.mark.parametrize("level", [0, 40, 128, 255])
def test_marks_show_on_any_even_ground_and_faintly_at_the_least_strength(
    name: str, level: int
) -> None:
    x = torch.full((64, 3, 48, 48), level, dtype=torch.uint8)
    for strength in ("1", "0.1"):
        change = changed(f"{name}:strength={strength}", x).abs().flatten(1).amax(1)
        assert (change >= 1).all()
    assert (change <= 0.1 * 0.9 * 255 + 1).all()


def test_what_is_grey_stays_grey() -> None:
    grey = random_batch((6, 1, 24, 24), torch.uint8).expand(-1, 3, -1, -1)
    coloured = random_batch((4, 3, 9, 31), torch.uint8, 1)
    for negative in (*map(negative_from_name, FAULTS), Texture(textures=coloured)):
        result = negative(grey, generator=seeded(0))
        assert torch.equal(result, result[:, :1].expand_as(result))
    x = random_batch((6, 3, 24, 24), torch.float32)
    change = Stain()(x, generator=seeded(0)) - x
    assert not torch.allclose(change[:, 0] / (1 - x[:, 0]), change[:, 1] / (1 - x[:, 1]))


@pytest.mark.parametrize("name", FAULTS)
def test_small_images_and_strengths_out_of_range_are_refused(name: str) -> None:
    with pytest.raises(ShapeError, match=rf"^{name} was given images of shape \(2, 1, 3, 9\)"):
        negative_from_name(name)(torch.zeros(2, 1, 3, 9))
    with pytest.raises(ConfigError, match=rf"^{name} was given strength=nan; expected"):
        negative_from_name(f"{name}:strength=nan")


@pytest.mark.parametrize("size", [(4, 9), (8, 24), (32, 65)])
def test_texture_is_taken_from_at_least_an_eighth_of_the_sides_away(size: tuple[int, int]) -> None:
    shifts = draw_shifts(draws(torch.zeros(4000, 1, *size), seeded(0)), torch.zeros(1, 1, *size))
    for axis, side in enumerate(size):
        nearest = -(-side // 8)
        found = torch.unique(shifts[:, axis]).tolist()
        assert found == list(range(nearest, side - nearest + 1))


# --- cracks


def test_cracks_are_thin_and_long() -> None:
    x = torch.zeros(200, 1, 128, 128)
    params = Crack().draw(x, seeded(0))
    mask = Crack().mask(x, params)[:, 0]
    row, column = params["centre"].long().unbind(1)
    assert mask[torch.arange(200), row, column].all()  # the middle lies in the image
    assert mask.flatten(1).mean(1).max() < 0.06
    core = torch.nn.functional.avg_pool2d(mask[:, None], 9, stride=1)
    assert core.max() < 1  # nowhere as wide as nine pixels
    extent = torch.stack([(mask.any(2).sum(1)), (mask.any(1).sum(1))]).amax(0)
    assert extent.float().mean() > 25


@pytest.mark.parametrize("side", [4, 64])
def test_branches_that_are_missing_have_no_width_and_the_others_have_some(side: int) -> None:
    params = Crack().draw(torch.zeros(40, 1, side, side), seeded(0))
    _, width = paths(params, side)
    assert torch.equal(width[:, 1:].amax(2) > 0, params["extent"] > 0)
    assert (width[:, 0].amax(1) > 0).all()


def test_discs_cover_what_lies_within_them() -> None:
    found = dotted(torch.tensor([[[3.0, 4.0], [40.0, 2.0]]]), torch.tensor([[2.0, 2.0]]), 8, 9)
    for row in range(8):
        for column in range(9):
            away = ((row - 3) ** 2 + (column - 4) ** 2) ** 0.5
            assert found[0, 0, row, column] == pytest.approx(min(1, max(0, 1.5 - away)), abs=1e-6)


# --- textures, labels


def test_textures_given_are_what_is_shown() -> None:
    textures = torch.stack([torch.full((3, 5, 7), v, dtype=torch.uint8) for v in (0, 255)])
    x = torch.zeros(8, 3, 16, 16)
    negative = Texture(textures=textures)
    params = negative.draw(x, seeded(0))
    assert set(params["source"].tolist()) == {0, 1}
    inside = negative.mask(x, params).expand_as(x) == 1
    cover = params["cover"].view(-1, 1, 1, 1) * (params["source"] * 2 - 1).view(-1, 1, 1, 1)
    torch.testing.assert_close(negative.replay(x, params), torch.where(inside, cover, 0.0))
    assert negative(x[:1], generator=seeded(0)).shape == (1, 3, 16, 16)  # no partner is needed


@pytest.mark.parametrize("wrong", [torch.zeros(2, 3, 4, 4), torch.zeros(3, 4, 4).byte()])
def test_other_textures_are_refused(wrong: Tensor) -> None:
    with pytest.raises(ShapeError, match=r"textures of shape .*; expected uint8 images \(N, C, H"):
        Texture(textures=wrong)


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
def test_graded_labels_follow_the_change(dtype: torch.dtype) -> None:
    x = random_batch((4, 3, 32, 32), dtype)
    params = Paste().draw(x, seeded(0))
    graded, binary = (Paste(labels=kind).mask(x, params) for kind in ("graded", "binary"))
    span = 255 if dtype == torch.uint8 else 2
    change = (Paste().replay(x, params).float() - x.float()).abs().mean(1, keepdim=True) / span
    assert (graded[binary == 0] == 0).all()
    torch.testing.assert_close(
        graded[binary == 1], ((change * 255 - 24) / 12).sigmoid()[binary == 1]
    )
