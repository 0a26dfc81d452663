"""A campaign in one zip file, read without unpacking it.

Such files come from many hands. Only the four files of a campaign are read,
by their names alone, each into memory and up to a limit; nothing is written.
"""

from __future__ import annotations

import errno
import lzma
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from . import schema

SHARED = (schema.PLAN, schema.MACHINE, schema.RUNS, schema.END)
"""What an analysis needs, and what is handed on."""

# Bytes. 30,000 rows of ten epochs fit into the one, 5,000 blocks into the
# other; a small zip file could promise a thousand times as much.
MOST_ROWS = 20_000_000
MOST_JSON = 1_000_000
MOST_ENTRIES = 1000

# What reading a damaged zip file raises; NotImplementedError for a method of
# compression and RuntimeError for a password.
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(NotImplementedError, RuntimeError, ValueError),
)


def is_archive(path: Path) -> bool:
    """Whether this is a file that calls itself a zip file."""
    return path.suffix.lower() == ".zip" and path.is_file()


def read_bytes(path: Path) -> bytes:
    """A file of a campaign, whose folder may be a zip file.

    Raises
    ------
    FileNotFoundError
        If the zip file has none of that name.
    WrongRuns
        If it is no zip file, is damaged, has more than one campaign, or more
        in a file than a campaign has.
    """
    if not is_archive(path.parent):
        return path.read_bytes()
    try:
        with zipfile.ZipFile(path.parent) as archive:
            return _read(archive, path)
    except schema.WrongRuns:
        raise
    except FileNotFoundError:
        raise
    except _DAMAGED as problem:
        what = f"the zip file cannot be read ({problem})"
        raise _wrong(path.parent, what) from problem


def _read(archive: zipfile.ZipFile, path: Path) -> bytes:
    entries = [x for x in archive.infolist() if not x.is_dir()]
    if len(entries) > MOST_ENTRIES:
        what = f"{len(entries)} files in it, expected the four of a campaign"
        raise _wrong(path.parent, what)
    places: dict[PurePosixPath, zipfile.ZipInfo] = {}
    for entry in entries:
        place = PurePosixPath(entry.filename.replace("\\", "/"))
        if place in places:
            raise _wrong(path.parent, f"{place.name} is in it twice")
        places[place] = entry
    # A Mac adds a folder of its own to what it packs.
    campaigns = [
        x.parent for x in places if x.name == schema.RUNS and "__MACOSX" not in x.parts
    ]
    if len(campaigns) != 1:
        what = f"{len(campaigns)} files {schema.RUNS} in it, expected one"
        raise _wrong(path.parent, what)
    entry = places.get(campaigns[0] / path.name)
    if entry is None:
        words = "not in the zip file"
        raise FileNotFoundError(errno.ENOENT, words, str(path))
    most = MOST_ROWS if path.name == schema.RUNS else MOST_JSON
    # The size that the zip file states may be a lie.
    with archive.open(entry) as file:
        data = file.read(most + 1)
    if len(data) > most:
        what = f"more than {most / 1e6:g} MB, which no campaign has"
        raise _wrong(path, what)
    return data


def _wrong(path: Path, what: str) -> schema.WrongRuns:
    return schema.WrongRuns([schema.Problem(path, None, "", what)])


def pack(path: Path, name: str, files: Mapping[str, bytes]) -> None:
    """Write a zip file with the files of a campaign in a folder `name`.

    The same files give the same bytes. It is either whole or as it was.
    """
    draft = path.with_name(path.name + ".part")
    try:
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            for file, data in files.items():
                entry = zipfile.ZipInfo(f"{name}/{file}")
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, data)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
