"""Labels that folders give, which folders are normal, and what is refused."""

from __future__ import annotations

import pytest

from nda.data.reading.normal_folders import NormalFolders, normal_folders
from nda.errors import ConfigError

MVTEC = ["test/good/a.png", "test/crack/a.png", "test/hole/left/b.png", "ground_truth/crack/a.png"]


@pytest.mark.parametrize(
    ("file", "anomalous"),
    [
        ("good/a.png", False),
        ("Good/camera 1/a.png", False),
        ("crack/a.png", True),
        ("test/good/a.png", False),
        ("test/crack/a.png", True),
        ("test/a.png", None),
        ("a.png", None),
        ("/photos/good/a.png", False),
    ],
)
def test_folders_label_their_images(file: str, anomalous: bool | None) -> None:
    assert NormalFolders(("good",)).is_anomalous(file) is anomalous


def test_usual_names_are_found_and_others_taken_where_they_are_given() -> None:
    assert normal_folders(None, MVTEC) == NormalFolders(("good",))
    assert normal_folders("crack, hole", MVTEC) == NormalFolders(("crack", "hole"))
    assert normal_folders(None, ["Normal/a", "odd/a"]) == NormalFolders(("Normal",))


@pytest.mark.parametrize("files", [["a.png"], ["cats/a.png", "dogs/b.png"], ["good/a.png"], []])
def test_nothing_is_labelled_where_nothing_says_so(files: list[str]) -> None:
    assert normal_folders(None, files) is None


def test_names_that_are_not_known_before_are_taken_as_they_come() -> None:
    assert normal_folders(None, None) is None
    assert normal_folders("fine", None) == NormalFolders(("fine",))


def test_folders_that_tell_nothing_apart_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"no image lies in such a folder.*there are crack, good"):
        normal_folders("fine", MVTEC)
    with pytest.raises(ConfigError, match=r"no image lies outside such a folder.*there is good"):
        normal_folders("good", ["good/a.png"])
    with pytest.raises(ConfigError, match=r"--normal good: no image lies in.*there is no folder"):
        normal_folders("good", ["a.png"])


def test_the_sentence_names_them() -> None:
    assert "in good is normal, what lies in another" in NormalFolders(("good",)).sentence
    assert "in a or b is normal, what lies in others" in NormalFolders(("a", "b")).sentence
