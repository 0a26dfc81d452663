"""Alternative text for the figures of a cell, in both languages."""

from __future__ import annotations

import base64
from typing import Any

_pending: list[str] = []


def alt_text(text: str) -> None:
    """Say in words what the next figure of this cell shows.

    For readers who cannot see it. The text is stored with the picture in the
    notebook. Call it before the figure is drawn, once for each figure; R has
    the same function. Outside a notebook it does nothing.
    """
    if not text.strip():
        raise ValueError(
            "alt_text() got an empty text; say in a sentence what the figure shows."
        )
    _pending.append(" ".join(text.split()))


def forget_pending(info: Any = None) -> None:
    """At the start of a cell: a text never crosses into the next cell."""
    _pending.clear()


def add_alt_text(message: dict) -> dict:
    """Give the next picture among the kernel's messages its text."""
    content = message.get("content", {})
    pictures = [m for m in content.get("data", {}) if m.startswith("image/")]
    if message.get("msg_type") == "display_data" and pictures and _pending:
        text = _pending.pop(0)
        for mime in pictures:
            content["metadata"].setdefault(mime, {})["alt"] = text
    return message


def show_live(figure: Any, still: Any) -> None:
    """Show a plotly figure where it can answer to the mouse, else a picture.

    JupyterLab takes the plotly figure; the book, GitHub and whatever else
    cannot run plotly takes the picture. `alt_text()` before it counts for
    the picture.

    Parameters
    ----------
    figure
        A plotly figure.
    still
        A matplotlib figure that shows the same. It is closed.
    """
    import io
    import json

    import matplotlib.pyplot as plt
    from IPython.display import display

    picture = io.BytesIO()
    still.savefig(picture, format="png")
    plt.close(still)
    bundle = {
        "application/vnd.plotly.v1+json": json.loads(figure.to_json()),
        "image/png": base64.b64encode(picture.getvalue()).decode(),
        "text/plain": "A plotly figure",
    }
    display(bundle, raw=True)
