"""`nda data clevr`: an archive of scenes of CLEVR with known numbers of objects."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from nda.api.places import refuse_lost, refuse_missing
from nda.commands.parser import parse
from nda.errors import ConfigError
from nda.validators import at_least, counted, counts_of

# What a scene takes on a core, and its picture on the disk, at a side of 64 pixels.
MEASURED_SIDE, MEASURED_SECONDS, MEASURED_BYTES = 64, 0.1, 7000


@dataclass(frozen=True)
class ClevrOptions:
    """Render scenes of CLEVR into a .zip, one folder for each number of objects.

    Args:
        out: .zip to write
        overwrite: replace files that are there
        objects: numbers of objects, separated by commas, each 0 to 10
        count: pictures of each number of objects; of --original at most so many
        size: side of a picture in pixels
        costly: go ahead where that takes more than 2 hours or 20 GiB
        seed: seed of the scenes
        workers: processes that render; one a core by default
        original: folder or .zip of CLEVR_v1.0, whose pictures are taken in place of rendering
        split: split of --original to take: train or val
    """

    out: str
    objects: str = "1,2,3"
    count: int = 5000
    size: int = 64
    seed: int = 0
    costly: bool = False
    workers: int = 0
    original: str | None = None
    split: str = "train"
    overwrite: bool = False


def data_clevr(words: list[str]) -> int:
    """Render, or take from the original, and write the archive."""
    options = parse(words, ClevrOptions, command="data clevr")
    for name, smallest in (("count", 1), ("size", 16), ("seed", 0), ("workers", 0)):
        at_least(options, name, smallest)
    if options.seed >= 2**63:
        raise ConfigError(f"seed is {options.seed}; it must be below 2^63.")
    if not options.out.endswith(".zip"):
        raise ConfigError(f"--out {options.out} must end in .zip.")
    counts = tuple(counts_of(options.objects, "objects"))
    refuse_missing(options)
    refuse_lost(options)

    if options.original is not None:
        return _take(options, counts)
    return _render(options, counts)


def _render(options: ClevrOptions, counts: tuple[int, ...]) -> int:
    from pathlib import Path

    from nda.commands.cost import refuse_costly
    from nda.data.clevr.archive import ClevrArchive, write_clevr_archive
    from nda.runtime.workers.processes import WorkerDiedError

    workers = options.workers or os.cpu_count() or 1
    share = (options.size / MEASURED_SIDE) ** 2
    refuse_costly(
        Path(options.out),
        options.count * len(counts),
        (MEASURED_SECONDS * share / workers, MEASURED_BYTES * share),
        allowed=options.costly,
    )
    archive = ClevrArchive(Path(options.out), counts, options.count, options.size, options.seed)
    try:
        write_clevr_archive(archive, workers=workers, overwrite=options.overwrite)
    except WorkerDiedError as error:
        print(f"nda: {error} Give the same command again to go on.", file=sys.stderr)
        return 1
    made = counted(len(counts) * options.count, "image")
    print(f"{made} of {options.objects} objects: {options.out}")
    return 0


def _take(options: ClevrOptions, counts: tuple[int, ...]) -> int:
    from pathlib import Path

    from nda.data.clevr.original import write_original_archive

    assert options.original is not None
    taken = write_original_archive(
        Path(options.out),
        Path(options.original).expanduser(),
        counts,
        number=options.count,
        size=options.size,
        split=options.split,
        overwrite=options.overwrite,
    )
    for count, number in taken.pictures.items():
        print(f"{counted(number, 'image')} of {counted(count, 'object')}")
    if taken.cut:
        plural = "s" * (taken.cut > 1)
        print(f"left out: {taken.cut:,} picture{plural} whose middle square cuts an object off")
    print(f"archive: {options.out}")
    return 0
