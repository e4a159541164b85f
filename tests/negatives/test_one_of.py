from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nda.errors import ConfigError, ShapeError
from nda.negatives import (
    Cutout,
    HorizontalFlip,
    Jigsaw,
    OneOf,
    Params,
    Stitch,
    negative_from_name,
    one_of,
)
from tests.negatives.pixels.test_layout import channels_last
from tests.negatives.test_contract import NAMES, random_batch, seeded


def test_each_sample_is_the_work_of_its_chosen_member() -> None:
    x = torch.randn(64, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    members = [Jigsaw(), Cutout(), HorizontalFlip()]
    mixture = OneOf(members)
    params = mixture.draw(x, torch.Generator().manual_seed(1))
    result = mixture.replay(x, params)
    made = [
        Jigsaw().replay(x, {"permutation": params["0.permutation"]}),
        Cutout().replay(x, {"box": params["1.box"]}),
        HorizontalFlip()(x),
    ]
    assert torch.unique(params["choice"]).tolist() == [0, 1, 2]
    for b, choice in enumerate(params["choice"].tolist()):
        assert torch.equal(result[b], made[choice][b])


def test_ten_members_and_more_keep_their_parameters_apart() -> None:
    x = torch.randn(30, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    mixture = OneOf([Jigsaw(2 if i % 2 else 4) for i in range(12)])
    params = mixture.draw(x, torch.Generator().manual_seed(1))
    result = mixture.replay(x, params)
    for b, choice in enumerate(params["choice"].tolist()):
        jigsaw = Jigsaw(2 if choice % 2 else 4)
        alone = jigsaw.replay(x, {"permutation": params[f"{choice}.permutation"]})
        assert torch.equal(result[b], alone[b])


@pytest.mark.parametrize(
    ("weights", "expected"), [(None, [1 / 3] * 3), ([1, 2, 5], [0.125, 0.25, 0.625])]
)
def test_choices_follow_the_weights(weights: list[float] | None, expected: list[float]) -> None:
    x = torch.zeros(20_000, 1, 2, 2)
    members = [Jigsaw(), HorizontalFlip(), Stitch()]
    choice = OneOf(members, weights).draw(x, torch.Generator().manual_seed(0))["choice"]
    shares = torch.bincount(choice) / len(x)
    torch.testing.assert_close(shares, torch.tensor(expected), atol=0.015, rtol=0)


def test_a_single_member_is_always_chosen() -> None:
    choice = OneOf([Jigsaw()]).draw(torch.zeros(100, 1, 2, 2))["choice"]
    assert choice.eq(0).all()


def test_mixtures_nest() -> None:
    x = torch.randn(40, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    nested = OneOf([OneOf([Jigsaw(), Stitch()]), Cutout()])
    params = nested.draw(x, torch.Generator().manual_seed(1))
    assert "0.0.permutation" in params
    assert (nested.replay(x, params) != x).flatten(1).any(dim=1).all()


def test_members_refuse_what_they_cannot_take() -> None:
    with pytest.raises(ShapeError, match=r"^jigsaw cannot cut images of 6 x 6"):
        OneOf([Stitch(), Jigsaw(4)]).draw(torch.zeros(2, 1, 6, 6))


def test_refuses_an_empty_list() -> None:
    with pytest.raises(ConfigError, match=r"^OneOf was given no negatives"):
        OneOf([])


@pytest.mark.parametrize("weights", [[1.0], [1.0, 0.0], [1.0, -1.0], [1.0, float("nan")]])
def test_refuses_weights_that_do_not_fit(weights: list[float]) -> None:
    with pytest.raises(ConfigError, match="for 2 negatives; expected one positive number for each"):
        OneOf([Jigsaw(), Stitch()], weights)


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
@pytest.mark.parametrize("name", NAMES)
def test_some_samples_are_made_as_they_are_among_all(name: str, dtype: torch.dtype) -> None:
    x, negative = random_batch((9, 3, 24, 16), dtype), negative_from_name(name)
    params = negative.draw(x, seeded(1))
    for sample in (torch.tensor([7, 0, 3]), torch.arange(9)):
        made, every = negative.replay_of(x, sample, params), negative.replay(x, params)
        torch.testing.assert_close(made, every[sample], atol=1e-6, rtol=0)  # sums of other batches
        turned = negative.replay_of(channels_last(x), sample, params)
        assert torch.equal(turned, made)
        assert turned.stride() == channels_last(every[sample]).stride()


@pytest.mark.parametrize("name", ["jigsaw+stitch", "cutmix+mixup+cutout", "blemish+jigsaw+texture"])
@pytest.mark.parametrize("shape", [(12, 3, 16, 16), (12, 2, 3, 16, 24)])
def test_looking_who_chose_what_changes_nothing(
    name: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, mixture = random_batch(shape, torch.float32), negative_from_name(name)
    params = mixture.draw(x, seeded(2))
    looked = mixture.replay(x, params)
    monkeypatch.setattr(one_of, "may_look", lambda x: False)
    assert torch.equal(mixture.replay(x, params), looked)


def test_a_member_makes_those_alone_that_chose_it(monkeypatch: pytest.MonkeyPatch) -> None:
    x, sizes = torch.randn(40, 1, 8, 8, generator=seeded(0)), []

    def counted(negative: Jigsaw, x: Tensor, params: Params) -> Tensor:
        sizes.append(len(x))
        return x.clone()

    monkeypatch.setattr(Jigsaw, "replay", counted)
    mixture = OneOf([Jigsaw(), HorizontalFlip(), Jigsaw()], weights=[1, 1, 1e-9])
    params = mixture.draw(x, seeded(1))
    result = mixture.replay(x, params)
    stays = params["choice"] == 0
    assert sizes == [int(stays.sum())]  # the third is not even called
    assert torch.equal(result, torch.where(stays.view(-1, 1, 1, 1), x, x.flip(-1)))
