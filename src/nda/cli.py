"""The command line: one table of commands; parses, calls, prints, and has no other logic.

Exit codes: 0 done, 2 the user's mistake (one sentence on stderr), 130 interrupted by Ctrl-C (143 by
SIGTERM, 129 by SIGHUP), 1 ours.
"""

from __future__ import annotations

import errno
import importlib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nda.errors import UserError
from nda.extras import require_training
from nda.runtime.signals import Interrupted, ended_by_signals
from nda.runtime.terminal import plain_output
from nda.validators import nearest


@dataclass(frozen=True)
class Command:
    """A verb of the command line; its module is imported only when it is used."""

    summary: str
    module: str
    function: str


# What a disk refuses: the user's to mend, unlike other errors of the operating system.
DISK_ERRORS = {
    errno.EACCES, errno.EDQUOT, errno.EEXIST, errno.EFBIG, errno.EIO, errno.EISDIR, errno.ELOOP,
    errno.ENAMETOOLONG, errno.ENOENT, errno.ENOSPC, errno.ENOTDIR, errno.EPERM, errno.EROFS,
    errno.ESTALE,
}  # fmt: skip

DOWNLOAD = "--download"  # of every command; no file of settings can say it
PERMISSION = "NDA_DOWNLOAD"  # the same as in nda.data.images.torchvision, which loads torch

NO_MEMORY = re.compile(r"can't allocate memory|out of memory")  # as torch says it

COMMANDS = {
    "quickstart": Command(
        "see negative data augmentation work in a few minutes, without data or GPU",
        "nda.commands.verbs.quickstart",
        "quickstart",
    ),
    "data": Command("make images of known content", "nda.commands.verbs.data", "data"),
    "preview": Command(
        "show negatives on your own images", "nda.commands.verbs.preview", "preview"
    ),
    "check": Command(
        "find which negatives are valid and informative for your data",
        "nda.commands.verbs.check",
        "check",
    ),
    "configs": Command(
        "list the configurations that come with the package",
        "nda.commands.verbs.configs",
        "configs",
    ),
    "train": Command("train a recipe on your data", "nda.commands.verbs.train", "train"),
    "sweep": Command(
        "search the settings of a recipe, and compare what was found",
        "nda.commands.verbs.sweep",
        "sweep",
    ),
    "resume": Command("continue an interrupted run", "nda.commands.verbs.run", "resume"),
    "evaluate": Command("measure a run again", "nda.commands.verbs.run", "evaluate"),
    "score": Command("score images or videos for anomalies", "nda.commands.verbs.score", "score"),
    "serve": Command(
        "judge images dropped on a page, or sent by programs", "nda.commands.verbs.serve", "serve"
    ),
    "probe": Command(
        "measure how sensitive a model is to global structure", "nda.commands.verbs.probe", "probe"
    ),
    "sample": Command("draw images from a run", "nda.commands.verbs.run", "sample"),
    "report": Command("write a run's page", "nda.commands.verbs.pages", "report"),
    "compare": Command("write a page that compares runs", "nda.commands.verbs.pages", "compare"),
    "export": Command(
        "write a run's model for other programs", "nda.commands.verbs.export", "export"
    ),
    "completion": Command(
        "print a script that completes commands in your shell", "nda.completion", "completion"
    ),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; gives the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    with plain_output(), permitted(DOWNLOAD in words):
        return run([word for word in words if word != DOWNLOAD])


@contextmanager
def permitted(download: bool) -> Iterator[None]:
    """Within, data sets may be fetched if `download`, also by processes that are started."""
    before = os.environ.get(PERMISSION)
    if download:
        os.environ[PERMISSION] = "1"
    try:
        yield
    finally:
        if download and before is None:
            del os.environ[PERMISSION]


def run(words: list[str]) -> int:
    """Run the command that `words` ask for, and say in a sentence what went wrong, if it did."""
    try:
        with ended_by_signals():
            return dispatch(words)
    except UserError as error:
        print("nda:", re.sub(r"\s*\n\s*", " ", str(error)), file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print("nda: interrupted", file=sys.stderr)
        return interrupt.code if isinstance(interrupt, Interrupted) else 130
    except BrokenPipeError:  # the reader of our output went away
        sys.stderr.close()
        return 1
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not NO_MEMORY.search(str(error)):
            raise
        print(
            f"nda: There is not enough memory ({str(error).strip().splitlines()[0][:120]}). Give a "
            "smaller batch, resolution, width or size.",
            file=sys.stderr,
        )
        return 2
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        where = error.filename2 or error.filename or "A file"
        print(
            f"nda: {where} could not be read or written ({error.strerror}). Choose another place, "
            "or make room for it.",
            file=sys.stderr,
        )
        return 2


def dispatch(words: list[str]) -> int:
    """Call the command that the first word names with the others."""
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if words[0] == "--version":
        from importlib.metadata import version

        print(f"nda {version('nda-torch')}")
        return 0
    if words[0] not in COMMANDS:
        raise UserError(
            f"There is no command {words[0]!r}{nearest(words[0], COMMANDS)} "
            "'nda --help' lists the commands."
        )
    require_training(f"nda {words[0]}")
    command = COMMANDS[words[0]]
    return int(getattr(importlib.import_module(command.module), command.function)(words[1:]))


def overview() -> str:
    """The text of `nda --help`."""
    rows = "\n".join(f"  {name:<12}{command.summary}" for name, command in COMMANDS.items())
    return (
        "usage: nda COMMAND ...\n\n"
        "Negative data augmentation: teach a model what the data is not.\n\n"
        f"commands:\n{rows}\n\n"
        "With --download a command may fetch a data set torchvision:NAME that is not here.\n"
        "'nda COMMAND --help' explains a command. Start with 'nda quickstart'."
    )
