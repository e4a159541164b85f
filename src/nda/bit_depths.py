"""How many bits the numbers in an image file may have; free of numpy, for the command line."""

from __future__ import annotations

from nda.errors import ConfigError

FULL = 16  # taken without a question where others of the same kind were asked about before
LEAST, MOST = 8, 32
_USUAL = (8, 10, 12, 14, FULL)  # of cameras


def check_bit_depth(bit_depth: int | None) -> None:
    """Refuse a number of bits that no file has (`ConfigError`)."""
    if bit_depth is not None and not LEAST <= bit_depth <= MOST:
        raise ConfigError(
            f"bit_depth is {bit_depth}; it must be from {LEAST} to {MOST}, such as 12 for a camera "
            "of 12 bits whose files have 16."
        )


def bits_for(highest: int) -> int:
    """The fewest bits of a usual camera that hold a value of 16 bits."""
    return next(bits for bits in _USUAL if highest < 2**bits)
