"""Folders that everything is kept in, and files that are whole or not there."""

from __future__ import annotations

import errno
import importlib.metadata
import json
import os
import urllib.parse
import urllib.request
from pathlib import Path

# A disk or a quota that is full, or a file that may not grow.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def project_directory() -> Path | None:
    """The project's folder that this package was installed from, if any.

    pip notes it when a package is installed from a folder (PEP 610).
    """
    try:
        noted = importlib.metadata.distribution("sidebyside").read_text(
            "direct_url.json"
        )
    except importlib.metadata.PackageNotFoundError:
        noted = None
    if noted is None:
        return None
    url = urllib.parse.urlparse(json.loads(noted)["url"])
    project = Path(urllib.request.url2pathname(url.path)).parent
    try:
        return project if (project / "data").is_dir() else None
    except PermissionError:
        # Another user's. (From Python 3.14 on is_dir() says False.)
        return None


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
    """There is no room to write; what is written is whole."""


def full(path: Path, problem: OSError) -> DiskFull:
    return DiskFull(
        problem.errno,
        f"{path} cannot be written, because the disk is full ({problem.strerror})",
    )


def write_whole(path: Path, text: str) -> None:
    """Write a file that is either whole or as it was, and on the disk."""
    draft = path.with_name(path.name + ".part")
    try:
        with draft.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
        _sync_folder(path.parent)
    except OSError as problem:
        draft.unlink(missing_ok=True)
        if problem.errno in FULL:
            raise full(path, problem) from problem
        raise


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
