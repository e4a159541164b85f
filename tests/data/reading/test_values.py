"""What the numbers in a file mean: one law for each kind of file, the same for a whole source."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, TiffImagePlugin

from nda.bit_depths import bits_for
from nda.data import load_images, load_splits
from nda.data.clips.load import load_clips
from nda.data.images.stream import open_stream, stream_of_paths
from nda.data.pairs.load import PairSource, load_pairs
from nda.data.pairs.palette import load_palette
from nda.data.reading.decode import read_pixels
from nda.data.reading.values import Values
from nda.errors import ConfigError, DataError

GREYS = np.array([[0, 1, 2047, 2048, 4094, 4095]], np.uint16)
IN_12_BITS = [0, 0, 127, 128, 255, 255]


def png(pixels: NDArray[np.uint16], *chunks: bytes) -> bytes:
    """A PNG of 16 bits, of 1 to 4 channels, which Pillow cannot write."""
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    height, width, channels = pixels.shape
    head = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    content = [chunk(b"IHDR", head), *chunks, chunk(b"IDAT", zlib.compress(rows))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(content) + chunk(b"IEND", b"")


def chunk(kind: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def tiff(pixels: NDArray[np.generic], **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "TIFF", **options)
    return file.getvalue()


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def read(content: bytes, bit_depth: int | None = None) -> NDArray[np.uint8]:
    """The pixels `(H, W, 3)`."""
    values = Values(bit_depth)
    pixels = read_pixels(lambda: values.read(opened(content), "it"), None)
    assert not isinstance(pixels, str), pixels
    return pixels


def fault(content: bytes, bit_depth: int | None = None) -> str:
    values = Values(bit_depth)
    reason = read_pixels(lambda: values.read(opened(content), "it"), None)
    assert isinstance(reason, str)
    return reason


def pgm(greys: NDArray[np.uint16], highest: int) -> bytes:
    height, width = greys.shape
    return f"P5 {width} {height} {highest}\n".encode() + greys.astype(">u2").tobytes()


# --- more than 8 bits


@pytest.mark.parametrize(
    "content",
    [png(GREYS), tiff(GREYS), tiff(GREYS, compression="tiff_lzw"), pgm(GREYS, 65535)],
    ids=["PNG", "TIFF", "LZW", "PGM"],
)
def test_of_a_bit_depth_the_highest_number_is_white_and_all_are_rounded(content: bytes) -> None:
    assert read(content, 12)[0, :, 0].tolist() == IN_12_BITS
    assert read(content)[0, :, 0].tolist() == [0, 0, 8, 8, 16, 16]  # of 65535
    assert read(content, 16).tolist() == read(content).tolist()


@pytest.mark.parametrize("value", [0, 255, 256, 1000, 4095])
@pytest.mark.parametrize("channels", [3, 4])
def test_a_grey_in_colours_is_the_same_as_in_grey(channels: int, value: int) -> None:
    colours = np.full((2, 3, channels), value, np.uint16)
    colours[..., 3:] = 65535
    for depth in (12, None):
        assert read(png(colours), depth).tolist() == read(png(colours[..., 0]), depth).tolist()


def test_colours_of_16_bits_in_a_tiff() -> None:
    colours = np.stack([GREYS, GREYS[:, ::-1], GREYS // 2], axis=2)
    content = tiff_of_colours(colours)
    assert read(content, 12)[0, :, 0].tolist() == IN_12_BITS
    assert read(content, 12)[0, :, 1].tolist() == IN_12_BITS[::-1]
    assert read(content)[0, :, 0].tolist() == [0, 0, 8, 8, 16, 16]


def tiff_of_colours(colours: NDArray[np.uint16]) -> bytes:
    """An uncompressed TIFF of little-endian colours, which Pillow cannot write."""
    height, width, _ = colours.shape
    data = colours.astype("<u2").tobytes()
    bits_at = 8 + len(data)
    fields = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, bits_at), (259, 3, 1, 1),
        (262, 3, 1, 2), (273, 4, 1, 8), (277, 3, 1, 3), (278, 4, 1, height),
        (279, 4, 1, len(data)), (284, 3, 1, 1),
    ]  # fmt: skip
    table = struct.pack("<H", len(fields)) + b"".join(struct.pack("<HHII", *f) for f in fields)
    head = b"II*\0" + struct.pack("<I", bits_at + 6)
    return head + data + struct.pack("<3H", 16, 16, 16) + table + b"\0\0\0\0"


def test_colours_of_16_bits_in_a_ppm() -> None:
    colours = np.stack([GREYS, GREYS, GREYS], axis=2)
    content = b"P6 6 1 65535\n" + colours.astype(">u2").tobytes()
    assert read(content, 12)[0, :, 0].tolist() == IN_12_BITS
    assert read(content)[0, :, 0].tolist() == [0, 0, 8, 8, 16, 16]


def test_a_highest_value_that_the_file_states_is_its_range() -> None:
    assert read(pgm(GREYS, 4095))[0, :, 0].tolist() == IN_12_BITS
    assert read(pgm(GREYS, 4095), 14)[0, :, 0].tolist() == IN_12_BITS
    assert read(b"P5 3 1 3\n\0\1\3")[0, :, 0].tolist() == [0, 85, 255]


def test_files_of_8_bits_know_nothing_of_a_bit_depth() -> None:
    content = io.BytesIO()
    Image.fromarray(np.array([[0, 7, 255]], np.uint8)).save(content, "PNG")
    assert read(content.getvalue(), 12)[0, :, 0].tolist() == [0, 7, 255]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_value_outside_the_bit_depth_is_refused(channels: int) -> None:
    content = png(np.full((2, 2, channels), 4096, np.uint16))
    assert fault(content, 12) == "the value 4,096, outside 0 to 4,095, the range of 12 bits"
    read(content, 13)


def test_integers_of_an_unknown_range_need_one_and_negative_ones_are_refused() -> None:
    content = tiff(np.array([[0, 255]], np.int32))
    assert "give --bit_depth" in fault(content)
    assert read(content, 8)[0, :, 0].tolist() == [0, 255]
    assert read(tiff(np.array([[0, 2**31 - 1]], np.int32)), 31)[0, :, 0].tolist() == [0, 255]
    assert fault(tiff(np.array([[-488, 3]], np.int32)), 16).startswith("the value -488, outside 0")


def test_floating_point_and_cielab_are_refused_whatever_the_bit_depth() -> None:
    assert "floating-point" in fault(tiff(np.zeros((2, 2), np.float32)), 12)
    content = io.BytesIO()
    Image.new("LAB", (2, 2)).save(content, "TIFF")
    assert fault(content.getvalue()) == "CIELAB colours; save it as RGB"


def test_transparency_of_16_bits_is_laid_over_white() -> None:
    colours = np.zeros((1, 2, 4), np.uint16)
    colours[0, 1, 3] = 65535
    assert read(png(colours), 12)[0, :, 0].tolist() == [255, 0]
    marked = png(GREYS, chunk(b"tRNS", struct.pack(">H", 2047)))
    assert read(marked, 12)[0, :, 0].tolist() == [0, 0, 255, 128, 255, 255]
    of_colours = np.stack([GREYS, GREYS * 0, GREYS], axis=2)
    marked = png(of_colours, chunk(b"tRNS", struct.pack(">3H", 2047, 0, 2047)))
    assert read(marked, 12)[0].tolist()[1:4] == [[0, 0, 0], [255, 255, 255], [128, 0, 128]]


def test_grey_with_transparency_of_16_bits_is_not_taken_at_half_its_bits() -> None:
    content = png(np.stack([GREYS, GREYS * 0 + 65535], axis=2))
    assert "save it without transparency" in fault(content, 12)
    assert read(content)[0, :, 0].tolist() == [0, 0, 7, 8, 15, 15]


def test_a_picture_of_565_bits_is_no_wide_one() -> None:
    head = struct.pack("<IiiHHIIiiII3I", 52, 1, 1, 1, 16, 3, 4, 0, 0, 0, 0, 0xF800, 0x7E0, 0x1F)
    content = b"BM" + struct.pack("<IHHI", 14 + len(head) + 4, 0, 0, 14 + len(head)) + head
    assert read(content + struct.pack("<HH", 0xF800, 0), 12).tolist() == [[[255, 0, 0]]]


@pytest.mark.parametrize(("highest", "bits"), [(255, 8), (256, 10), (3163, 12), (4096, 14)])
def test_the_bits_that_are_proposed_hold_the_highest_value(highest: int, bits: int) -> None:
    assert bits_for(highest) == bits


# --- one rule for a source


def write(folder: Path, *images: NDArray[np.uint16]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, pixels in enumerate(images):
        (folder / f"{number}.png").write_bytes(png(pixels))
    return folder


def flat(value: int) -> NDArray[np.uint16]:
    return np.full((4, 4), value, np.uint16)


def test_a_source_of_12_bits_is_refused_with_the_setting_to_give(tmp_path: Path) -> None:
    folder = write(tmp_path, flat(1000), flat(3163))
    with pytest.raises(DataError, match=r"up to 3,163 of 65,535 .* --bit_depth 12, or .* 16 if"):
        load_images(folder, cache=False)
    images = load_images(folder, bit_depth=12, cache=False).images
    assert images[:, 0, 0, 0].tolist() == [62, 197]
    dark = load_images(folder, bit_depth=16, cache=False)
    assert dark.images[:, 0, 0, 0].tolist() == [4, 12]
    assert dark.notes[0].startswith("2 16-bit images are almost black (0.png has values up to")


def test_the_scale_is_that_of_the_source_and_not_of_a_picture(tmp_path: Path) -> None:
    alone = load_images(write(tmp_path / "a", flat(900), flat(800)), bit_depth=12, cache=False)
    beside = load_images(write(tmp_path / "b", flat(900), flat(4095)), bit_depth=12, cache=False)
    assert alone.images[0].tolist() == beside.images[0].tolist()
    mixed = load_images(write(tmp_path / "c", flat(900), flat(60000)), cache=False)
    assert mixed.images[:, 0, 0, 0].tolist() == [4, 233]
    assert mixed.notes[0].startswith("1 16-bit image is almost black (0.png")


def test_the_cache_keeps_bit_depths_apart(tmp_path: Path) -> None:
    folder, cache = write(tmp_path / "a", flat(4095), flat(0)), tmp_path / "cache"
    seen = [
        int(load_images(folder, bit_depth=bits, cache_dir=cache).images.max())
        for bits in (12, 14, 16, 12)
    ]
    assert seen == [255, 64, 16, 255]


def test_held_out_images_are_read_by_the_rule_of_the_others(tmp_path: Path) -> None:
    write(tmp_path / "train", flat(4095), flat(1))
    write(tmp_path / "test", flat(2048), flat(1))
    splits = load_splits(tmp_path, bit_depth=12, cache=False)
    assert int(splits.heldout.images.max()) == 128


@pytest.mark.parametrize("bits", [-1, 0, 7, 33])
def test_a_bit_depth_that_no_file_has_is_refused(bits: int, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"bit_depth is {bits}; it must be from 8 to 32"):
        load_images(tmp_path, bit_depth=bits)


def test_a_stream_reads_by_the_same_rule_and_remembers_what_was_dark(tmp_path: Path) -> None:
    folder = write(tmp_path, flat(900), flat(4095))
    with open_stream(folder, 12) as stream:
        found = next(stream.batches(2, 4, "crop"))
        assert found.images[:, 0, 0, 0].tolist() == [56, 255]
        assert stream.values.notes() == []
    paths = stream_of_paths([str(folder / "0.png")], 12)
    assert next(paths.batches(2, 4, "crop")).images[0, 0, 0, 0] == 56
    with open_stream(folder) as stream:
        list(stream.batches(2, 4, "crop"))
        assert "almost black" in stream.values.notes()[0]


def test_frames_of_16_bits_have_the_rule_too(tmp_path: Path) -> None:
    for number in range(6):
        video = tmp_path / "walk"
        video.mkdir(exist_ok=True)
        (video / f"{number}.png").write_bytes(png(flat(4095 - number)))
    with pytest.raises(DataError, match="--bit_depth 12"):
        load_clips(tmp_path, resolution=4, cache=False)
    for cache in (False, True):
        clips = load_clips(
            tmp_path, resolution=4, bit_depth=12, cache=cache, cache_dir=tmp_path.parent / "cache"
        )
        assert int(clips.frames(0, range(1)).max()) == 255


def test_photographs_of_pairs_have_the_rule_and_labels_are_numbers(tmp_path: Path) -> None:
    for number in range(6):
        photographs = [flat(4095) for _ in range(6)]
        for dark, pixels in enumerate(photographs):
            pixels[0, 0] = 300 * dark  # so that none is a copy of another
        write(tmp_path / "images", *photographs)
        (tmp_path / "labels").mkdir(exist_ok=True)
        (tmp_path / "labels" / f"{number}.png").write_bytes(png(flat(1)))
    (tmp_path / "palette.txt").write_text("0 background 0 0 0\n1 thing 200 0 0\n")
    palette = load_palette(str(tmp_path / "palette.txt"))
    source = PairSource(str(tmp_path), palette=palette)
    with pytest.raises(DataError, match="--bit_depth 12"):
        load_pairs(source, resolution=4, holdout=0.5, cache=False)
    pairs = load_pairs(source, resolution=4, holdout=0.5, bit_depth=12, cache=False).train
    assert int(pairs.photos[..., 1:, :].min()) == 255
    assert pairs.labels[0, :, 0, 0].tolist() == [200, 0, 0]


# --- profiles, frames and pages


def with_profile(path: Path, profile: bytes) -> None:
    Image.new("RGB", (4, 4), (200, 10, 30)).save(path, icc_profile=profile)


def test_colour_profiles_are_ignored_and_told(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with_profile(tmp_path / "a.png", srgb)
    with_profile(
        tmp_path / "b.png", srgb.replace(b"s\0R\0G\0B", b"o\0t\0h\0r").replace(b"sRGB", b"othr")
    )
    images = load_images(tmp_path, cache=False)
    assert images.images[:, :, 0, 0].tolist() == [[200, 10, 30]] * 2
    assert images.notes == (
        "1 image has a colour profile that is not sRGB and was ignored (b.png).",
    )


@pytest.mark.parametrize(("form", "name"), [("GIF", "a.gif"), ("PNG", "a.png"), ("TIFF", "a.tif")])
def test_of_several_frames_or_pages_the_first_is_taken_and_told(
    form: str, name: str, tmp_path: Path
) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime")]
    for number in range(2):
        frames[0].save(tmp_path / f"{number}{name}", form, save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / f"single{name}", form)
    cache = tmp_path.parent / f"cache {tmp_path.name}"
    for _ in range(2):  # the second time from the cache
        images = load_images(tmp_path, cache_dir=cache)
        assert images.images[0, :, 0, 0].tolist() == [255, 0, 0]
        assert images.notes == (
            f"2 images have several frames or pages, of which the first was taken (0{name} and 1 "
            "more).",
        )


def test_the_orientation_of_a_tiff_is_applied_once() -> None:
    image = Image.new("L", (6, 3))
    image.paste(255, (0, 0, 2, 3))  # white on the left
    about = TiffImagePlugin.ImageFileDirectory_v2()
    about[274] = 6  # to be turned clockwise
    file = io.BytesIO()
    image.save(file, "TIFF", tiffinfo=about)
    pixels = read(file.getvalue())
    assert pixels.shape == (6, 3, 3)
    assert pixels[:, 0, 0].tolist() == [255, 255, 0, 0, 0, 0]


def test_the_orientation_of_16_bits_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = png(np.array([[4095, 0]], np.uint16), chunk(b"eXIf", exif.tobytes()[6:]))
    assert read(content, 12)[:, 0, 0].tolist() == [255, 0]
