"""Where the negative texture takes its patches from."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from nda.data.images.textures import give_textures
from nda.errors import ConfigError, DataError
from nda.negatives import Crack, OneOf, Texture


def test_every_texture_takes_them_also_one_among_several(tmp_path: Path) -> None:
    for number, size in enumerate([(20, 30), (64, 64)]):
        Image.new("RGB", size, (number, 200, 7)).save(tmp_path / f"{number}.png")
    alone, one_of = Texture(), OneOf([Crack(), Texture()])
    digest = give_textures(str(tmp_path), [alone, one_of], 32)
    within = one_of.members[1]
    for negative in (alone, within):
        assert isinstance(negative, Texture)
        assert negative.textures is not None
        assert negative.textures.shape == (2, 3, 32, 32)
        assert sorted(negative.textures[:, 0, 0, 0].tolist()) == [0, 1]
    assert len(digest) == 32
    Image.new("RGB", (20, 20)).save(tmp_path / "another.png")
    assert give_textures(str(tmp_path), [alone], 32) != digest


def test_without_a_path_nothing_is_done() -> None:
    negative = Texture()
    assert give_textures(None, [negative, Crack()], 32) == ""
    assert negative.textures is None


def test_what_takes_no_textures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"--texture {tmp_path} is where the negative texture"):
        give_textures(str(tmp_path), [OneOf([Crack()])], 32)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        give_textures(str(tmp_path), [Texture()], 32)
