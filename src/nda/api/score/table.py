"""The table of `nda score`: written beside its place until it is whole, so that it can go on.

`scores.csv.part` holds what the scores depend on in its first line, then the table so far. Rows
come a batch at a time; what is left of a batch that was cut off is scored again.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from nda.api.score.place import Place
from nda.errors import DataError, UserError
from nda.report.scored import HEADER, Scored
from nda.runtime.files import atomic_file
from nda.runtime.locks import NoLocksError, is_still, lock

_KEEPS_OPEN_FILES = os.name == "nt"  # Windows removes none that is open
Write = Callable[[Sequence[Scored]], None]  # of the rows of a batch


@contextmanager
def table(
    place: Place,
    about: Mapping[str, object],
    batch_size: int,
    settle: Callable[[Scored], Scored] | None = None,
    header: Sequence[str] = HEADER,
) -> Iterator[tuple[list[Scored], Write]]:
    """The rows kept from before, and what writes those of a batch; whole at the end.

    Verdicts that depend on all rows are made at the end, by `settle`.

    Raises `DataError` where the kept rows are of other settings `about`.
    """
    kept: list[Scored] = []
    if place.out is None:  # a caller in Python, who takes the rows themselves
        yield kept, lambda _: None
        return
    goes_on = place.goes_on()
    with _opened(place) as file:
        if goes_on:
            kept = _kept(file, place, about, batch_size, header)
        else:
            file.truncate(0)
            file.write(json.dumps(about).encode() + b"\n")
            _write(file, [header])
        rows = len(kept)

        def write(batch: Sequence[Scored]) -> None:
            nonlocal rows
            _write(file, [scored.row(header) for scored in batch])
            rows += len(batch)

        try:
            yield kept, write
        except BaseException as error:
            if rows > len(kept) or not rows or not isinstance(error, UserError):
                _say_or_remove(place, rows)
            raise
        file.seek(0)
        with atomic_file(place.out) as out:
            _finish(file, out, settle, header)
        if not _KEEPS_OPEN_FILES:
            place.part.unlink()  # while it is locked: whoever opened it sees that it is gone
    if _KEEPS_OPEN_FILES:
        place.part.unlink()


def _opened(place: Place) -> BinaryIO:
    """The unfinished table to write, locked for this process; refuses one that another writes."""
    while True:
        file = place.part.open("a+b")
        try:
            lock(file)
        except BlockingIOError:
            file.close()
            place.refuse_two()
        except NoLocksError:
            break
        if is_still(place.part, file):
            break
        file.close()  # its last writer removed it between our two steps
    file.seek(0)
    return file


def _finish(
    whole: BinaryIO,
    out: BinaryIO,
    settle: Callable[[Scored], Scored] | None,
    header: Sequence[str],
) -> None:
    """Copy the unfinished table without its first line, its verdicts settled."""
    whole.readline()
    if settle is None:
        shutil.copyfileobj(whole, out)
        return
    found = csv.reader(_lines(whole, [0]))
    _write(out, [next(found)])
    for row in found:
        _write(out, [settle(Scored.of(row)).row(header)])


def _say_or_remove(place: Place, rows: int) -> None:
    if not rows:
        place.part.unlink(missing_ok=True)
        return
    print(
        f"nda: {rows:,} rows are kept in {place.part}; the same command with --resume goes on.",
        file=sys.stderr,
    )


def _write(file: BinaryIO, rows: Sequence[Sequence[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    # Names of files need not be UTF-8.
    file.write(text.getvalue().encode(errors="backslashreplace"))
    file.flush()


def _kept(
    file: BinaryIO,
    place: Place,
    about: Mapping[str, object],
    batch_size: int,
    header: Sequence[str],
) -> list[Scored]:
    """The rows of whole batches, behind which the file is cut off."""
    try:
        before = json.loads(file.readline())
        known = dict(before)
    except (ValueError, TypeError) as error:
        raise DataError(f"{place.part} is damaged; give --overwrite to begin anew.") from error
    for name, value in json.loads(json.dumps(about)).items():
        if known.get(name) != value:
            raise DataError(
                f"{place.part} was begun with {name} {known.get(name)}, which is {value} now; give "
                "what it was begun with, or --overwrite to begin anew."
            )
    start, rows = file.tell(), []
    ends = [start]  # of each row
    for row in csv.reader(_lines(file, ends)):
        if len(row) != len(header):
            break
        rows.append(row)
        ends.append(ends[-1])  # grows with the lines of the next row
    whole = max(0, len(rows) - 1) // batch_size * batch_size
    file.seek(ends[whole] if rows else start)
    file.truncate()
    if not rows:
        _write(file, [header])
    return [Scored.of(row) for row in rows[1 : whole + 1]]


def _lines(file: BinaryIO, ends: list[int]) -> Iterator[str]:
    """Whole lines as text; the last of `ends` follows them."""
    for line in file:
        if not line.endswith(b"\n"):
            return
        ends[-1] += len(line)
        yield line.decode(errors="replace")


def names_after(kept: Sequence[Scored], names: Iterator[str], place: Place) -> Iterator[str]:
    """The names that are not scored yet; refuses others than those of the kept rows before them."""
    for number, scored in enumerate(kept):
        name = next(names, None)
        if name is None or written(name) != scored.file:
            raise DataError(
                f"Row {number + 1} of {place.part} is of {scored.file}, and there the images have "
                f"{name or 'come to their end'} now: they are others than before. Give --overwrite "
                "to begin anew."
            )
    return names


def written(name: str) -> str:
    """A name as it comes back from a table."""
    return name.encode(errors="backslashreplace").decode()
