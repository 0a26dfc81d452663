"""Errors whose message is all that a person needs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


class Sentence(Exception):
    """What went wrong, in words that need no traceback.

    The command line prints the message, and a notebook shows it alone. Whatever a
    file, or a name in it, has put into the message is safe to print.
    """

    def __str__(self) -> str:
        return "\n".join(printable(x, 10_000) for x in super().__str__().split("\n"))

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class Stopped(Sentence, KeyboardInterrupt):
    """The reader interrupted a cell."""


def stoppable(function: Callable) -> Callable:
    """Has an interrupt of a function shown as a sentence, without its frames."""

    @functools.wraps(function)
    def called(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except KeyboardInterrupt:
            raise Stopped(f"{function.__name__}() was interrupted.") from None

    return called


class NoData(Sentence):
    """A data set could not be had from any of its sources."""


class WrongData(Sentence, ValueError):
    """Something is there, but it is not the data set."""


def printable(text: object, most: int = 200) -> str:
    """A stranger's text, safe to print: on one line and without commands.

    A terminal obeys escape sequences, and a file may be called by one. What
    is not printable (control characters, line ends, changes of direction,
    undecodable bytes) is shown as Python would write it: `\\x1b`, `\\n`.
    Text longer than `most` characters is cut in the middle.
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
