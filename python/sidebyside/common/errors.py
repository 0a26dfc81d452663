"""Errors whose message is all that a person needs."""

from __future__ import annotations


class Sentence(Exception):
    """What went wrong, in words that need no traceback.

    The command line prints the message; a notebook shows it alone, without
    the way to it.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]
