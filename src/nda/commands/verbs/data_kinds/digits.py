"""`nda data digits`: images of three stacked digits, a thousand modes."""

from __future__ import annotations

from dataclasses import dataclass

from nda.api.places import refuse_lost
from nda.commands.parser import parse
from nda.errors import ConfigError
from nda.extras import require
from nda.validators import at_least, counted


@dataclass(frozen=True)
class DigitsOptions:
    """Write a .zip of images whose red, green and blue are digits: 1,000 modes, in a folder each.

    Args:
        out: .zip file to write
        overwrite: replace files that are there
        count: images to train on, and as many held out, of digits of their own
        size: side of the images in pixels
        seed: which digits are held out and which are stacked follows from it
    """

    out: str
    count: int = 26_000
    size: int = 16
    seed: int = 0
    overwrite: bool = False


def data_digits(words: list[str]) -> int:
    """Stack the digits and write the archive."""
    options = parse(words, DigitsOptions, command="data digits")
    for name, smallest in (("count", 1), ("size", 8), ("seed", 0)):
        at_least(options, name, smallest)
    if options.seed >= 2**63:
        raise ConfigError(f"seed is {options.seed}; it must be below 2^63.")
    if options.count > 1_000_000 or options.size > 256:
        raise ConfigError(
            f"count is {options.count} and size {options.size}; give at most 1,000,000 and 256: "
            "there are 1,000 modes and digits have 8 pixels."
        )
    if not options.out.endswith(".zip"):
        raise ConfigError(f"--out {options.out} must end in .zip.")
    refuse_lost(options)
    require("sklearn", "The digits are scikit-learn's", "digits")

    from nda.data.digits import write_digits_archive

    write_digits_archive(options.out, options.count, options.size, seed=options.seed)
    print(f"twice {counted(options.count, 'image')} of three digits: {options.out}")
    return 0
