"""Rows and other files of a campaign, written so that nothing gets lost."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..common import files
from . import schema

# Bytes that have to be free before a run: what a run and its row need, and
# R's and TensorFlow's temporary files.
LEAST_FREE = 50_000_000


def check_room(folder: Path) -> None:
    """Raise `DiskFull` if a run could not be kept."""
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if free < LEAST_FREE:
        raise files.DiskFull(
            errno.ENOSPC,
            f"{free / 1e6:.0f} MB are free where {folder} is; a run needs "
            f"{LEAST_FREE / 1e6:.0f} MB",
        )


def append_line(path: Path, line: str) -> None:
    """Append one line with one write, and wait until the disk has it.

    If only a part fits, the file is cut back to what it was.
    """
    data = line.encode()
    handle = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        size = os.fstat(handle).st_size
        try:
            written = os.write(handle, data)
            if written < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(handle)
        except OSError as problem:
            os.ftruncate(handle, size)
            if problem.errno in files.FULL:
                raise files.full(path, problem) from problem
            raise
    finally:
        os.close(handle)


def numbers_text(numbers: Iterable[float]) -> str:
    """A list as it stands in a field: the shortest text of the same bits."""
    return ";".join(repr(float(number)) for number in numbers)


def row_text(row: Mapping[str, Any]) -> str:
    """A row as a line of `runs.csv`."""
    fields = []
    for name in schema.COLUMNS:
        value = row.get(name)
        if value is None:
            fields.append("")
        elif isinstance(value, tuple | list):
            fields.append(numbers_text(value))
        elif isinstance(value, float):
            fields.append(repr(value))
        else:
            fields.append(" ".join(str(value).split()))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(fields)
    return text.getvalue()


def header() -> str:
    """The first line of `runs.csv`."""
    return ",".join(schema.COLUMNS) + "\n"


def table_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The whole file."""
    return header() + "".join(map(row_text, rows))


def repair(path: Path) -> int:
    """Cut a file back to its last whole line; how many bytes went.

    A line without its end was being written when the power went off or the
    process was killed.
    """
    from .loader import whole_lines

    kept = whole_lines(path)
    lost = path.stat().st_size - len(kept)
    if lost:
        files.write_whole(path, kept.decode())
    return lost


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """The rows of a campaign, checked; None where nothing was measured.

    A last line that was cut off is left out.
    """
    from .loader import CutOff, read_campaign, whole_lines

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CutOff)
        read_campaign(folder)
    text = whole_lines(folder / schema.RUNS).decode()
    return [_read_row(row) for row in csv.DictReader(io.StringIO(text))]


def _read_row(texts: Mapping[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name in schema.COLUMNS:
        text = texts.get(name) or ""
        if name in schema.EPOCH_COLUMNS:
            row[name] = tuple(map(float, text.split(";"))) if text else ()
        elif name in schema.WHOLE:
            row[name] = int(text)
        elif name == "exit_code":
            row[name] = int(text) if text else None
        elif name in schema.REAL:
            row[name] = float(text) if text else None
        else:
            row[name] = text
    return row


def note(folder: Path, what: str, **facts: Any) -> None:
    """Add a line to the campaign's log, `events.jsonl`."""
    from .format import now

    path = folder / "events.jsonl"
    if not path.exists():
        files.write_whole(path, "")
    line = json.dumps({"at": now(), "what": what, **facts})
    append_line(path, line + "\n")


def events(folder: Path) -> list[dict[str, Any]]:
    """The campaign's log; a last line that was cut off is left out."""
    path = folder / "events.jsonl"
    if not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found
