"""`nda preview VIDEO`: a picture of every negative of a video's frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nda.api.preview import evenly_spaced
from nda.cli import main


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Two videos of seven frames, of uniform colour: one darker than 40, one lighter than 200."""
    for name, base in (("dark", 10), ("light", 205)):
        folder = tmp_path / "videos" / name
        folder.mkdir(parents=True)
        for number in range(7):
            Image.new("RGB", (48, 32), (base + 4 * number,) * 3).save(folder / f"{number}.png")
    return tmp_path / "videos"


def cells(path: Path, rows: int, columns: int, side: int = 32) -> list[list[np.ndarray]]:
    """The pictures in a grid whose pixels are enlarged three times."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    step = 3 * side + 4
    pixels = pixels[-rows * step - 0 :, -columns * step :]
    return [
        [pixels[r * step : r * step + 96 : 3, c * step : c * step + 96 : 3] for c in range(columns)]
        for r in range(rows)
    ]


def test_a_folder_of_frames(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "all.png"
    words = ["preview", str(frames / "dark"), "--video", "--count", "4", "--resolution", "32"]
    assert main([*words, "--negatives", "horizontal_flip,mixup", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"4 of 7 frames of dark, 2 negatives: {out}\n"
    real, flipped, mixed = cells(out, 3, 4)
    means = [round(cell.mean()) for cell in real]
    assert means == [10, 18, 26, 34]
    assert [round(cell.mean()) for cell in flipped] == means
    # A single video is mixed with itself, half of the frames later.
    for own, cell, other in zip(means, mixed, means[2:] + means[:2], strict=True):
        assert min(own, other) < cell.mean() < max(own, other)


def test_all_frames_share_what_was_drawn(tmp_path: Path) -> None:
    folder = tmp_path / "noise"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3)).astype(np.uint8)
    for number in range(4):
        Image.fromarray(pixels).save(folder / f"{number}.png")
    out = tmp_path / "all.png"
    words = ["preview", str(folder), "--video", "--count", "4", "--resolution", "32"]
    assert main([*words, "--negatives", "jigsaw,cutout,random_crop", "--out", str(out)]) == 0
    for row in cells(out, 4, 4):
        assert all(np.array_equal(row[0], cell) for cell in row[1:])
    assert not np.array_equal(cells(out, 4, 4)[1][0], pixels)


def test_of_several_videos_two_are_mixed(frames: Path, tmp_path: Path) -> None:
    out = tmp_path / "all.png"
    words = ["preview", str(frames), "--video", "--count", "2", "--resolution", "32"]
    assert main([*words, "--negatives", "stitch", "--out", str(out)]) == 0
    _, stitched = cells(out, 2, 2)
    for cell in stitched:
        assert cell.min() < 40
        assert cell.max() > 200


def test_a_video_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "clip.MP4"
    with av.open(str(path), "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(5):
            grey = np.full((48, 64, 3), 20 + 40 * number, np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        file.mux(stream.encode())
    out = tmp_path / "all.png"
    assert main(["preview", str(path), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"5 of 5 frames of clip.MP4, 9 negatives: {out}\n"
    with Image.open(out) as picture:
        assert picture.height > 9 * 128  # 128 pixels, where no resolution is given


def test_classes_are_chosen_and_broken_videos_skipped(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for label in ("calm", "wild"):
        (frames / label).mkdir()
    (frames / "dark").rename(frames / "calm" / "dark")
    (frames / "light").rename(frames / "wild" / "light")
    (frames / "wild" / "light" / "3.png").write_bytes(b"no picture")
    out = tmp_path / "all.png"
    words = ["preview", str(frames), "--video", "--resolution", "32", "--out", str(out)]
    words.append("--overwrite")
    assert main([*words, "--classes", "calm"]) == 0
    assert " of calm/dark, " in capsys.readouterr().out
    assert main([*words, "--classes", "calm, wild", "--skip_broken", "true"]) == 0
    assert " of calm/dark, " in capsys.readouterr().out
    assert main(words) == 2
    assert "wild/light cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "clip.mp4 cannot be read (an empty file)"), (b"x" * 99, "(not a video, or cut short)")],
)
def test_a_broken_file_is_one_sentence(
    tmp_path: Path, refusal: Callable[[list[str]], str], content: bytes, message: str
) -> None:
    pytest.importorskip("av")
    (tmp_path / "clip.mp4").write_bytes(content)
    out = tmp_path / "all.png"
    assert message in refusal(["preview", str(tmp_path / "clip.mp4"), "--out", str(out)])
    assert not out.exists()


def test_an_absent_file_is_one_sentence(
    tmp_path: Path, refusal: Callable[[list[str]], str]
) -> None:
    assert "There is no " in refusal(["preview", str(tmp_path / "clip.mp4")])


def test_a_single_frame_is_no_partner_to_itself(
    tmp_path: Path, refusal: Callable[[list[str]], str]
) -> None:
    (tmp_path / "one").mkdir()
    Image.new("RGB", (32, 32), (9, 200, 30)).save(tmp_path / "one" / "1.png")
    words = ["preview", str(tmp_path / "one"), "--video", "--out", str(tmp_path / "all.png")]
    assert "at least 2" in refusal([*words, "--negatives", "mixup"])
    assert main([*words, "--negatives", "cutout"]) == 0


def test_a_folder_of_video_files_is_told_from_one_of_images(
    tmp_path: Path, refusal: Callable[[list[str]], str]
) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.mp4").write_bytes(b"x")
    said = refusal(["preview", str(tmp_path / "clips")])
    assert "clips holds videos; give --video to see one." in said


def test_frames_are_spread_from_the_first_to_the_last() -> None:
    assert evenly_spaced(44, 6).tolist() == [0, 9, 17, 26, 34, 43]
    assert evenly_spaced(3, 6).tolist() == [0, 1, 2]
    assert evenly_spaced(1, 6).tolist() == [0]
