"""What `nda sample RUN IMAGES` does: translate every image with a run of pix2pix.

Kept apart from the options, so that `--help` does not wait for torch. Neither is the data of the
run needed: the checkpoint holds the generator.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from PIL import Image
from torch import Tensor

from nda.data.images.stream import Stream, open_stream, stream_of_paths
from nda.data.pairs.decode import MOST_OUTSIDE, label_pixels
from nda.data.pairs.palette import Palette, load_palette
from nda.data.reading.source import EXTENSIONS
from nda.errors import ConfigError, DataError
from nda.networks.pix2pix import Generator
from nda.recipes import names_of, recipe_of
from nda.recipes.pix2pix.translate import generator_of, translate
from nda.report.pictures.grid import save_png
from nda.runtime.devices import choose_device
from nda.runtime.progress import tracked
from nda.training.checkpoint import load_latest
from nda.training.run_folder import RunFolder
from nda.validators import counted

if TYPE_CHECKING:
    from nda.api.settings import SampleOptions

_BATCH = 64  # images read at once


def translate_images(options: SampleOptions) -> int:
    """Write a translation of every image under its name; gives the exit code."""
    generator, config, step = _opened(options)
    palette = _palette_of_inputs(config)
    out = Path(str(options.out))
    done, broken = 0, []
    with _images(str(options.images), config.get("bit_depth"), raw=palette is not None) as pictures:
        stream = (
            pictures
            if palette is None
            else _labels(pictures, palette, config["palette_tolerance"], generator.resolution)
        )
        targets = _targets(list(stream.names), str(options.images))
        batches = stream.batches(_BATCH, generator.resolution, "stretch")
        for batch in tracked(batches, "translating", -(-len(targets) // _BATCH)):
            read = [name for name, why in zip(batch.names, batch.reasons, strict=True) if not why]
            outputs = translate(
                generator, batch.images, [targets[name] for name in read], seed=options.seed
            )
            for name, image in zip(read, outputs, strict=True):
                save_png(_picture(image), out / targets[name])
            done += len(read)
            broken += [(n, why) for n, why in zip(batch.names, batch.reasons, strict=True) if why]
    for name, why in broken:
        print(f"nda: {name} cannot be read ({why}) and was left out.", file=sys.stderr)
    if not done:
        raise DataError(f"None of {counted(len(broken), 'image')} of {options.images} can be read.")
    side = generator.resolution
    print(f"{counted(done, 'image')} translated at step {step}, {side} x {side} pixels each: {out}")
    return 0


def _opened(options: SampleOptions) -> tuple[Generator, dict[str, Any], int]:
    """The generator of the run, its settings and the step it has come to."""
    folder = RunFolder.open(options.run)
    recipe = folder.config()["recipe"]
    if recipe_of(recipe).samples != "translates":
        raise ConfigError(
            f"{options.run} is a run of {recipe}, which translates no images; leave "
            f"{options.images} out, or give a run of "
            f"{names_of(lambda entry: entry.samples == 'translates')}."
        )
    if options.count is not None:
        raise ConfigError(
            f"count is {options.count}, but every image of {options.images} is translated; leave "
            "--count out."
        )
    checkpoint = load_latest(folder)
    config = checkpoint["config"]
    rng = generator_of(checkpoint, options.run)
    return (
        rng.to(choose_device(options.device or config["device"])),
        config,
        checkpoint["step"],
    )


def _palette_of_inputs(config: Mapping[str, Any]) -> Palette | None:
    """The palette in which the run has seen its inputs, if they are labels."""
    if config["direction"] == "photo_to_labels" or config["palette"] == "none":
        return None
    return load_palette(config["palette"])


def _labels(stream: Stream, palette: Palette, tolerance: int, side: int) -> Stream:
    """The stream's label images in the palette's colours, as they were in training."""

    def open_label(name: str) -> Image.Image:
        with stream.open_image(name) as image:
            pixels, outside, count = label_pixels(image, name, palette, tolerance, side)
        if outside > MOST_OUTSIDE * count:
            raise ValueError(f"{outside / count:.0%} of its pixels are not in the run's palette")
        return Image.fromarray(pixels)

    return Stream(stream.names, stream.count, open_label)


@contextmanager
def _images(source: str, bit_depth: int | None, *, raw: bool) -> Iterator[Stream]:
    """The images of a folder or zip, or a single one; `raw` where they are labels."""
    path = Path(source).expanduser()
    if path.is_file() and path.suffix.lower() in EXTENSIONS:
        single = stream_of_paths([str(path)], bit_depth, raw=raw)
        yield Stream([str(path.absolute())], 1, single.open_image)
        return
    with open_stream(path, bit_depth, raw=raw) as stream:
        yield stream


def _targets(names: list[str], source: str) -> dict[str, str]:
    """The file of each translation: the image's own name, as PNG."""
    single = len(names) == 1 and Path(names[0]).is_absolute()
    targets = {
        name: str(PurePosixPath(Path(name).name if single else name).with_suffix(".png"))
        for name in names
    }
    taken: dict[str, str] = {}
    for name, target in targets.items():
        if target in taken:
            raise DataError(
                f"{source}: {taken[target]} and {name} differ only in their endings, so their "
                f"translations would both be {target}. Rename one."
            )
        taken[target] = name
    return targets


def _picture(image: Tensor) -> Image.Image:
    return Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
