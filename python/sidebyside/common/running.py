"""What is being done right now, in words, for a line that says so."""

from __future__ import annotations

# Set by whatever takes long and knows how far it is; "" if nothing does.
doing = ""


def duration(seconds: float) -> str:
    """Such as "4 min 05 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
