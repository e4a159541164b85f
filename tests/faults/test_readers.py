"""Some damage to every text that is read at once, and that the same number is the same damage."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.fuzz import fault_of, mutation
from tests.faults.made_inputs import make_texts
from tests.faults.mutations import KINDS, mutated
from tests.faults.planted import endless, raising
from tests.faults.readers import TEXTS, kinds


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    make_texts(folder)
    return folder


@pytest.mark.parametrize("name", TEXTS)
def test_damaged_texts_are_read_or_refused(home: Path, name: str) -> None:
    kind = kinds(home)[name]
    for index in range(25):
        file, data = mutation(kind, 0, index)
        (kind.folder / file).write_bytes(data)
        assert fault_of(kind, kind.folder / file, None) == "", f"{name} {index}"
        (kind.folder / file).write_bytes(kind.files[file])


def test_every_mutation_changes_something_and_can_be_repeated() -> None:
    data = bytes(range(32, 127)) * 3
    for kind in KINDS:
        found = [kind(data, random.Random(seed)) for seed in range(8)]
        assert found == [kind(data, random.Random(seed)) for seed in range(8)]
        assert any(each != data for each in found), kind.__name__


def test_files_of_a_kind_are_joined_and_emptied() -> None:
    found = {mutated(b"a", random.Random(seed), [b"a", b"bc" * 40]) for seed in range(300)}
    assert len(found) > 100


def test_a_reader_that_lets_an_error_through_is_found(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nda.data.boxes.voc._object", raising)
    kind = kinds(home)["boxes"]
    assert "KeyError at planted.py" in fault_of(kind, kind.folder / "labels.txt", None)
    monkeypatch.setattr("nda.data.boxes.voc._object", endless)
    monkeypatch.setattr("tests.faults.fuzz.LIMIT", 0.1)
    assert "took more than" in fault_of(kind, kind.folder / "labels.txt", None)
