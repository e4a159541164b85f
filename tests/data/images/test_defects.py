"""Test images with the masks of their faults, in folders and zips that the tests make."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nda.data import load_images
from nda.data.images.defects import Defects, load_defects
from nda.errors import DataError

REAL = Path(__file__).parents[3].parent / "shared" / "data"
SIDE = 32
CRACKS, DENTS, GOOD = 3, 2, 2


def draw(path: Path, value: int, box: tuple[int, int, int, int] | None = None) -> None:
    """A grey image, with a white box."""
    image = Image.new("L", (SIDE, SIDE), value)
    if box:
        image.paste(255, box)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def box_of(number: int) -> tuple[int, int, int, int]:
    return number, 2 * number, number + 10, 2 * number + 6


def mask_of(number: int) -> torch.Tensor:
    mask = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    left, top, right, bottom = box_of(number)
    mask[top:bottom, left:right] = True
    return mask


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """MVTec's layout: names of images repeat from kind to kind."""
    root = tmp_path / "parts"
    for number in range(4):
        draw(root / f"train/good/{number}.png", 100 + number)
    for number in range(GOOD):
        draw(root / f"test/good/{number}.png", 50 + number)
    for number in range(CRACKS):
        draw(root / f"test/crack/{number}.jpg", 150 + number)
        draw(root / f"ground_truth/crack/{number}.png", 0, box_of(number))
    for number in range(DENTS):
        draw(root / f"test/dent/{number}.png", 200 + number)
        draw(root / f"ground_truth/dent/{number}_mask.png", 0, box_of(5 + number))
    return root


def zipped(folder: Path, top: str = "") -> Path:
    archive = folder.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*"), reverse=True):
            file.write(path, top + str(path.relative_to(folder)))
    return archive


def load(source: Path, **options: Any) -> Defects:
    found = load_defects(str(source), ["good"], resolution=SIDE, fit="stretch", **options)
    assert found is not None
    return found


def masks_of(found: Defects) -> torch.Tensor:
    assert found.masks is not None
    assert found.masks.dtype == torch.bool
    return found.masks


@pytest.mark.parametrize("form", ["folder", "zip", "wrapped zip"])
def test_images_kinds_and_masks_belong_together(folder: Path, form: str) -> None:
    source = {"folder": folder, "zip": None, "wrapped zip": None}[form]
    found = load(source or zipped(folder, "parts/" if form == "wrapped zip" else ""))
    assert found.kinds == ("crack", "dent", "good")
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert found.normal.tolist() == [False] * 5 + [True] * 2
    assert found.images.shape == (7, 3, SIDE, SIDE)
    values = found.images[:, 0, 0, 0].tolist()
    assert values == [150, 151, 152, 200, 201, 50, 51]
    none = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    expected = [mask_of(0), mask_of(1), mask_of(2), mask_of(5), mask_of(6), none, none]
    assert torch.equal(masks_of(found), torch.stack(expected))


def test_images_are_those_of_the_test_split(folder: Path) -> None:
    plain = load_images(folder, split="test", resolution=SIDE, fit="stretch")
    assert torch.equal(load(folder).images, plain.images)


def test_an_image_without_a_mask_has_none(folder: Path) -> None:
    (folder / "ground_truth/crack/1.png").unlink()
    shutil.rmtree(folder / "ground_truth/dent")
    marked = masks_of(load(folder)).flatten(1).any(dim=1)
    assert marked.tolist() == [True, False, True, False, False, False, False]


def test_without_any_masks_there_are_none(folder: Path) -> None:
    shutil.rmtree(folder / "ground_truth")
    found = load(folder)
    assert found.masks is None
    assert len(found.images) == 7


def test_masks_of_images_in_deeper_folders_are_told_apart(folder: Path) -> None:
    for kind, number in (("crack", 7), ("dent", 8)):
        draw(folder / f"test/{kind}/left/9.png", 90 + number)
        draw(folder / f"ground_truth/{kind}/left/9.png", 0, box_of(number))
    found = load(folder)
    for number in (7, 8):
        (row,) = (found.images[:, 0, 0, 0] == 90 + number).nonzero().flatten().tolist()
        assert torch.equal(masks_of(found)[row], mask_of(number))


@pytest.mark.parametrize("fit", ["stretch", "crop"])
def test_masks_are_brought_to_size_as_the_images_are(folder: Path, fit: str) -> None:
    wide, fault = Image.new("L", (96, 48)), Image.new("L", (96, 48))
    wide.paste(255, (30, 12, 66, 36))
    fault.paste(255, (30, 12, 66, 36))
    wide.save(folder / "test/crack/1.jpg")
    fault.save(folder / "ground_truth/crack/1.png")
    found = load_defects(
        str(folder), ["good"], resolution=SIDE, fit="crop" if fit == "crop" else "stretch"
    )
    assert found is not None
    bright = found.images[1, 0] > 127
    assert (bright ^ masks_of(found)[1]).sum() <= 4  # of the outline, where JPEG rings
    widths = bright.any(dim=0).sum()
    assert widths == (24 if fit == "crop" else 12)


def test_other_held_out_splits_serve_where_there_is_no_test(folder: Path) -> None:
    (folder / "test").rename(folder / "val")
    assert load(folder).kinds == ("crack", "dent", "good")


# --- sources that say nothing of faults


def test_without_a_test_split_there_is_nothing(folder: Path) -> None:
    shutil.rmtree(folder / "test")
    assert load_defects(str(folder), ["good"], resolution=SIDE, fit="stretch") is None


@pytest.mark.parametrize("normal", [["good", "crack", "dent"], ["perfect"], []])
def test_a_test_split_without_both_normal_images_and_others_is_nothing(
    folder: Path, normal: list[str]
) -> None:
    assert load_defects(str(folder), normal, resolution=SIDE, fit="stretch") is None


def test_a_set_of_torchvision_has_no_faults() -> None:
    assert load_defects("torchvision:MNIST", ["0"], resolution=32, fit="crop") is None


# --- broken files


def test_masks_stay_with_their_images_when_broken_ones_are_skipped(folder: Path) -> None:
    (folder / "test/crack/1.jpg").write_bytes(b"no picture")
    (folder / "test/crack/0.jpg").unlink()
    # A link to nothing, whose reason has a colon of its own, and a name that begins like another.
    (folder / "test/crack/0.jpg").symlink_to("nowhere.jpg")
    draw(folder / "test/dent/0.png.png", 0)
    (folder / "test/dent/0.png.png").write_bytes(b"no picture either")
    found = load(folder, skip_broken=True)
    assert found.images[:, 0, 0, 0].tolist() == [152, 200, 201, 50, 51]
    expected = [mask_of(2), mask_of(5), mask_of(6)]
    assert torch.equal(masks_of(found)[:3], torch.stack(expected))
    assert not masks_of(found)[3:].any()
    with pytest.raises(DataError, match=r"test/crack/0\.jpg cannot be read .* and 2 more"):
        load(folder)


@pytest.mark.parametrize("skip_broken", [False, True])
def test_a_broken_mask_is_refused_by_name(folder: Path, *, skip_broken: bool) -> None:
    (folder / "ground_truth/dent/1_mask.png").write_bytes(b"no picture")
    with pytest.raises(DataError) as caught:
        load(folder, skip_broken=skip_broken)
    assert str(caught.value) == (
        f"{folder}: the mask ground_truth/dent/1_mask.png cannot be read (not an image). Mend it "
        "or take it away."
    )


@pytest.mark.slow
@pytest.mark.skipif(not (REAL / "magnetic_tile_anomaly.zip").is_file(), reason="needs the data")
def test_real_tiles_all_have_their_masks() -> None:
    archive = str(REAL / "magnetic_tile_anomaly.zip")
    found = load_defects(archive, ["good"], resolution=128, fit="stretch")
    assert found is not None
    assert int(found.normal.sum()) == 150
    assert len(found.images) == 542
    marked = masks_of(found).flatten(1).any(dim=1)
    assert not marked[found.normal].any()
    assert int((~marked[~found.normal]).sum()) == 6  # whose masks are black in the data itself
    with zipfile.ZipFile(archive) as file:
        name = next(n for n in file.namelist() if "ground_truth" in n and n.endswith(".png"))
        with file.open(name) as stream, Image.open(stream) as image:
            share = float((np.asarray(image.convert("L")) > 127).mean())
    kind = Path(name).parts[-2]
    first = found.labels == found.kinds.index(kind)
    assert float(masks_of(found)[first][0].float().mean()) == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("value", [1, 128, 255])
@pytest.mark.parametrize("mode", ["L", "I;16"])
def test_whatever_is_not_nought_is_a_fault(folder: Path, value: int, mode: str) -> None:
    expected = masks_of(load(folder))
    for path in (folder / "ground_truth").rglob("*.png"):
        faulty = np.asarray(Image.open(path)) > 0
        dtype = np.uint16 if mode == "I;16" else np.uint8
        Image.fromarray((faulty * value).astype(dtype)).save(path)
    assert torch.equal(masks_of(load(folder)), expected)


@pytest.mark.parametrize("ending", ["_mask", "_GT", "_gt", ""])
def test_masks_are_known_by_several_names(folder: Path, ending: str) -> None:
    expected = masks_of(load(folder))
    for path in list((folder / "ground_truth").rglob("*.png")):
        path.rename(path.with_name(path.stem.removesuffix("_mask") + ending + ".png"))
    found = load(folder)
    assert torch.equal(masks_of(found), expected)


def test_several_masks_in_a_folder_of_the_image_are_one(folder: Path) -> None:
    expected = masks_of(load(folder))
    for path in list((folder / "ground_truth").rglob("*.png")):
        pixels = np.asarray(Image.open(path))
        place = path.with_name(path.stem.removesuffix("_mask"))
        path.unlink()
        place.mkdir()
        for part, columns in enumerate((slice(0, 4), slice(4, None))):
            half = np.zeros_like(pixels)
            half[:, columns] = pixels[:, columns]
            Image.fromarray(half).save(place / f"{part:03}.png")
    assert torch.equal(masks_of(load(folder)), expected)


def test_images_without_masks_and_masks_without_images_are_told(folder: Path) -> None:
    first, *_ = sorted((folder / "ground_truth").rglob("*.png"))
    first.rename(first.with_name("elsewhere.png"))
    notes = " ".join(load(folder).notes)
    assert (
        "Faulty images without a mask, left out of the figures of pixels: 1 (test/crack/" in notes
    )
    assert "Masks of no image of the test split: 1 (ground_truth/crack/elsewhere.png)." in notes
