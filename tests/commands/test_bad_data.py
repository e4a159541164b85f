"""What users get wrong when they train: one sentence, exit code 2, and nothing half written."""

from __future__ import annotations

import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.support.tiny_run import train

Refusal = Callable[[list[str]], str]


@pytest.fixture
def data(image_folder: Path, tmp_path: Path) -> Path:
    """Images that a test may spoil: 20 in train/dark."""
    shutil.copytree(image_folder / "train" / "dark", tmp_path / "images" / "train" / "dark")
    return tmp_path / "images"


def zipped(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for image in sorted(folder.rglob("*.*")):
            archive.write(image, image.relative_to(folder).as_posix())
    return path


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims to be of this size and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(100))
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.fixture(autouse=True)
def nothing_is_written(tmp_path: Path) -> Iterator[None]:
    """Whatever is refused leaves no run folder behind."""
    yield
    assert not (tmp_path / "run").exists()


def test_a_path_that_is_not_there(data: Path, tmp_path: Path, refusal: Refusal) -> None:
    wrong = tmp_path / "imagse"
    said = refusal(train(wrong, tmp_path / "run"))
    assert f"There is no {wrong}. Did you mean {data}?" in said


def test_a_folder_without_images(tmp_path: Path, refusal: Refusal) -> None:
    (tmp_path / "empty").mkdir()
    assert "empty holds no images" in refusal(train(tmp_path / "empty", tmp_path / "run"))
    (tmp_path / "empty" / "notes.txt").write_text("no image")
    said = refusal(train(tmp_path / "empty", tmp_path / "run"))
    assert "It holds notes.txt." in said


def test_a_single_file(tmp_path: Path, refusal: Refusal) -> None:
    (tmp_path / "one.png").write_bytes(png_header(32, 32))
    said = refusal(train(tmp_path / "one.png", tmp_path / "run"))
    assert "one.png is a single file. Give a folder of images" in said


def test_one_image_only(data: Path, tmp_path: Path, refusal: Refusal) -> None:
    for path in sorted((data / "train" / "dark").iterdir())[1:]:
        path.unlink()
    said = refusal(train(data, tmp_path / "run"))
    assert "has 1 image in the train split; at least 2 are needed" in said


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_zip_cut_short(data: Path, tmp_path: Path, refusal: Refusal, share: float) -> None:
    path = zipped(data, tmp_path / "images.zip")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    said = refusal(train(path, tmp_path / "run"))
    assert "images.zip is not a readable zip" in said


def test_a_zip_that_points_outside(data: Path, tmp_path: Path, refusal: Refusal) -> None:
    path = zipped(data, tmp_path / "images.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../outside.png", png_header(32, 32))
    said = refusal(train(path, tmp_path / "run"))
    assert "'../outside.png' has a name that points outside the archive" in said
    assert not (tmp_path.parent / "outside.png").exists()


BROKEN = {
    "text.jpg": (b"not an image at all\n", "not an image"),
    "nothing.png": (b"", "an empty file"),
    "huge.png": (png_header(40_000, 40_000), "more than 64 megapixels"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_is_no_image(
    data: Path, tmp_path: Path, refusal: Refusal, name: str, packed: bool
) -> None:
    content, reason = BROKEN[name]
    (data / "train" / "dark" / name).write_bytes(content)
    source = zipped(data, tmp_path / "images.zip") if packed else data
    said = refusal(train(source, tmp_path / "run"))
    assert f"train/dark/{name} cannot be read ({reason}" in said
    assert "--skip-broken" in said


def test_a_jpeg_cut_short(data: Path, tmp_path: Path, refusal: Refusal) -> None:
    folder = data / "train" / "dark"
    with Image.open(folder / "000.png") as image:
        image.save(folder / "cut.jpg")
    whole = (folder / "cut.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    said = refusal(train(data, tmp_path / "run"))
    assert "train/dark/cut.jpg cannot be read (" in said


def test_images_of_different_sizes(data: Path, tmp_path: Path, refusal: Refusal) -> None:
    Image.new("RGB", (48, 48)).save(data / "train" / "dark" / "large.png")
    said = refusal(train(data, tmp_path / "run"))
    assert "images differ in size" in said
    assert "large.png is 48 x 48 pixels. Give --resolution" in said


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"negative": "jigsaw:grid=5"}, "into a grid of 5 x 5 equal tiles"),
        ({"negative": "jigsw"}, "no negative 'jigsw'; did you mean 'jigsaw'?"),
        ({"fake_weight": "1.5"}, "fake_weight is 1.5; it must lie between 0 and 1."),
        ({"fake_weight": "much"}, "fake_weight is 'much', but a number was expected."),
        ({"steps": "-1"}, "steps is -1; it must be at least 1."),
        ({"steps": "many"}, "steps is 'many', but a whole number was expected."),
        (
            {"network": "bigan"},
            "network is 'bigan', but one of biggan, dcgan, dcgan_dense, wgan_gp was expected.",
        ),
        ({"fake_wieght": "0.5"}, "There is no setting 'fake_wieght'; did you mean"),
        ({"device": "gpu"}, "--device gpu is not known; give auto, cpu, cuda"),
        ({"device": "cuda:99"}, "--device cuda:99 was asked for, but torch sees"),
        ({"resolution": "33", "network": "biggan"}, "32, 64, 128 pixels, not for 33"),
        ({"inception_weights": "none.pth"}, "inception_weights is none.pth, and there is no"),
    ],
    ids=str,
)
def test_settings(
    image_folder: Path,
    tmp_path: Path,
    refusal: Refusal,
    changes: dict[str, str],
    message: str,
) -> None:
    assert message in refusal(train(image_folder, tmp_path / "run", **changes))


def test_settings_in_a_file(image_folder: Path, tmp_path: Path, refusal: Refusal) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("recipe: gan\nnegatvie: jigsaw\n")
    words = [*train(image_folder, tmp_path / "run"), "--config", str(path)]
    said = refusal(words)
    assert "There is no setting 'negatvie'; did you mean 'negative'?" in said


def test_a_missing_option(image_folder: Path, refusal: Refusal) -> None:
    said = refusal(["train", "gan", "--data", str(image_folder)])
    assert "Missing: --out." in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "There is no command 'trian'; did you mean 'train'?"),
        (["train", "gann"], "There is no recipe 'gann'; did you mean 'gan'?"),
    ],
)
def test_unknown_names(words: list[str], message: str, refusal: Refusal) -> None:
    assert message in refusal(words)


def test_conditional_without_classes(data: Path, tmp_path: Path, refusal: Refusal) -> None:
    words = train(data / "train" / "dark", tmp_path / "run", conditional="true", network="biggan")
    assert "has no class folders" in refusal(words)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_cuda_without_cuda(image_folder: Path, tmp_path: Path, refusal: Refusal) -> None:
    said = refusal(train(image_folder, tmp_path / "run", device="cuda"))
    assert "--device cuda was asked for, but torch sees 0 CUDA devices here." in said


def test_a_run_folder_below_a_file(image_folder: Path, tmp_path: Path, refusal: Refusal) -> None:
    (tmp_path / "file").write_text("kept")
    said = refusal(train(image_folder, tmp_path / "file" / "run"))
    assert f"{tmp_path / 'file'} is a file, not a folder" in said
    assert (tmp_path / "file").read_text() == "kept"


def test_a_run_among_its_own_images_is_refused(data: Path, refusal: Refusal) -> None:
    out = data / "train" / "run"
    assert f"--out {out} lies within the data {data}" in refusal(train(data, out))
    assert not out.exists()
