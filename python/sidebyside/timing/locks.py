"""One campaign at a time on a machine: two would measure each other."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock

from ..common.errors import Sentence

# The same for all users, whatever their TMPDIR; SIDEBYSIDE_TIMING_LOCK names
# another file.
LOCK = "/tmp/sidebyside-timing.lock"


class AnotherCampaign(Sentence, RuntimeError):
    """Somebody measures on this machine just now; the message says who."""


def _lock_path() -> Path:
    return Path(os.environ.get("SIDEBYSIDE_TIMING_LOCK", LOCK))


def holder() -> dict[str, Any] | None:
    """Who measures just now: `pid`, `campaign` and `since`; None if nobody.

    The dictionary is empty if it is not known who.
    """
    path = _lock_path()
    if not path.exists():
        return None
    lock = filelock.FileLock(path, timeout=0, mode=0o666)
    try:
        lock.acquire()
    except (filelock.Timeout, OSError):
        return _read_note(path)
    lock.release()
    return None


@contextlib.contextmanager
def machine_lock(campaign: str, since: str) -> Iterator[None]:
    """Hold the machine for a campaign.

    The system lets it go when this process ends, however that happens.

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
        raise AnotherCampaign(_sentence(_read_note(path))) from None
    except OSError as problem:
        raise AnotherCampaign(
            f"the lock {path} cannot be taken ({problem.strerror}). If it "
            "was left by somebody else, have them remove it; or name "
            "another file by SIDEBYSIDE_TIMING_LOCK"
        ) from problem
    try:
        _write_note(path, campaign, since)
        yield
    finally:
        lock.release()


def _sentence(note: dict[str, Any]) -> str:
    who = "another campaign is under way on this machine"
    if note:
        who += (
            f": {note.get('campaign')!r}, process {note.get('pid')}, since "
            f"{note.get('since')}"
        )
    return (
        f"{who}; two at a time would measure each other. Wait for its end. "
        "Where several people share this machine: take turns, or measure on "
        "a computer of your own"
    )


def _note_path(path: Path) -> Path:
    # Not in the lock file: whoever tries to take that one empties it.
    return path.with_suffix(".json")


def _write_note(path: Path, campaign: str, since: str) -> None:
    """Best effort: the file may be another user's from an earlier time."""
    note = {"pid": os.getpid(), "campaign": campaign, "since": since}
    # Without O_CREAT where it is there: Linux refuses that for a file of
    # somebody else in /tmp, and allows it to be written.
    target = _note_path(path)
    create = 0 if target.exists() else os.O_CREAT
    with contextlib.suppress(OSError):
        handle = os.open(target, os.O_WRONLY | os.O_TRUNC | create, 0o666)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(note, file)
            os.fchmod(file.fileno(), 0o666)


def _read_note(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(_note_path(path).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return {}
