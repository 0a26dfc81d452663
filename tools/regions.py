"""Regions of a Markdown file that a program writes, each between two HTML comments."""

from __future__ import annotations

from collections.abc import Callable

from sidebyside.common.errors import Sentence

BEGIN, END = "<!-- {} (written by `make readme`) -->", "<!-- end of {} -->"


def put(text: str, region: str, make: Callable[[str], str]) -> str:
    """The text with what is between two comments replaced by what is made of it."""
    begin, end = BEGIN.format(region), END.format(region)
    head, found, rest = text.partition(begin)
    inside, found_end, tail = rest.partition(end)
    if not found or not found_end:
        raise Sentence(
            f"there is no region '{region}': expected the line {begin} and, below it, "
            f"the line {end}"
        )
    return f"{head}{begin}\n\n{make(inside).strip()}\n\n{end}{tail}"
