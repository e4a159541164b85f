"""Normal images left out group by group, in closed form, against fits to the others one by one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nda.networks.pretrained.gaussian import GaussianMap
from nda.networks.pretrained.left_out import (
    LeftOutCombined,
    LeftOutGaussian,
    LeftOutNeighbours,
    maps_without_own,
)
from nda.networks.pretrained.neighbours import NeighbourMap
from tests.networks.pretrained.test_gaussian import ThreeMaps, some_images

ALONE = torch.arange(9)
GROUPED = torch.tensor([0, 1, 0, 2, 3, 3, 3, 4, 1])


def fitted_one_by_one(normal: Tensor, owners: Tensor) -> list[GaussianMap]:
    """A Gaussian for each group, fitted to the images of all others."""
    found = []
    for group in range(int(owners.max()) + 1):
        network = GaussianMap(ThreeMaps(), 64)
        network.fit(normal[owners != group].split(4))
        found.append(network)
    return found


@pytest.mark.parametrize("owners", [ALONE, GROUPED], ids=["alone", "grouped"])
@pytest.mark.parametrize("alike", [False, True], ids=["all differ", "much alike"])
def test_every_fit_is_the_one_to_all_other_images(owners: Tensor, alike: bool) -> None:
    normal, new = some_images(9), some_images(3, seed=1)
    if alike:
        normal = normal[:1] + 0.05 * normal
    network = LeftOutGaussian(ThreeMaps(), 64, owners)
    network.fit(normal.split(4))
    one_by_one = fitted_one_by_one(normal, owners)
    with torch.no_grad():
        found = network.of_every_fit(network.centred(network.trunk(new)))
        expected = torch.stack([each(new) for each in one_by_one], dim=1)
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=2e-3)
    # The image's map is that of the fit which it surprises least.
    least = expected.flatten(2).amax(2).min(1)
    torch.testing.assert_close(network(new).flatten(1).amax(1), least.values, rtol=2e-3, atol=2e-3)
    chosen = expected[torch.arange(3), least.indices]
    torch.testing.assert_close(network(new), chosen, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("owners", [ALONE, GROUPED], ids=["alone", "grouped"])
def test_a_normal_image_is_judged_without_its_group(owners: Tensor) -> None:
    normal = some_images(9)
    network = LeftOutGaussian(ThreeMaps(), 64, owners)
    network.fit(normal.split(4))
    numbers = torch.tensor([8, 2, 0])
    found = network.without_own(network.trunk(normal[numbers]), numbers)
    one_by_one = fitted_one_by_one(normal, owners)
    with torch.no_grad():
        for row, number in enumerate(numbers.tolist()):
            expected = one_by_one[int(owners[number])](normal[number : number + 1])[0]
            torch.testing.assert_close(found[row], expected, rtol=2e-3, atol=2e-3)


def test_its_state_is_all_that_it_knows() -> None:
    # A file says how many images and groups there were, before its tensors are taken.
    unknown = torch.arange(9).clamp(max=4)
    network, again = (LeftOutGaussian(ThreeMaps(), 64, each) for each in (GROUPED, unknown))
    network.fit([some_images(9)])
    again.load_state_dict(network.state_dict())
    new = some_images(2, seed=1)
    assert torch.equal(network(new), again(new))


@pytest.mark.parametrize("owners", [ALONE, GROUPED], ids=["alone", "grouped"])
def test_neighbours_leave_groups_out_and_the_least_surprised_fit_is_that_to_all(
    owners: Tensor,
) -> None:
    normal, new = some_images(9), some_images(4, seed=1)
    network = LeftOutNeighbours(ThreeMaps(), owners)
    network.fit(normal.split(4))
    one_by_one = []
    for group in range(int(owners.max()) + 1):
        kept = normal[owners != group]
        plain = NeighbourMap(ThreeMaps(), len(kept))
        plain.fit([kept])
        one_by_one.append(plain)
    numbers = torch.arange(9)
    found = maps_without_own(network, normal, numbers)
    for number, group in enumerate(owners.tolist()):
        torch.testing.assert_close(found[number], one_by_one[group](normal[number][None])[0])
    least = torch.stack([each(new).mean(dim=(1, 2)) for each in one_by_one]).amin(0)
    torch.testing.assert_close(network(new).mean(dim=(1, 2)), least)


def test_both_together_are_each_on_its_own_scale() -> None:
    normal, new = some_images(9), some_images(4, seed=1)
    network = LeftOutCombined(ThreeMaps(), 64, GROUPED)
    gaussian = LeftOutGaussian(ThreeMaps(), 64, GROUPED)
    neighbours = LeftOutNeighbours(ThreeMaps(), GROUPED)
    numbers = torch.arange(9)
    logs = []
    for each in (network, gaussian, neighbours):
        each.fit(normal.split(4))
    for each in (gaussian, neighbours):
        maps = maps_without_own(each, normal, numbers).flatten(1)
        logs.append((maps.amax(1) if each.pooling == "max" else maps.mean(1)).log())
    torch.testing.assert_close(network.middle, torch.stack([each.mean() for each in logs]))
    torch.testing.assert_close(network.spread, torch.stack([each.std() for each in logs]))
    own = maps_without_own(network, normal, numbers).flatten(1).amax(1)
    scored = [(each - each.mean()) / each.std() for each in logs]
    torch.testing.assert_close(own, torch.maximum(*scored), atol=1e-3, rtol=1e-3)
    with torch.no_grad():
        least = gaussian(new).flatten(1).amax(1).log(), neighbours(new).mean((1, 2)).log()
    scored = [(a - b.mean()) / b.std() for a, b in zip(least, logs, strict=True)]
    torch.testing.assert_close(
        network(new).flatten(1).amax(1), torch.maximum(*scored), atol=1e-3, rtol=1e-3
    )
