"""Alternative text for the figures of a cell, in both languages; and their size."""

from __future__ import annotations

import base64
import io
from typing import Any

# Letters of base64. A plot has fewer; photographs have more.
LARGE = 80_000

_pending: list[str] = []


def as_large_as_asked(shell: Any) -> None:
    """Show matplotlib's figures whole, as R's are, and not cut to what is drawn."""
    from matplotlib_inline.config import InlineBackend

    backend = InlineBackend.instance(parent=shell)
    backend.print_figure_kwargs = {"bbox_inches": None}


# The texts of the pictures of this cell, by display_id.
_given: dict[str, str] = {}


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
    _given.clear()


def add_alt_text(message: dict) -> dict:
    """Give the next picture among the kernel's messages its text, and keep it small."""
    content = message.get("content", {})
    pictures = [m for m in content.get("data", {}) if m.startswith("image/")]
    if not pictures:
        return message
    in_fewer_colours(content["data"])
    name = content.get("transient", {}).get("display_id", "")
    text = None
    if message.get("msg_type") == "update_display_data":  # R has added to it.
        text = _given.get(name)
    elif message.get("msg_type") == "display_data" and _pending:
        text = _given[name] = _pending.pop(0)
    if text:
        for mime in pictures:
            content["metadata"].setdefault(mime, {})["alt"] = text
    return message


def in_fewer_colours(data: dict[str, str]) -> None:
    """Store a large picture with 256 colours: in a third of the bytes.

    So a notebook with photographs stays small. A transparent picture is left alone.
    """
    from PIL import Image

    if len(data.get("image/png", "")) < LARGE:
        return
    with Image.open(io.BytesIO(base64.b64decode(data["image/png"]))) as picture:
        if picture.convert("RGBA").getextrema()[3] != (255, 255):
            return
        few = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(stored := io.BytesIO(), "png", optimize=True)
    data["image/png"] = base64.b64encode(stored.getvalue()).decode()


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


def show(picture: bytes, suffix: str, name: str, update: bool) -> None:
    """Show a file of R's, or put it in place of the picture that has this name."""
    from IPython.display import SVG, Image, display

    if suffix == ".svg":
        # Two drawings in one page would use the same names for their parts.
        shown, metadata = SVG(picture.decode()), {"image/svg+xml": {"isolated": True}}
    else:
        shown, metadata = Image(picture, format=suffix[1:]), {}
    display(shown, metadata=metadata, display_id=name, update=update)


def is_blank(picture: bytes) -> bool:
    """Whether a file of R's shows nothing."""
    from PIL import Image, UnidentifiedImageError

    try:
        colours = Image.open(io.BytesIO(picture)).convert("RGBA").getextrema()
    except UnidentifiedImageError:  # svg
        return b"<path" not in picture and b"<use" not in picture
    return all(least == most for least, most in colours)
