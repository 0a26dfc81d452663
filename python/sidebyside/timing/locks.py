"""Allow one campaign at a time on a machine: two would slow each other down."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import psutil

from ..common.errors import Sentence
from .format import now

# All users share this file, even with another TMPDIR. SIDEBYSIDE_TIMING_LOCK can
# name another one.
LOCK = "/tmp/sidebyside-timing.lock"


class AnotherCampaign(Sentence, RuntimeError):
    """Another campaign is running on this machine. The message says which one."""


def _lock_path() -> Path:
    return Path(os.environ.get("SIDEBYSIDE_TIMING_LOCK", LOCK))


def holder() -> dict[str, Any] | None:
    """Return the running campaign's `pid`, `campaign` and `since`, or None.

    This never takes the lock, because a campaign that starts at this moment would
    then be refused. It reads the note that a campaign writes when it has the lock,
    and empties before it releases the lock. The note counts while its process runs.
    """
    try:
        path = _note_path(_lock_path())
        note = dict(json.loads(path.read_text("utf-8")))
        process = psutil.Process(note["pid"])
        # Another process may have got the same number. (psutil knows when a process
        # started to about a second, if the clock was adjusted.)
        began_later = process.create_time() > path.stat().st_mtime + 5
        ended = process.status() == psutil.STATUS_ZOMBIE
    except (OSError, ValueError, TypeError, KeyError, psutil.Error):
        return None
    return None if began_later or ended else note


@contextlib.contextmanager
def machine_lock(campaign: str) -> Iterator[None]:
    """Lock the machine for a campaign.

    The system releases the lock when this process ends, for whatever reason.

    Raises
    ------
    AnotherCampaign
        If another process holds it.
    """
    path = _lock_path()
    lock = filelock.FileLock(path, timeout=0, mode=0o666)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise AnotherCampaign(_sentence(holder())) from None
    except OSError as problem:
        raise AnotherCampaign(
            f"The lock {path} cannot be used ({problem.strerror}). If the file is "
            "somebody else's, ask them to remove it, or set SIDEBYSIDE_TIMING_LOCK to "
            "another file."
        ) from problem
    try:
        _write_note(path, {"pid": os.getpid(), "campaign": campaign, "since": now()})
        yield
    finally:
        _write_note(path, {})
        lock.release()


def _sentence(note: dict[str, Any] | None) -> str:
    who = "Another campaign is running on this machine"
    if note:
        who += (
            f": {note.get('campaign')!r}, process {note.get('pid')}, since "
            f"{note.get('since')}"
        )
    return (
        f"{who}. Two campaigns at once would slow each other down: wait until it has "
        "ended. If several people share this machine, take turns or measure on your "
        "own computers."
    )


def _note_path(path: Path) -> Path:
    # This is not the lock file, which any process that tries to take it empties.
    return path.with_suffix(".json")


def _write_note(path: Path, note: dict[str, Any]) -> None:
    """Write the note if possible: the file may be another user's."""
    # No O_CREAT if it exists: Linux refuses that for another user's file in /tmp,
    # but allows us to write to it.
    target = _note_path(path)
    create = 0 if target.exists() else os.O_CREAT
    with contextlib.suppress(OSError):
        handle = os.open(target, os.O_WRONLY | os.O_TRUNC | create, 0o666)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(note, file)
            os.fchmod(file.fileno(), 0o666)
