"""Images that are decoded when they are taken: to all code the tensor that they would make."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from nda.data.reading import on_demand
from nda.data.reading.on_demand import Decoder, Known, OnDemand, Pictures
from nda.errors import DataError

COUNT, SIDE = 20, 8
PIXELS = np.random.default_rng(0).integers(0, 256, (COUNT, SIDE, SIDE, 3)).astype(np.uint8)
PLAIN = torch.from_numpy(PIXELS).permute(0, 3, 1, 2).contiguous()


@pytest.fixture(autouse=True)
def all_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_demand, "LARGE", 1)


@pytest.fixture
def opened() -> Counter[str]:
    return Counter()


@pytest.fixture
def images(opened: Counter[str]) -> OnDemand:
    def open_image(name: str) -> Image.Image:
        opened[name] += 1
        return Image.fromarray(PIXELS[int(name)])

    names = [str(number) for number in range(COUNT)]
    pictures = Pictures("here", names, open_image, SIDE, None, "crop")
    known = Known(torch.arange(COUNT)[:, None], torch.zeros(COUNT, 4))
    return OnDemand(Decoder(pictures), torch.arange(COUNT), known)


def test_what_is_known_takes_no_decoding(images: OnDemand, opened: Counter[str]) -> None:
    assert images.shape == PLAIN.shape
    assert (images.dtype, images.device, images.nbytes) == (PLAIN.dtype, PLAIN.device, PLAIN.nbytes)
    assert (len(images), images.dim(), images.is_cuda) == (COUNT, 4, False)
    assert images.to("cpu") is images
    assert images.cpu().contiguous() is images
    some = images[4:12]
    assert isinstance(some, OnDemand)
    assert some.digests[:, 0].tolist() == list(range(4, 12))
    assert not opened


@pytest.mark.parametrize(
    "rows",
    [[3, 3, 1], [], [19], list(range(COUNT)), [-1, 0]],
    ids=str,
)
def test_rows_are_those_of_the_tensor(images: OnDemand, rows: list[int]) -> None:
    index = torch.tensor(rows, dtype=torch.int64)
    found = images[index]
    assert type(found) is Tensor
    assert torch.equal(found, PLAIN[index])
    assert not images.decoder._waiting


def test_other_ways_to_ask_for_some(images: OnDemand, opened: Counter[str]) -> None:
    assert torch.equal(images[-1], PLAIN[-1])
    assert opened == {"19": 1}
    even = torch.arange(COUNT) % 2 == 0
    assert torch.equal(images[even], PLAIN[even])
    assert torch.equal(images[::2].clone(), PLAIN[::2])
    assert torch.equal(images[2:][1:3] + 0, PLAIN[3:5])
    assert torch.equal(torch.cat(list(images.split(7))), PLAIN)
    assert torch.equal(torch.cat(list(images.split([7, 13]))), PLAIN)
    assert torch.equal(images[:, 0], PLAIN[:, 0])


def test_any_other_operation_sees_the_whole(images: OnDemand) -> None:
    assert torch.equal(images.flatten(1), PLAIN.flatten(1))
    assert torch.equal(images.to(torch.float32), PLAIN.float())
    assert torch.equal(torch.cat([images, PLAIN]), torch.cat([PLAIN, PLAIN]))
    assert torch.equal(torch.index_select(images, 0, torch.tensor([2])), PLAIN[2:3])
    assert np.array_equal(images.numpy(), PLAIN.numpy())
    assert torch.equal(images, PLAIN)


def test_few_are_decoded_at_once(images: OnDemand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_demand, "LARGE", 3 * 3 * SIDE**2)
    assert type(images.only(torch.tensor([4, 2]))) is Tensor
    assert type(images.only(torch.tensor([4, 2, 1]))) is OnDemand


def test_what_was_announced_is_decoded_once(images: OnDemand, opened: Counter[str]) -> None:
    images.prepare(torch.tensor([5, 6, 7]))
    images.prepare(torch.tensor([7, 8]))
    assert torch.equal(images[torch.tensor([8, 5])], PLAIN[[8, 5]])
    assert torch.equal(images[torch.tensor([7, 6])], PLAIN[[7, 6]])
    assert opened == {"5": 1, "6": 1, "7": 1, "8": 1}
    assert not images.decoder._waiting


def test_many_are_taken_in_blocks(images: OnDemand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_demand, "_BLOCK_BYTES", 3 * 3 * SIDE**2)
    rows = torch.tensor([0, 1, 2, 1, 3, 3, 19, 18, 0, 0])
    assert torch.equal(images[rows], PLAIN[rows])
    assert not images.decoder._waiting


def test_a_picture_that_cannot_be_read_is_named() -> None:
    def fail(name: str) -> Image.Image:
        raise ValueError(f"no {name}")

    pictures = Pictures("here", ["a", "b"], fail, SIDE, None, "crop")
    images = OnDemand(Decoder(pictures), torch.arange(2), Known(torch.zeros(2, 1), torch.zeros(2)))
    images.prepare(torch.tensor([1]))
    with pytest.raises(DataError, match=r"^here: b cannot be read \(no b\)\. Mend it or take"):
        images[torch.tensor([1])]


def test_one_of_another_size_is_named() -> None:
    def open_image(name: str) -> Image.Image:
        return Image.new("RGB", (len(name), len(name)))

    pictures = Pictures("here", ["aaa", "bbbb"], open_image, 3, None, "crop")
    with pytest.raises(DataError, match=r"differ in size: aaa is 3 x 3, bbbb is 4 x 4 pixels"):
        Decoder(pictures).take(torch.tensor([0, 1]))
