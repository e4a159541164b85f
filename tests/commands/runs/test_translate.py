"""`nda sample RUN IMAGES`: translations of a folder, a zip and a file; and what is refused."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nda.cli import main

Refusal = Callable[[list[str]], str]


def write_photos(folder: Path, count: int = 5) -> Path:
    folder.mkdir(parents=True)
    for index in range(count):
        draws = np.random.default_rng(index)
        pixels = draws.integers(0, 256, (30 + index, 50, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs in two trees, in the colours of a palette of two classes."""
    folder = tmp_path_factory.mktemp("street")
    for split in ("train", "test"):
        write_photos(folder / split / "images")
        (folder / split / "labels").mkdir()
        for index in range(5):
            classes = np.zeros((30 + index, 50), np.uint8)
            classes[10 + index :] = 1
            Image.fromarray(classes).save(folder / split / "labels" / f"{index}.png")
    (folder / "palette.txt").write_text("0 sky 0 0 255\n1 road 99 99 99\n")
    return folder


@pytest.fixture(scope="module")
def run(street: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps, by the command line; to be read only."""
    out = tmp_path_factory.mktemp("run") / "run"
    words = f"train pix2pix --data {street} --palette {street}/palette.txt --out {out} --steps 2"
    more = "--resolution 64 --width 4 --batch_size 2 --norm instance --device cpu --log_every 1"
    assert main([*words.split(), *more.split()]) == 0
    return out


def test_a_run_writes_its_figures_and_its_page(run: Path) -> None:
    page = (run / "report.html").read_text()
    assert "Mean IoU" in page
    assert "Confusion" in page
    assert "Real samples and the negatives made for them" in page


def test_a_folder_is_translated_without_the_data_of_the_run(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run, copy, symlinks=True)
    config = copy / "config.yaml"
    config.write_text(config.read_text().replace("data: /", "data: /gone/"))
    photos = write_photos(tmp_path / "photos", 3)
    (photos / "deep").mkdir()
    shutil.copy(photos / "0.png", photos / "deep" / "0.png")
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(photos / "1b.jpg")
    (photos / "bad.png").write_bytes(b"no image")
    out = tmp_path / "out"
    capsys.readouterr()
    assert main(["sample", str(copy), str(photos), "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert f"5 images translated at step 2, 64 x 64 pixels each: {out}" in said.out
    assert said.err == "nda: bad.png cannot be read (not an image) and was left out.\n"
    written = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png"))
    assert written == ["0.png", "1.png", "1b.png", "2.png", "deep/0.png"]
    for path in out.rglob("*.png"):
        with Image.open(path) as image:
            assert image.size == (64, 64)


def test_zip_and_single_file_give_the_same_as_the_folder(run: Path, tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", 2)
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for file in sorted(photos.iterdir()):
            archive.write(file, file.name)
    for source, out in ((photos, "a"), (tmp_path / "photos.zip", "b"), (photos / "1.png", "c")):
        assert main(["sample", str(run), str(source), "--out", str(tmp_path / out)]) == 0
    assert (tmp_path / "a" / "0.png").read_bytes() == (tmp_path / "b" / "0.png").read_bytes()
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["1.png"]
    assert (tmp_path / "a" / "1.png").read_bytes() == (tmp_path / "c" / "1.png").read_bytes()
    other = ["sample", str(run), str(photos), "--out", str(tmp_path / "d"), "--seed", "1"]
    assert main(other) == 0
    assert (tmp_path / "a" / "0.png").read_bytes() != (tmp_path / "d" / "0.png").read_bytes()


def test_labels_are_translated_in_the_colours_of_the_training(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    words = f"train pix2pix --data {street} --palette {street}/palette.txt --out {out} --steps 1"
    more = "--direction labels_to_photo --resolution 64 --width 2 --device cpu --log_every 1"
    assert main([*words.split(), *more.split()]) == 0
    labels = street / "test" / "labels"
    coloured = tmp_path / "coloured"
    coloured.mkdir()
    colours = np.array([[0, 0, 255], [99, 99, 99]], np.uint8)
    for file in labels.iterdir():
        Image.fromarray(colours[np.asarray(Image.open(file))]).save(coloured / file.name)
    Image.new("RGB", (8, 8), "red").save(coloured / "red.png")
    capsys.readouterr()
    for source, to in ((labels, "a"), (coloured, "b")):
        assert main(["sample", str(out), str(source), "--out", str(tmp_path / to)]) == 0
    written = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert written == [f"{index}.png" for index in range(5)]
    for name in written:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert "red.png cannot be read (100% of its pixels are not in the run's palette)" in (
        capsys.readouterr().err
    )


def test_mistakes_are_one_sentence_each(
    run: Path, finished: Path, tmp_path: Path, refusal: Refusal
) -> None:
    photos, full = write_photos(tmp_path / "photos", 2), tmp_path / "full"
    shutil.copytree(photos, full)
    sample = ["sample", str(run), str(photos)]
    out = ["--out", str(tmp_path / "out")]
    assert "generates no images; it translates; say what: 'nda sample" in refusal(
        ["sample", str(run)]
    )
    assert "Where to? Give a folder for the translations of" in refusal(sample)
    assert "out.png must be a folder" in refusal([*sample, "--out", str(tmp_path / "out.png")])
    assert f"--out {full} exists already and would be lost" in refusal(
        [*sample, "--out", str(full)]
    )
    assert "count is 3, but every image of" in refusal([*sample, *out, "--count", "3"])
    assert f"There is no {tmp_path / 'photo'}. Did you mean" in refusal(
        ["sample", str(run), str(tmp_path / "photo"), *out]
    )
    message = "is a run of gan, which translates no images; leave"
    assert message in refusal(["sample", str(finished), str(photos), *out])
    shutil.copy(photos / "1.png", photos / "1.jpg")
    assert "1.jpg and 1.png differ only in their endings" in refusal([*sample, *out])
    assert not (tmp_path / "out").exists()


def test_a_folder_of_broken_files_is_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.png").write_bytes(b"no image")
    words = ["sample", str(run), str(tmp_path / "photos"), "--out", str(tmp_path / "out")]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "1.png cannot be read (not an image)" in said
    assert f"None of 1 image of {tmp_path / 'photos'} can be read." in said
