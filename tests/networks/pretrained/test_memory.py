"""A memory of patches against a loop over them, against anomalib's, and with groups left out."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nda.networks.pretrained import memory
from nda.networks.pretrained.cover import greedy_cover
from nda.networks.pretrained.left_out import maps_without_own
from nda.networks.pretrained.left_out_memory import LeftOutMemory
from nda.networks.pretrained.memory import MemoryMap, patches_of
from tests.networks.pretrained.test_gaussian import ThreeMaps, some_images

ALONE = torch.arange(9)
GROUPED = torch.tensor([0, 1, 0, 2, 3, 3, 3, 4, 1])


def patches_one_by_one(images: Tensor) -> Tensor:
    """Of each place what both maps say around it (N, h, w, C), a place at a time."""
    _, fine, coarse = ThreeMaps()(images)
    large = F.interpolate(mean_around(coarse), fine.shape[-2:], mode="bilinear")
    return torch.cat([mean_around(fine), large], dim=1).permute(0, 2, 3, 1)


def mean_around(maps: Tensor) -> Tensor:
    found = torch.zeros_like(maps)
    height, width = maps.shape[-2:]
    for y in range(height):
        for x in range(width):
            part = maps[:, :, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
            found[:, :, y, x] = part.sum(dim=(2, 3)) / 9  # what is outside counts as 0
    return found


def nearest_one_by_one(patches: Tensor, bank: Tensor) -> Tensor:
    flat = patches.flatten(0, 2).double()
    distances = [(bank.double() - patch).square().sum(dim=1).amin().sqrt() for patch in flat]
    return torch.stack(distances).view(patches.shape[:3])


@torch.no_grad()
def test_a_map_is_the_distance_of_each_patch_to_the_nearest_kept() -> None:
    network = MemoryMap(ThreeMaps(), 64, 4)
    normal, new = some_images(4), some_images(2, seed=1)
    network.fit(normal.split(3))
    known, asked = patches_one_by_one(normal), patches_one_by_one(new)
    assert network.bank.shape == (4 * 64, 9)  # all of them: they are few
    expected = nearest_one_by_one(asked, known.flatten(0, 2))
    torch.testing.assert_close(network(new).double(), expected, atol=1e-4, rtol=1e-4)
    assert float(network(normal).amax()) < 1e-2


@torch.no_grad()
def test_what_is_kept_does_not_grow_with_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST_PATCHES", 50)
    network, again = MemoryMap(ThreeMaps(), 64, 7), MemoryMap(ThreeMaps(), 64, 500)
    normal, new = some_images(7), some_images(2, seed=1)
    network.fit(normal.split(3))
    assert network.bank.shape == again.bank.shape == (50, 9)
    known = {tuple(patch) for patch in patches_of(ThreeMaps()(normal)).flatten(0, 2).tolist()}
    assert all(tuple(patch) in known for patch in network.bank.tolist())
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(new), network(new))


@torch.no_grad()
def test_where_a_patch_lies_does_not_matter() -> None:
    # Rolled by the coarsest stride, inner patches are those of other places.
    network = MemoryMap(ThreeMaps(), 128, 3)
    normal = some_images(3, side=128)
    network.fit([normal])
    rolled = network(normal.roll((32, 32), dims=(2, 3)))
    assert float(rolled[:, 7:13, 7:13].amax()) < 1e-2
    assert float(network(some_images(3, side=128, seed=1))[:, 7:13, 7:13].amin()) > 0.1


@torch.no_grad()
@pytest.mark.parametrize("few", [None, 10], ids=["all patches", "few of each"])
@pytest.mark.parametrize("owners", [ALONE, GROUPED], ids=["alone", "grouped"])
def test_the_fit_that_an_image_surprises_least(
    owners: Tensor, few: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if few:
        groups = int(owners.max()) + 1
        monkeypatch.setattr("nda.networks.pretrained.left_out_memory.MOST_OF_ALL", few * groups)
    normal, new = some_images(9), some_images(4, seed=1)
    new = torch.cat([new, normal[3:4], (normal[:1] + normal[5:6]) / 2])
    network = LeftOutMemory(ThreeMaps(), 64, owners)
    network.fit(normal.split(4))
    own = few or 64
    assert network.bank.shape == ((int(owners.max()) + 1) * own, 9)
    of_group = torch.arange(len(network.bank)) // own
    for group in range(int(owners.max()) + 1):
        points = patches_of(ThreeMaps()(normal[owners == group])).flatten(0, 2)
        rows, _ = greedy_cover(points, own)
        assert torch.equal(points[rows], network.bank[of_group == group])
    patches = patches_one_by_one(new)
    maps = torch.stack(
        [
            nearest_one_by_one(patches, network.bank[of_group != group])
            for group in range(int(owners.max()) + 1)
        ]
    )  # (groups, B, h, w)
    least = maps.flatten(2).amax(dim=2).amin(dim=0)
    found = network(new).double()
    torch.testing.assert_close(found.flatten(1).amax(dim=1), least, atol=1e-3, rtol=1e-3)
    for row, each in enumerate(found):  # it is the map of a single fit
        assert min(float((each - of_fit).abs().amax()) for of_fit in maps[:, row]) < 1e-2


@torch.no_grad()
def test_where_every_group_is_nearest_to_something_the_one_that_is_missed_least_goes() -> None:
    normal = some_images(3) * torch.tensor([1.0, 0.5, 0.25]).view(3, 1, 1, 1)
    network = LeftOutMemory(ThreeMaps(), 64, torch.arange(3))
    network.fit([normal])
    for first, second, third in permutations(range(3)):
        new = normal[first : first + 1].clone()
        new[:, :, :, 16:40] = normal[second, :, :, 16:40]
        new[:, :, :, 40:] = normal[third, :, :, 40:]
        patches = patches_one_by_one(new)
        maps = [
            nearest_one_by_one(patches, network.bank[torch.arange(3 * 64) // 64 != group])
            for group in range(3)
        ]
        least = min(float(each.amax()) for each in maps)
        assert float(network(new).amax()) == pytest.approx(least, rel=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("owners", [ALONE, GROUPED], ids=["alone", "grouped"])
def test_a_normal_image_is_judged_without_its_group(owners: Tensor) -> None:
    normal = some_images(9)
    network = LeftOutMemory(ThreeMaps(), 64, owners)
    network.fit(normal.split(4))
    numbers = torch.tensor([8, 2, 0])
    found = maps_without_own(network, normal[numbers], numbers)
    of_group = torch.arange(len(network.bank)) // 64
    for row, number in enumerate(numbers.tolist()):
        bank = network.bank[of_group != owners[number]]
        expected = nearest_one_by_one(patches_one_by_one(normal[number : number + 1]), bank)
        torch.testing.assert_close(found[row : row + 1].double(), expected, atol=1e-3, rtol=1e-3)


@torch.no_grad()
def test_the_order_of_the_images_is_all_the_same_where_groups_are_left_out() -> None:
    normal, new = some_images(9), some_images(3, seed=1)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    found = []
    for rows in (torch.arange(9), order):
        network = LeftOutMemory(ThreeMaps(), 64, GROUPED[rows])
        network.fit(normal[rows].split(2))
        found.append(network(new))
    torch.testing.assert_close(*found)


@torch.no_grad()
@pytest.mark.parametrize("count", [1, 5])
def test_anomalib_has_the_same_patches_and_distances(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("anomalib", reason="anomalib has an environment of its own")
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    class Given(torch.nn.Module):
        def forward(self, images: Tensor) -> dict[str, Tensor]:
            return dict(zip("abc", ThreeMaps()(images), strict=True))

    theirs = PatchcoreModel(["layer2", "layer3"], "resnet18", pre_trained=False, num_neighbors=1)
    theirs.feature_extractor, theirs.layers = Given(), ["b", "c"]
    monkeypatch.setattr(memory, "MOST_PATCHES", 40)
    ours = MemoryMap(ThreeMaps(), 64, count)
    normal, new = some_images(count), some_images(3, seed=1)
    ours.fit([normal])
    theirs.train()
    torch.testing.assert_close(theirs(normal), patches_of(ThreeMaps()(normal)).flatten(0, 2))
    theirs.eval()
    theirs.memory_bank = ours.bank
    expected = theirs(new)
    torch.testing.assert_close(ours(new).flatten(1).amax(1), expected.pred_score.flatten())
    # Their choice of as many leaves patches about as far away: where each begins differs.
    torch.manual_seed(0)
    theirs.subsample_embedding(40 / (64 * count) + 1e-6)
    assert len(theirs.memory_bank) == 40
    patches = patches_of(ThreeMaps()(normal)).flatten(0, 2)
    ours_left, theirs_left = (
        float(torch.cdist(patches, bank).amin(1).amax()) for bank in (ours.bank, theirs.memory_bank)
    )
    assert ours_left < 1.5 * theirs_left
