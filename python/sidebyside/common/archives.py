"""Read zip files from untrusted sources in bounded memory and time.

This is the only module that reads archives: photographs (`make fruits --from`),
shared timings, and `.npz` caches. An archive never chooses where its files are
written: members are read into memory, each up to a limit, and the caller writes
them where they belong.
"""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import Sentence, printable
from .files import open_regular

# zipfile takes about 0.8 kB of memory for each entry.
MOST_ENTRIES = 500_000
# Bytes of the central directory for each entry; 46 and the name are usual.
ENTRY_BYTES = 300
# zipfile decompresses these two piece by piece, and nearly every program uses
# them. It decompresses the others (bzip2, LZMA) without any limit.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class BadArchive(Sentence):
    """A zip file is damaged, or could do harm."""


def is_archive(path: Path) -> bool:
    """Whether this is a file that calls itself a zip file."""
    return path.suffix.lower() == ".zip" and os.path.isfile(path)


class Archive:
    """An open zip file.

    `members` has an entry for each file in it, but not for folders. Its keys are
    normalised names: parts with "/" between them, never absolute, never with
    "..". A name may still contain unprintable characters: use `printable()`. An
    entry's `file_size` and `compress_size` are what the zip file states, in bytes.
    """

    def __init__(self, opened: zipfile.ZipFile, name: str, size: int):
        self._opened = opened
        self.name = name
        self.members: dict[str, zipfile.ZipInfo] = {}
        packed = 0
        for entry in opened.infolist():
            place = _place(entry, name)
            if entry.orig_filename.endswith(("/", "\\")):
                continue
            if place in self.members:
                raise BadArchive(
                    f"{name} is refused: {printable(place)} is in it twice."
                )
            self.members[place] = entry
            packed += entry.compress_size
        if packed > size:
            raise BadArchive(
                f"{name} is refused: its entries overlap, or their sizes are wrong "
                f"({packed:,} bytes in a file of {size:,})."
            )

    def read(self, member: str, most: int) -> bytes:
        """Return the bytes of a member, if there are no more than `most`.

        Raises `KeyError` if there is no member of that name, and `BadArchive` if
        it is larger, damaged, encrypted, or packed in an unusual way.
        """
        entry = self.members[member]
        shown = printable(member)
        if entry.flag_bits & 0x41 or entry.compress_type not in METHODS:
            raise BadArchive(
                f"{self.name} is refused: {shown} has a password, or is packed in an "
                "unusual way. Unpack it yourself, or pack it again."
            )
        if entry.file_size > most:
            raise BadArchive(
                f"{self.name} is refused: {shown} would unpack to "
                f"{entry.file_size:,} bytes, expected {most:,} at most."
            )
        try:
            with self._opened.open(entry) as file:
                # One byte more than stated, so that zipfile compares the checksum.
                data = file.read(entry.file_size + 1)
            if len(data) != entry.file_size:
                raise EOFError(f"{len(data):,} bytes of {entry.file_size:,}")
        except Exception as problem:  # damaged bytes can raise almost anything
            raise BadArchive(
                f"{self.name} is damaged: {shown} cannot be read completely "
                f"({_reason(problem)}). Get the archive again."
            ) from problem
        return data


@contextmanager
def open_archive(
    path: Path, *, name: str | None = None, most_entries: int = MOST_ENTRIES
) -> Iterator[Archive]:
    """Open a zip file from an untrusted source.

    Messages call it `name`, or by its path if there is no `name`.

    Raises
    ------
    BadArchive
        If it is not a zip file, is damaged, or could do harm: entries that lead
        out of the folder, links, entries without a name or with the same name,
        more than `most_entries` entries, entries that overlap.
    OSError
        If the file cannot be opened (`NotAFile` if it is a pipe, ...).
    """
    shown = printable(path) if name is None else name
    with open_regular(path) as raw:
        guarded = _Guarded(raw.fileno(), shown, most_entries)
        try:
            opened = zipfile.ZipFile(guarded)
        except BadArchive:
            raise
        except Exception as problem:  # damaged bytes can raise almost anything
            raise BadArchive(
                f"{shown} is damaged, or not a zip file ({_reason(problem)}). Get it "
                "again, or unpack it yourself and name the folder."
            ) from problem
        with opened:
            guarded.listing = False
            yield Archive(opened, shown, guarded.seek(0, io.SEEK_END))


class _Guarded(io.FileIO):
    """A file that limits how much of its central directory zipfile can read.

    zipfile reads the whole directory at once, whatever size the file states,
    and creates an object for each entry in it.
    """

    def __init__(self, handle: int, name: str, most: int):
        super().__init__(handle, "rb", closefd=False)
        self.shown = name
        self.most = most
        self.listing = True

    def read(self, size: int = -1, /) -> bytes:
        if not self.listing:
            return super().read(size)
        too_long = size > max(self.most * ENTRY_BYTES, 1 << 16)
        data = b"" if too_long else super().read(size)
        if too_long or data.count(zipfile.stringCentralDir) > self.most:
            raise BadArchive(
                f"{self.shown} is refused: its list of contents is too long, expected "
                f"{self.most:,} files and folders at most. Unpack it yourself and name "
                "the folder."
            )
        return data


def _place(entry: zipfile.ZipInfo, name: str) -> str:
    """Return the normalised name of an entry; `BadArchive` if it could do harm."""
    path = entry.orig_filename
    parts = [part for part in re.split(r"[\\/]", path) if part not in ("", ".")]
    why = None
    if not parts and not path.endswith(("/", "\\")):
        why = "has no name"
    elif (
        path[0] in "/\\" or ".." in parts or "\0" in path or re.match("[A-Za-z]:", path)
    ):
        why = "leads out of the folder"
    elif stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        why = "is a link or a device"
    if why:
        raise BadArchive(f"{name} is refused: its entry '{printable(path)}' {why}.")
    place = "/".join(parts)
    # The two are nearly always equal; keeping only one text saves memory.
    return entry.filename if entry.filename == place else place


def _reason(problem: Exception) -> str:
    return printable(str(problem) or type(problem).__name__)
