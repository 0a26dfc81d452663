"""The folders where data is kept, and files that are never half written."""

from __future__ import annotations

import errno
import fcntl
import importlib.metadata
import json
import os
import shutil
import stat
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .errors import Sentence, printable

# A disk or a quota that is full, or a file that may not grow.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def project_directory() -> Path | None:
    """The project's folder that this package was installed from, if any.

    pip records it when a package is installed from a folder (PEP 610).
    """
    try:
        package = importlib.metadata.distribution("sidebyside")
    except importlib.metadata.PackageNotFoundError:
        return None
    noted = package.read_text("direct_url.json")
    if noted is None:
        return None
    url = urllib.parse.urlparse(json.loads(noted)["url"])
    project = Path(urllib.request.url2pathname(url.path)).parent
    # os.path, because Path.is_dir() may raise for a folder of another user.
    return project if os.path.isdir(project / "data") else None


def data_directory() -> Path:
    """Where downloads are kept.

    `SIDEBYSIDE_DATA` if it is set; `data/` of the project if this package was
    installed from its folder; the user's cache otherwise.
    """
    chosen = os.environ.get("SIDEBYSIDE_DATA")
    if chosen:
        return Path(chosen).expanduser()
    project = project_directory()
    if project is not None:
        return project / "data"
    import pooch

    return Path(pooch.os_cache("sidebyside"))


def keras_cache() -> Path:
    """Where keras.datasets keeps its downloads."""
    home = os.environ.get("KERAS_HOME", "~/.keras")
    return Path(home).expanduser() / "datasets"


class DiskFull(OSError):
    """The disk is full. Files that were written before are complete."""


def full(path: Path, problem: OSError) -> DiskFull:
    return DiskFull(
        problem.errno,
        f"{path} cannot be written, because the disk is full ({problem.strerror})",
    )


class NotAFile(Sentence, OSError):
    """A path leads to a folder, a pipe or a device; a file was expected."""


def open_regular(path: Path) -> BinaryIO:
    """Open an untrusted file for reading, without ever waiting.

    Opening a pipe would wait until somebody writes into it, and a device may
    never end: both raise `NotAFile`. Other problems are the usual `OSError`.
    """
    if stat.S_ISREG(os.stat(path).st_mode):
        # The path may have changed since then, so check what was really opened.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if stat.S_ISREG(os.fstat(handle).st_mode):
            return os.fdopen(handle, "rb")
        os.close(handle)
    raise NotAFile(
        f"{printable(path)} is a folder, a pipe or a device; expected a file."
    )


class TooLarge(Sentence, OSError):
    """A file is larger than any file of its kind."""


def read_at_most(path: Path, most: int) -> bytes:
    """Return the bytes of an untrusted file.

    Raises `NotAFile`, `TooLarge` if there are more than `most` bytes, or `OSError`.
    """
    with open_regular(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise TooLarge(
            f"{printable(path)} is too large: expected {most / 1e6:g} MB at most."
        )
    return data


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a whole file to the disk, or leave it as it was."""
    with written_whole(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write to, which replaces `path` at the end of the block.

    Until then, and after any error in the block, `path` stays as it was. A power
    failure leaves the old file or the new one, never half of it: the bytes are
    on the disk before the file gets its name, and the name is on the disk when
    the block has ended. Two writers take turns. Raises `DiskFull` or `OSError`.
    """
    draft = path.with_name(f"{path.name}.part")
    try:
        with _locked(draft) as file:
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                os.replace(draft, path)
            except BaseException:
                with suppress(OSError):
                    draft.unlink()
                raise
        _sync_folder(path.parent)
    except OSError as problem:
        if problem.errno in FULL:
            raise full(path, problem) from problem
        raise


def _locked(draft: Path) -> BinaryIO:
    """Open an empty draft and lock it until it is closed.

    The name is always the same, so the next process uses the draft of a process
    that was killed.
    """
    while True:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
        file = os.fdopen(handle, "wb")
        fcntl.flock(file, fcntl.LOCK_EX)
        # The last writer may have renamed or removed the file that we waited for.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), os.stat(draft)):
                file.truncate(0)
                return file
        file.close()


@contextmanager
def written_folder(place: Path) -> Iterator[Path]:
    """Yield a new folder to fill, which replaces `place` at the end of the block.

    Until then, and after any error in the block, `place` stays as it was. The
    caller must hold a lock on `place`.
    """
    draft, old = _beside(place)
    restore_folder(place)
    draft.mkdir()
    try:
        yield draft
        if os.path.lexists(place):
            os.rename(place, old)
        os.rename(draft, place)
    finally:
        restore_folder(place)


def restore_folder(place: Path) -> None:
    """Tidy up after a `written_folder()` that failed or was killed.

    If `place` was already renamed to make room, it gets its name back.
    """
    draft, old = _beside(place)
    if os.path.lexists(old) and not os.path.lexists(place):
        os.rename(old, place)
    for left in (draft, old):
        if left.is_symlink():
            left.unlink()
        else:
            shutil.rmtree(left, ignore_errors=True)


def _beside(place: Path) -> tuple[Path, Path]:
    """Return where the new and the old folder are while one replaces the other."""
    return (
        place.with_name(f".{place.name}.sidebyside-new"),
        place.with_name(f".{place.name}.sidebyside-old"),
    )


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
