"""`nda data shard`: image files as a few large ones, to train from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nda.api.places import TORCHVISION, refuse_absent, refuse_lost
from nda.commands.parser import parse
from nda.errors import ConfigError
from nda.runtime.files import refuse_within
from nda.validators import at_least, counted


@dataclass(frozen=True)
class ShardOptions:
    """Write images as WebDataset tar shards, which every command takes in place of a folder.

    Args:
        source: folder, .zip of a folder, or folder of tar shards
        out: folder to write
        overwrite: replace files that are there
        shard_mib: most MiB of a shard
        seed: the order of the images within the shards follows from it
        skip_broken: skip and count unreadable images in place of refusing them
    """

    source: str
    out: str
    shard_mib: int = 256
    seed: int = 0
    skip_broken: bool = False
    overwrite: bool = False


def data_shard(words: list[str]) -> int:
    """Write the shards and say what they hold."""
    options = parse(words, ShardOptions, command="data shard", positional="source")
    at_least(options, "shard_mib", 1)
    at_least(options, "seed", 0)
    if options.source.startswith(TORCHVISION):
        raise ConfigError(
            f"{options.source} has no files to put into shards; give a folder or a .zip of images."
        )
    refuse_absent(options.source)
    refuse_within(Path(options.out), options.source)
    refuse_lost(options)

    from nda.data.shards.write import write_shards
    from nda.runtime.notes import tell

    done = write_shards(
        options.source,
        options.out,
        most_bytes=options.shard_mib * 2**20,
        seed=options.seed,
        skip_broken=options.skip_broken,
    )
    if done.skipped:
        tell(f"{counted(len(done.skipped), 'image')} left out, the first {done.skipped[0]}.")
    if done.passed:
        tell(f"Shards hold images, their classes and masks; left out: {', '.join(done.passed)}.")
    size = f"{done.bytes / 2**20:,.1f} MiB"
    print(
        f"{counted(done.images, 'image')} in {counted(done.shards, 'shard')}, {size}: {options.out}"
    )
    return 0
