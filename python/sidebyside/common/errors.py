"""Errors whose message says all that a person needs to know."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


class Sentence(Exception):
    """An error whose message needs no traceback.

    The command line and the notebook show only the message. Text that came into it
    from a file or from a file's name is made safe to print.
    """

    def __str__(self) -> str:
        return "\n".join(printable(x, 10_000) for x in super().__str__().split("\n"))

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class Stopped(Sentence, KeyboardInterrupt):
    """The reader interrupted a cell."""


def stoppable(function: Callable) -> Callable:
    """Make a function show an interrupt as one sentence, without a traceback."""

    @functools.wraps(function)
    def called(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except KeyboardInterrupt:
            raise Stopped(f"{function.__name__}() was interrupted.") from None

    return called


class NoData(Sentence):
    """None of a data set's sources worked."""


class WrongData(Sentence, ValueError):
    """A file or folder exists, but is not the data set."""


def printable(text: object, most: int = 200) -> str:
    """Make untrusted text safe to print, on one line.

    A terminal obeys escape sequences, and the name of a file may contain one.
    Characters that are not printable (control characters, line ends, changes of
    direction, undecodable bytes) are shown as Python writes them: `\\x1b`, `\\n`.
    Text longer than `most` characters is shortened in the middle.
    """
    text = str(text)
    if text.isprintable() and len(text) <= most:
        return text
    if len(text) > most:
        half = (most - 5) // 2
        text = f"{text[:half]} ... {text[-half:]}"
    return "".join(
        x if x.isprintable() else x.encode("unicode_escape").decode() for x in text
    )
