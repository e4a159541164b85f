"""`nda data dots`: images with exactly so many dots, in one folder a number."""

from __future__ import annotations

from dataclasses import dataclass

from nda.api.places import refuse_lost
from nda.commands.parser import parse
from nda.errors import ConfigError
from nda.validators import at_least, counted, counts_of


@dataclass(frozen=True)
class DotsOptions:
    """Write a .zip of images with exactly so many coloured dots, in one folder a number.

    Args:
        out: .zip file to write
        overwrite: replace files that are there
        objects: numbers of dots, separated by commas
        count: images of each number
        size: side of the images in pixels
        seed: every dot follows from it
        costly: go ahead where that takes more than 2 hours or 20 GiB
    """

    out: str
    objects: str = "4,5,6,7"
    count: int = 10_000
    size: int = 64
    seed: int = 0
    costly: bool = False
    overwrite: bool = False


def data_dots(words: list[str]) -> int:
    """Draw the images and write the archive."""
    options = parse(words, DotsOptions, command="data dots")
    for name, smallest in (("count", 1), ("size", 1), ("seed", 0)):
        at_least(options, name, smallest)
    if options.seed >= 2**63:
        raise ConfigError(f"seed is {options.seed}; it must be below 2^63.")
    counts = counts_of(options.objects, "objects")
    if not options.out.endswith(".zip"):
        raise ConfigError(f"--out {options.out} must end in .zip.")
    refuse_lost(options)

    from pathlib import Path

    import torch

    from nda.commands.cost import refuse_costly
    from nda.data.dots import cost_of_dots, write_dots_archive

    out = Path(options.out)
    refuse_costly(
        out,
        options.count * len(counts),
        cost_of_dots(max(counts), options.size),
        allowed=options.costly,
    )
    rng = torch.Generator().manual_seed(options.seed)
    write_dots_archive(out, dict.fromkeys(counts, options.count), options.size, generator=rng)
    print(f"{counted(options.count * len(counts), 'image')} of {options.objects} dots: {out}")
    return 0
