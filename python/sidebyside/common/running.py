"""What the package is doing right now, in words, for the status line of a cell."""

from __future__ import annotations

# Set by work that takes long and knows its progress; "" otherwise.
doing = ""


def duration(seconds: float) -> str:
    """Write a number of seconds as text, such as "4 min 05 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
