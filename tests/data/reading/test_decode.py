"""Every kind of picture becomes upright 8-bit RGB of one size, or is refused with its reason."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nda.data import load_images
from nda.data.reading.decode import rgb_pixels
from nda.data.reading.values import MAX_PIXELS
from nda.errors import DataError


def saved(image: Image.Image, form: str, **options: object) -> Image.Image:
    file = io.BytesIO()
    image.save(file, form, **options)
    file.seek(0)
    return Image.open(file)


def corner(image: Image.Image) -> list[int]:
    return list(rgb_pixels(image, None)[0, 0].tolist())


def two_files(folder: Path, first: Image.Image, second: Image.Image) -> Path:
    first.save(folder / "1.png")
    second.save(folder / "2.png")
    return folder


def test_grey_and_bilevel_are_repeated() -> None:
    assert corner(saved(Image.new("L", (2, 2), 77), "PNG")) == [77, 77, 77]
    assert corner(saved(Image.new("1", (2, 2), 1), "PNG")) == [255, 255, 255]


def test_palettes_give_their_colours() -> None:
    image = Image.new("P", (2, 2), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    assert corner(saved(image, "PNG")) == [10, 20, 30]


def test_cmyk_is_converted() -> None:
    jpeg = saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG")
    assert jpeg.mode == "CMYK"
    assert np.abs(np.array(corner(jpeg)) - [255, 0, 0]).max() < 6


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        (Image.new("RGBA", (2, 2), (200, 0, 0, 0)), [255, 255, 255]),
        (Image.new("RGBA", (2, 2), (200, 0, 0, 255)), [200, 0, 0]),
        (Image.new("RGBA", (2, 2), (0, 0, 0, 51)), [204, 204, 204]),
        (Image.new("LA", (2, 2), (0, 51)), [204, 204, 204]),
    ],
)
def test_transparency_is_laid_over_white(image: Image.Image, wanted: list[int]) -> None:
    assert corner(saved(image, "PNG")) == wanted


def test_a_transparent_colour_of_palette_grey_or_rgb_is_white_too() -> None:
    palette = Image.new("P", (2, 2), 0)
    palette.putpalette([10, 20, 30])
    assert corner(saved(palette, "PNG", transparency=0)) == [255, 255, 255]
    assert corner(saved(palette, "PNG", transparency=b"\x33")) == [206, 208, 210]
    assert corner(saved(Image.new("L", (2, 2), 9), "PNG", transparency=9)) == [255, 255, 255]
    rgb = Image.new("RGB", (2, 2), (1, 2, 3))
    assert corner(saved(rgb, "PNG", transparency=(1, 2, 3))) == [255, 255, 255]


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_to_8(form: str) -> None:
    values = np.array([[0, 257, 32768, 65535, 128, 129]], np.uint16)
    pixels = rgb_pixels(saved(Image.fromarray(values), form), None)
    assert pixels[0, :, 0].tolist() == [0, 1, 128, 255, 0, 1]


def test_of_an_animation_the_first_frame_is_taken() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime")]
    for form in ("GIF", "WEBP", "PNG"):
        lossless = {"lossless": True} if form == "WEBP" else {}
        animation = saved(frames[0], form, save_all=True, append_images=frames[1:], **lossless)
        assert corner(animation) == [255, 0, 0]


def test_the_orientation_of_a_camera_is_applied() -> None:
    image = Image.new("RGB", (16, 8), "white")
    image.paste("black", (0, 0, 8, 8))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    pixels = rgb_pixels(saved(image, "JPEG", exif=exif), None)
    assert pixels.shape == (16, 8, 3)
    assert pixels[2].max() < 20  # what was left is above
    assert pixels[13].min() > 235


def test_floating_point_pixels_are_refused() -> None:
    with pytest.raises(ValueError, match="floating-point pixels"):
        rgb_pixels(saved(Image.new("F", (2, 2)), "TIFF"), None)


# --- sizes


def test_the_shorter_side_is_resized_and_the_middle_cut_out() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 44, 3)).astype(np.uint8)
    wide = Image.fromarray(noise)
    whole = np.asarray(wide.resize((22, 10), Image.Resampling.LANCZOS)).astype(int)
    assert np.abs(rgb_pixels(wide, 10) - whole[:, 6:16]).max() <= 1
    tall = wide.transpose(Image.Transpose.TRANSPOSE)
    assert np.abs(rgb_pixels(tall, 10) - whole[:, 6:16].transpose(1, 0, 2)).max() <= 1


def test_resizing_is_antialiased_and_small_images_are_enlarged() -> None:
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    assert np.abs(rgb_pixels(Image.fromarray(board), 16).astype(int) - 127).max() <= 2
    assert rgb_pixels(Image.new("RGB", (3, 5), "red"), 8).tolist() == [[[255, 0, 0]] * 8] * 8


def test_reduced_decoding_of_a_large_jpeg_agrees_with_full_decoding() -> None:
    ramp = np.linspace(0, 255, 512)
    picture = np.stack(
        [np.tile(ramp, (512, 1)), np.tile(ramp, (512, 1)).T, np.full((512, 512), 90)]
    )
    jpeg = saved(Image.fromarray(picture.transpose(1, 2, 0).astype(np.uint8)), "JPEG", quality=95)
    full = jpeg.copy().resize((32, 32), Image.Resampling.LANCZOS)
    jpeg.seek(0)
    reduced = rgb_pixels(saved(jpeg, "JPEG", quality=95), 32)
    assert np.abs(reduced.astype(int) - np.asarray(full).astype(int)).max() <= 4


def test_stretching_cuts_nothing_off() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 44, 3)).astype(np.uint8)
    wide = Image.fromarray(noise)
    whole = np.asarray(wide.resize((10, 10), Image.Resampling.LANCZOS))
    assert np.array_equal(rgb_pixels(wide, 10, "stretch"), whole)
    tall = wide.transpose(Image.Transpose.TRANSPOSE)
    turned = rgb_pixels(tall, 10, "stretch").transpose(1, 0, 2)
    assert np.allclose(
        turned, whole, rtol=0, atol=4
    )  # Pillow before 13 rounds between the two axes
    assert np.array_equal(rgb_pixels(wide, None, "stretch"), noise)  # there is nothing to fit to


def test_marks_at_the_ends_are_kept_by_stretching_alone() -> None:
    wide = Image.new("L", (64, 16))
    wide.paste(255, (0, 0, 8, 16))
    wide.paste(255, (56, 0, 64, 16))
    assert rgb_pixels(wide, 16, "crop").max() == 0
    stretched = rgb_pixels(wide, 16, "stretch")[8, :, 0]
    assert stretched[0] > 240
    assert stretched[15] > 240
    assert stretched[8] < 15


def test_square_images_are_the_same_either_way() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (21, 21, 3)).astype(np.uint8)
    for side in (8, 21, 40):
        square = Image.fromarray(noise)
        assert np.array_equal(rgb_pixels(square, side, "stretch"), rgb_pixels(square, side, "crop"))


def test_reduced_decoding_of_a_long_jpeg_keeps_the_shorter_side_sharp() -> None:
    columns = np.arange(64)[None, :] // 2 % 2 * 255  # as fine as a side of 64 can show
    picture = np.broadcast_to(columns, (1024, 64)).astype(np.uint8)
    jpeg = saved(Image.fromarray(picture), "JPEG", quality=95)
    pixels = rgb_pixels(jpeg, 64, "stretch")[:, :, 0].astype(int)
    assert np.abs(pixels - columns).mean() < 20


def test_images_of_different_sizes_name_two_of_them(tmp_path: Path) -> None:
    folder = two_files(tmp_path, Image.new("RGB", (8, 8)), Image.new("RGB", (12, 10)))
    with pytest.raises(
        DataError, match=r"1.png is 8 x 8, 2.png is 12 x 10 pixels. Give --resolution N"
    ):
        load_images(folder)
    assert load_images(folder, resolution=8).images.shape == (2, 3, 8, 8)


def test_images_that_are_not_square_need_a_resolution(tmp_path: Path) -> None:
    folder = two_files(tmp_path, Image.new("RGB", (12, 10)), Image.new("RGB", (12, 10)))
    with pytest.raises(DataError, match=r"1.png is 12 x 10 pixels, not square. Give --resolution"):
        load_images(folder)
    assert load_images(folder, resolution=10).images.shape == (2, 3, 10, 10)


@pytest.mark.parametrize(
    ("resolution", "message"),
    [(0, r"--resolution must be 1 pixel or more; got 0"), (10**7, r"more memory than there is")],
)
def test_impossible_resolutions_are_refused(tmp_path: Path, resolution: int, message: str) -> None:
    folder = two_files(tmp_path, Image.new("RGB", (8, 8)), Image.new("RGB", (8, 8)))
    with pytest.raises(DataError, match=message):
        load_images(folder, resolution=resolution)


def png_that_claims(width: int, height: int) -> bytes:
    """A small file whose header declares a huge picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [8001, 10_000, 40_000])
def test_a_huge_picture_is_refused_from_its_header(tmp_path: Path, side: int) -> None:
    assert side * side > MAX_PIXELS
    folder = two_files(tmp_path, Image.new("RGB", (8, 8)), Image.new("RGB", (8, 8)))
    (folder / "huge.png").write_bytes(png_that_claims(side, side))
    with pytest.raises(DataError, match=r"huge.png cannot be read \(more than 64 megapixels\)"):
        load_images(folder)
    assert load_images(folder, skip_broken=True).skipped == ("huge.png: more than 64 megapixels",)


def test_a_program_disguised_as_an_image_is_not_run(tmp_path: Path) -> None:
    folder = two_files(tmp_path, Image.new("RGB", (8, 8)), Image.new("RGB", (8, 8)))
    (folder / "3.jpg").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
    )
    with pytest.raises(DataError, match=r"3.jpg cannot be read \(not an image\)"):
        load_images(folder)


def test_more_images_than_one_thread_takes_at_once_stay_in_order(tmp_path: Path) -> None:
    for number in range(300):
        Image.new("L", (1, 1), number % 256).save(tmp_path / f"{number:03d}.png")
    pixels = load_images(tmp_path).images[:, 0, 0, 0]
    assert pixels.tolist() == [number % 256 for number in range(300)]
    for number in (0, 128, 299):
        (tmp_path / f"{number:03d}.png").write_text("broken")
    left = load_images(tmp_path, skip_broken=True).images[:, 0, 0, 0].tolist()
    assert left == [number % 256 for number in range(300) if number not in {0, 128, 299}]
