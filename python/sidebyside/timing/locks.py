"""One campaign at a time on a machine: two would slow each other down."""

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

# The same for all users, whatever their TMPDIR; SIDEBYSIDE_TIMING_LOCK names
# another file.
LOCK = "/tmp/sidebyside-timing.lock"


class AnotherCampaign(Sentence, RuntimeError):
    """Another campaign is running on this machine; the message says whose."""


def _lock_path() -> Path:
    return Path(os.environ.get("SIDEBYSIDE_TIMING_LOCK", LOCK))


def holder() -> dict[str, Any] | None:
    """Which campaign is running: `pid`, `campaign` and `since`; None if none is.

    Only looks, and never takes the lock: a campaign that starts at this moment
    would be refused. It goes by the note that a campaign writes when it has the
    lock and empties before it releases it, as long as its process lives.
    """
    try:
        path = _note_path(_lock_path())
        note = dict(json.loads(path.read_text("utf-8")))
        process = psutil.Process(note["pid"])
        # Another process may have been given its number since. (psutil knows
        # the start to about a second, if the clock was adjusted.)
        began_later = process.create_time() > path.stat().st_mtime + 5
        ended = process.status() == psutil.STATUS_ZOMBIE
    except (OSError, ValueError, TypeError, KeyError, psutil.Error):
        return None
    return None if began_later or ended else note


@contextlib.contextmanager
def machine_lock(campaign: str) -> Iterator[None]:
    """Hold the machine for a campaign.

    The system releases the lock when this process ends, however that happens.

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
            f"the lock {path} cannot be taken ({problem.strerror}). If "
            "somebody else left it there, ask them to remove it; or name "
            "another file by SIDEBYSIDE_TIMING_LOCK"
        ) from problem
    try:
        _write_note(path, {"pid": os.getpid(), "campaign": campaign, "since": now()})
        yield
    finally:
        _write_note(path, {})
        lock.release()


def _sentence(note: dict[str, Any] | None) -> str:
    who = "another campaign is running on this machine"
    if note:
        who += (
            f": {note.get('campaign')!r}, process {note.get('pid')}, since "
            f"{note.get('since')}"
        )
    return (
        f"{who}; two at once would slow each other down. Wait until it has ended. "
        "Where several people share this machine: take turns, or measure on "
        "a computer of your own"
    )


def _note_path(path: Path) -> Path:
    # Not in the lock file: whoever tries to take that one empties it.
    return path.with_suffix(".json")


def _write_note(path: Path, note: dict[str, Any]) -> None:
    """Best effort: the file may be another user's from an earlier time."""
    # Without O_CREAT where it exists: Linux refuses that for a file of
    # somebody else in /tmp, and allows it to be written.
    target = _note_path(path)
    create = 0 if target.exists() else os.O_CREAT
    with contextlib.suppress(OSError):
        handle = os.open(target, os.O_WRONLY | os.O_TRUNC | create, 0o666)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(note, file)
            os.fchmod(file.fileno(), 0o666)
