"""Files that know when a bit of them has changed, and those of earlier versions, which do not."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save

from nda.errors import CheckpointError
from nda.runtime.sealed import (
    DamagedError,
    check_archive,
    load_json,
    load_tensors,
    read_as,
    save_archive,
    save_tensors,
    sealed_json,
)

TENSORS = {"weight": torch.arange(12.0), "count": torch.tensor(3)}


def archive(path: Path) -> Path:
    with path.open("xb") as file:
        save_archive({"format": 1, "state": TENSORS}, file)
    return path


def tensor_file(path: Path) -> Path:
    path.write_bytes(save_tensors(TENSORS, "detector", json.dumps({"width": 16})))
    return path


KINDS: list[tuple[Callable[[Path], Path], Callable[[Path], object]]] = [
    (archive, check_archive),
    (tensor_file, lambda path: load_tensors(path, ("detector",))),
]


@pytest.mark.parametrize(("write", "read"), KINDS, ids=["archive", "safetensors"])
def test_every_flipped_bit_is_seen(
    tmp_path: Path, write: Callable[[Path], Path], read: Callable[[Path], object]
) -> None:
    path = write(tmp_path / "file")
    whole = path.read_bytes()
    read(path)
    rng = random.Random(0)
    ends = range(8 * (len(whole) - 200), 8 * len(whole))  # where the digest of an archive stands
    for bit in {*rng.sample(range(8 * len(whole)), 500), *rng.sample(ends, 300), *range(1600)}:
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(DamagedError):
            read(path)


@pytest.mark.parametrize(("write", "read"), KINDS, ids=["archive", "safetensors"])
def test_a_file_of_another_length_is_damaged(
    tmp_path: Path, write: Callable[[Path], Path], read: Callable[[Path], object]
) -> None:
    path = write(tmp_path / "file")
    whole = path.read_bytes()
    for other in (b"", whole[:5], whole[: len(whole) // 2], whole[:-1], whole + b"\0", whole * 2):
        path.write_bytes(other)
        with pytest.raises(DamagedError):
            read(path)


def test_other_programs_read_what_is_sealed(tmp_path: Path) -> None:
    state = torch.load(archive(tmp_path / "a.pt"), weights_only=True)["state"]
    assert torch.equal(state["weight"], TENSORS["weight"])
    with safe_open(tensor_file(tmp_path / "a.safetensors"), framework="pt") as file:
        assert torch.equal(file.get_tensor("weight"), TENSORS["weight"])
        about = file.metadata()
    assert json.loads(about["detector"]) == {"width": 16}
    content = (tmp_path / "a.safetensors").read_bytes()
    blank = content.replace(about["sha256"].encode(), b"0" * 64)
    assert hashlib.sha256(blank).hexdigest() == about["sha256"]


def test_an_archive_without_a_digest_is_judged_by_its_checksums(tmp_path: Path) -> None:
    path = tmp_path / "old.pt"
    torch.save({"weight": torch.full((100,), 1.5)}, path)
    check_archive(path)
    content = path.read_bytes()
    place = content.index(torch.full((100,), 1.5).numpy().tobytes()) + 40
    path.write_bytes(content[:place] + b"\1" + content[place + 1 :])
    with pytest.raises(DamagedError, match=r"checksum of .*data/0 differs"):
        check_archive(path)


def test_tensors_without_a_digest_are_read(tmp_path: Path) -> None:
    path = tmp_path / "old.safetensors"
    path.write_bytes(save(TENSORS, {"detector": "{}"}))
    tensors, about = load_tensors(path, ("detector",))
    assert torch.equal(tensors["weight"], TENSORS["weight"])
    assert about == {"detector": "{}"}
    path.write_bytes(save(TENSORS))
    assert load_tensors(path, ("detector",))[1] == {}
    with pytest.raises(FileNotFoundError):
        load_tensors(tmp_path / "nowhere", ())


SAID = {"step": 7, "scores": [0.1, float("inf"), -1e-9], "names": {"a": "\udcff", "b": None}}


@pytest.mark.parametrize("indent", [None, 1])
def test_every_flipped_bit_of_json_is_seen_unless_it_says_the_same(
    tmp_path: Path, indent: int | None
) -> None:
    path = tmp_path / "file.json"
    path.write_text(sealed_json(SAID, indent=indent))
    whole = path.read_bytes()
    seen = 0
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            assert load_json(path, tuple(SAID), unsealed=True) == SAID
        except DamagedError:
            seen += 1
    assert seen > 7 * len(whole)


def test_json_without_a_digest_serves_only_where_it_may(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text(json.dumps(SAID))
    assert load_json(path, tuple(SAID), unsealed=True) == SAID
    with pytest.raises(DamagedError, match="SHA-256 differs"):
        load_json(path, tuple(SAID))
    for other in ("", "[]", "[" * 100_000, '{"stop": 7}', "\0"):
        path.write_text(other)
        with pytest.raises(DamagedError):
            load_json(path, tuple(SAID), unsealed=True)


@pytest.mark.parametrize("met", [OSError, KeyError, ValueError, RuntimeError, RecursionError])
def test_what_is_met_in_a_damaged_file_is_one_sentence(met: type[Exception]) -> None:
    with pytest.raises(CheckpointError) as refused, read_as("network", Path("a.x"), "Save it."):
        raise met("cut\nshort")
    said = str(refused.value)
    assert said.startswith("a.x is damaged or no network of this version of nda (")
    assert said.endswith("). Save it.")
    assert "\n" not in said


def test_what_is_refused_already_and_what_is_no_damage_pass_through() -> None:
    with pytest.raises(CheckpointError, match=r"^already$"), read_as("network", Path("a"), ""):
        raise CheckpointError("already")
    with pytest.raises(KeyboardInterrupt), read_as("network", Path("a"), ""):
        raise KeyboardInterrupt
