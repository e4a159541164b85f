"""Mutated files into every reader, many in one forked child; the parent sees hangs and crashes."""

from __future__ import annotations

import contextlib
import io
import json
import mmap
import random
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

from nda.cli import DISK_ERRORS
from nda.errors import UserError
from nda.runtime.terminal import shown
from tests.faults.forked import Child
from tests.faults.mutations import mutated
from tests.faults.whole import Tally

LIMIT = 5.0  # seconds of the processor that one file may take
MEMORY = 2**30  # bytes that one file may take
LONGEST = 10_000  # characters of a sentence; values of files come into it
STUCK = 40.0  # seconds without any progress: code that hears no alarm


@dataclass(frozen=True)
class Kind:
    """Files of a kind and how `nda` reads them.

    `read` gets one of `files` with mutated bytes, in `folder`, where the others are sound. With
    `exact` what is read must equal what was written, or be refused: `read` gives a digest then.
    """

    name: str
    folder: Path
    files: dict[str, bytes]  # by their names in the folder
    read: Callable[[Path], object]
    exact: bool = False


class TooSlowError(BaseException):
    """Not an `Exception`, so that no reader can catch it."""


def fuzz(kind: Kind, seed: int, start: int, count: int) -> Tally:
    """Read the mutations `start` to `start + count` of a kind, in as few children as it takes."""
    tally, following, end = Tally(), start, start + count
    while following < end:
        reached = mmap.mmap(-1, 8)
        reached[:] = following.to_bytes(8, "little")
        child = Child(partial(_read_all, kind, seed, (following, end), reached), memory=MEMORY)
        _watch(child, reached)
        ended = child.end(0)
        at = int.from_bytes(reached[:], "little")
        for found in ended.out.splitlines():
            tally.faults.append(str(json.loads(found)))
        if ended.code == 0 and ended.in_time:
            following = end
        else:
            how = "hung" if not ended.in_time else f"died with {ended.code}: {ended.err[-300:]}"
            tally.note(f"{kind.name} {seed}/{at}", how)
            following = at + 1
    tally.trials = count
    return tally


def _watch(child: Child, reached: mmap.mmap) -> None:
    """Until the child has ended, or has been at one file for too long."""
    last, since = reached[:], time.monotonic()
    while not child.ends_within(0.5):
        if reached[:] != last:
            last, since = reached[:], time.monotonic()
        elif time.monotonic() - since > STUCK:
            return


def _read_all(kind: Kind, seed: int, span: tuple[int, int], reached: mmap.mmap) -> int:
    said, folder = sys.stdout, kind.folder
    for name, data in kind.files.items():
        (folder / name).write_bytes(data)
    expected = {name: kind.read(folder / name) for name in kind.files} if kind.exact else {}
    for index in range(*span):
        reached[:] = index.to_bytes(8, "little")
        name, data = mutation(kind, seed, index)
        (folder / name).write_bytes(data)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            fault = fault_of(kind, folder / name, expected.get(name))
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
        if not fault and grown > MEMORY // 2:
            fault = f"took {grown / 2**20:.0f} MiB"
        if fault:
            print(json.dumps(f"{kind.name} {seed}/{index}: {fault}"), file=said, flush=True)
        (folder / name).write_bytes(kind.files[name])
    return 0


def mutation(kind: Kind, seed: int, index: int) -> tuple[str, bytes]:
    """Name and bytes of the mutated file number `index`: a function of the three alone."""
    rng = random.Random(f"{seed}/{kind.name}/{index}")
    name = rng.choice(sorted(kind.files))
    return name, mutated(kind.files[name], rng, list(kind.files.values()))


def fault_of(kind: Kind, path: Path, expected: object) -> str:
    """What a reader did that it must not do."""
    before = signal.signal(signal.SIGVTALRM, _too_slow)
    signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = kind.read(path)
    except UserError as error:
        said = shown(" ".join(str(error).split()))  # as the command line prints it
        return "" if 20 < len(said) < LONGEST else f"said {said[:300]!r}"
    except TooSlowError:
        return f"took more than {LIMIT:.0f} s"
    except OSError as error:
        return "" if error.errno in DISK_ERRORS else f"{type(error).__name__}: {error}"
    except Exception as error:
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f"{Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}" if place else ""
        return f"{type(error).__name__} at {where}: {str(error)[:200]}"
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    return "other content was read without a word" if kind.exact and found != expected else ""


def _too_slow(number: int, frame: FrameType | None) -> None:
    raise TooSlowError
