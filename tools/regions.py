"""Replace regions of a Markdown file, each between two HTML comments."""

from __future__ import annotations

from collections.abc import Callable

from sidebyside.common.errors import Sentence

BEGIN, END = "<!-- {} (written by `make readme`) -->", "<!-- end of {} -->"


def put(text: str, region: str, make: Callable[[str], str]) -> str:
    """Replace a region of a text by what `make` returns for its present content."""
    begin, end = BEGIN.format(region), END.format(region)
    head, found, rest = text.partition(begin)
    inside, found_end, tail = rest.partition(end)
    if not found or not found_end:
        raise Sentence(
            f"there is no region '{region}': expected the line {begin} and, below it, "
            f"the line {end}"
        )
    return f"{head}{begin}\n\n{make(inside).strip()}\n\n{end}{tail}"
