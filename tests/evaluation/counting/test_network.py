from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nda.errors import ConfigError, DataError, ShapeError
from nda.evaluation.counting import network as module
from nda.evaluation.counting.network import CountNetwork, train_count_network

SIZE = 16
COUNTS = (0, 2, 5)  # with a gap, so that a count is not mistaken for a class


def blocks(per_count: int, seed: int, counts: tuple[int, ...] = COUNTS) -> tuple[Tensor, Tensor]:
    """Grey images with so many bright blocks of 3 x 3, in a 4 x 4 raster."""
    rng = torch.Generator().manual_seed(seed)
    images = torch.full((per_count * len(counts), 3, SIZE, SIZE), 90, dtype=torch.uint8)
    numbers = torch.tensor(counts).repeat(per_count)
    for image, number in zip(images, numbers.tolist(), strict=True):
        for cell in torch.randperm(16, generator=rng)[:number].tolist():
            row, column = 4 * (cell // 4), 4 * (cell % 4)
            colour = torch.randint(150, 255, (3, 1, 1), generator=rng, dtype=torch.uint8)
            image[:, row : row + 3, column : column + 3] = colour
    return images, numbers


def train(seed: int = 0, cache_path: Path | None = None, budget: int = 5000) -> CountNetwork:
    images, counts = blocks(60, seed=1)
    heldout_images, heldout_counts = blocks(20, seed=2)
    return train_count_network(
        images,
        counts,
        heldout_images=heldout_images,
        heldout_counts=heldout_counts,
        cache_path=cache_path,
        seed=seed,
        budget=budget,
    )


@pytest.fixture(scope="module")
def network() -> CountNetwork:
    return train()


def test_counts_what_it_has_not_seen(network: CountNetwork) -> None:
    images, counts = blocks(30, seed=3)
    found = network.count(images)
    assert found.dtype == torch.int64
    assert found.shape == counts.shape
    assert set(found.tolist()) <= set(COUNTS)
    assert (found == counts).double().mean() > 0.9


def test_accuracy_and_confusion_are_those_of_the_heldout_images(network: CountNetwork) -> None:
    images, counts = blocks(20, seed=2)
    found = network.count(images)
    assert network.accuracy == (found == counts).double().mean().item()
    for row, truth in enumerate(COUNTS):
        for column, answer in enumerate(COUNTS):
            cell = ((counts == truth) & (found == answer)).sum()
            assert network.confusion[row, column] == cell
    assert network.confusion.sum() == len(images)


def test_answers_do_not_depend_on_company(network: CountNetwork) -> None:
    images, _ = blocks(4, seed=5)
    alone = torch.cat([network.count(image[None]) for image in images])
    assert torch.equal(network.count(images), alone)
    assert network.count(images[:0]).shape == (0,)


def test_a_kept_network_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "counter.safetensors"
    first = train(cache_path=path, budget=400)
    monkeypatch.setattr(module, "_fit", lambda *_: pytest.fail("trained again"))
    second = train(cache_path=path, budget=400)
    images, _ = blocks(5, seed=6)
    assert torch.equal(first.count(images), second.count(images))
    assert torch.equal(first.confusion, second.confusion)
    assert first.accuracy == second.accuracy


def test_a_network_kept_for_other_data_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "counter.safetensors"
    images, counts = blocks(20, seed=7, counts=(1, 3))
    train_count_network(
        images,
        counts,
        heldout_images=images,
        heldout_counts=counts,
        cache_path=path,
        budget=200,
    )
    assert train(cache_path=path, budget=400).counts == COUNTS


def test_one_count_alone_is_refused() -> None:
    images, counts = blocks(20, seed=1, counts=(3,))
    with pytest.raises(DataError, match="tell numbers of objects apart, and all its images show 3"):
        train_count_network(images, counts, heldout_images=images, heldout_counts=counts)


def test_heldout_counts_that_are_never_learned_are_refused() -> None:
    images, counts = blocks(20, seed=1)
    others, strange = blocks(20, seed=1, counts=(2, 4, 7))
    with pytest.raises(DataError, match=r"Held-out images show 4, 7 objects"):
        train_count_network(images, counts, heldout_images=others, heldout_counts=strange)


def test_nothing_held_out_is_refused() -> None:
    images, counts = blocks(20, seed=1)
    with pytest.raises(DataError, match="measured on held-out images; hold some out"):
        train_count_network(images, counts, heldout_images=images[:0], heldout_counts=counts[:0])


def test_a_budget_of_nothing_is_refused() -> None:
    images, counts = blocks(20, seed=1)
    with pytest.raises(ConfigError, match="is 0 images; give 1 or more"):
        train_count_network(images, counts, heldout_images=images, heldout_counts=counts, budget=0)


def test_follows_from_the_seed_alone(network: CountNetwork) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (train(seed, budget=300) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    weights = [one.network.head.weight for one in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def cut_short(content: bytes) -> bytes:
    return content[: len(content) // 2]


def other_weights(content: bytes) -> bytes:
    return content[:-4000] + b"\x7f\x7f\x10\x41" * 1000


@pytest.mark.parametrize("damage", [cut_short, other_weights, lambda _: b"no safetensors"])
def test_a_damaged_file_is_replaced(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "counter.safetensors"
    train(cache_path=path, budget=300)
    content = path.read_bytes()
    path.write_bytes(damage(content))
    with pytest.warns(UserWarning, match=r"counter.safetensors is damaged .* trained anew"):
        train(cache_path=path, budget=300)
    assert path.read_bytes() == content


def test_images_and_counts_must_match() -> None:
    images, counts = blocks(20, seed=1)
    with pytest.raises(ShapeError, match=r"counts of shape \(60,\), one an image; got \(59,\)"):
        train_count_network(images, counts[1:], heldout_images=images, heldout_counts=counts)
    with pytest.raises(ShapeError, match=r"network must be uint8 .* got torch.float32"):
        train_count_network(images.float(), counts, heldout_images=images, heldout_counts=counts)


def test_images_of_another_type_are_refused(network: CountNetwork) -> None:
    with pytest.raises(ShapeError, match="uint8"):
        network.count(torch.zeros(2, 3, SIZE, SIZE))
