"""`nda preview`: a picture of every negative."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from nda.cli import main


def preview(data: Path, out: Path, *words: str) -> int:
    return main(["preview", str(data), "--out", str(out), *words])


def test_every_negative_on_the_users_images(
    image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pictures" / "all.png"
    assert preview(image_folder, out, "--count", "5") == 0
    assert capsys.readouterr().out == f"5 images, 9 negatives: {out}\n"
    with Image.open(out) as picture:
        assert picture.height == 10 * (96 + 4) + 4
        assert picture.width > 5 * (96 + 4)  # the labels stand on the left


def test_the_seed_decides(image_folder: Path, tmp_path: Path) -> None:
    names = [tmp_path / f"{index}.png" for index in range(3)]
    for out, seed in zip(names, ("7", "7", "8"), strict=True):
        assert preview(image_folder, out, "--seed", seed, "--negatives", "mixup") == 0
    one, same, other = (path.read_bytes() for path in names)
    assert one == same != other


def test_negatives_with_several_parameters(image_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "some.png"
    names = "cutout:low=0.2,high=0.4, jigsaw:grid=4,jigsaw+stitch"
    assert preview(image_folder, out, "--negatives", names, "--classes", "light, dark") == 0
    with Image.open(out) as picture:
        assert picture.height == 4 * (96 + 4) + 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--count", "1"], "count is 1; stitch and mixup need at least 2 images."),
        (["--negatives", "jigsaw,stich"], "no negative 'stich'; did you mean 'stitch'"),
        (["--negatives", "jigsaw:grid=5"], "32 x 32 (height x width) into a grid of 5 x 5"),
        (["--classes", "ligth"], "has no class 'ligth'. Did you mean 'light'?"),
    ],
)
def test_refused(
    image_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    assert preview(image_folder, tmp_path / "all.png", *words) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert not list(tmp_path.iterdir())


def test_another_kind_of_file_is_refused(
    image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert preview(image_folder, tmp_path / "all.jpg") == 2
    assert "all.jpg must end in .png" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_one_sentence(
    image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "all.png"
    assert preview(image_folder, out, "--negatives", "jigsaw") == 2
    err = capsys.readouterr().err
    assert f"{tmp_path / 'file'} could not be read or written" in err
    assert err.count("\n") == 1


def test_what_was_taken_otherwise_than_it_stands_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime")]
    (tmp_path / "data").mkdir()
    for name in "ab":
        frames[0].save(tmp_path / "data" / f"{name}.gif", save_all=True, append_images=frames[1:])
    words = ["preview", str(tmp_path / "data"), "--negatives", "jigsaw"]
    assert main([*words, "--out", str(tmp_path / "p.png")]) == 0
    taken, *told = capsys.readouterr().err.splitlines(keepends=True)
    assert taken == "nda: 2 images, in no classes, are taken.\n"
    assert "".join(told) == (
        "nda: 2 images have several frames or pages, of which the first was taken (a.gif and 1 "
        "more).\n"
    )


def test_a_negative_that_cannot_be_made_is_left_out_by_name(
    image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out.png")
    words = ["preview", str(image_folder), "--out", out, "--negatives", "jigsaw:grid=5,cutout"]
    assert main(words) == 0
    told = capsys.readouterr()
    assert told.out.endswith(f"1 negative: {out}\n")
    _, left_out = told.err.splitlines()
    assert left_out.startswith(
        "nda: jigsaw:grid=5 is left out: jigsaw cannot cut images of 32 x 32"
    )


def test_foreign_textures_come_from_a_folder(
    image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    textures = tmp_path / "textures"
    textures.mkdir()
    for number in range(2):
        Image.new("RGB", (32, 32), (255, 0, number)).save(textures / f"{number}.png")
    pictures = [tmp_path / "own.png", tmp_path / "foreign.png"]
    words = ["--negatives", "texture"]
    assert preview(image_folder, pictures[0], *words) == 0
    assert preview(image_folder, pictures[1], *words, "--texture", str(textures)) == 0
    assert pictures[0].read_bytes() != pictures[1].read_bytes()
    capsys.readouterr()
    assert preview(image_folder, tmp_path / "no.png", "--texture", str(tmp_path / "gone")) == 2
    assert "--texture: " in capsys.readouterr().err
    assert preview(image_folder, tmp_path / "no.png", "--negatives", "crack",
                   "--texture", str(textures)) == 2  # fmt: skip
    assert "name it among the negatives" in capsys.readouterr().err
