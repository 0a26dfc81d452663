"""Set the alternative text and the size of figures, in both languages."""

from __future__ import annotations

import base64
import io
from typing import Any

# Size in letters of base64. Plots are smaller, and photographs are larger.
LARGE = 80_000

_pending: list[str] = []


def show_whole_figures(shell: Any) -> None:
    """Show matplotlib's figures in full size, as R's are, without cropping them."""
    from matplotlib_inline.config import InlineBackend

    backend = InlineBackend.instance(parent=shell)
    backend.print_figure_kwargs = {"bbox_inches": None}


# The texts of this cell's pictures, by display_id.
_given: dict[str, str] = {}


def alt_text(text: str) -> None:
    """Say in words what the next figure of this cell shows.

    The text is for readers who cannot see the figure, and is stored with it in
    the notebook. Call this once for each figure, before drawing it. R has the
    same function. Outside a notebook it does nothing.
    """
    if not text.strip():
        raise ValueError(
            "alt_text() got an empty text. Say in a sentence what the figure shows."
        )
    _pending.append(" ".join(text.split()))


def describe(text: str, waiting: int = 0) -> None:
    """Set a figure's alternative text, unless the reader has set one.

    Parameters
    ----------
    text
        What the figure shows.
    waiting
        How many figures of this cell come before it and are not shown yet.
    """
    if len(_pending) <= waiting:
        alt_text(text)


def forget_pending(info: Any = None) -> None:
    """Drop unused texts at the start of a cell, so that none reaches the next cell."""
    _pending.clear()
    _given.clear()


def add_alt_text(message: dict) -> dict:
    """Add the text to the next picture that the kernel sends, and make it small."""
    content = message.get("content", {})
    pictures = [m for m in content.get("data", {}) if m.startswith("image/")]
    if not pictures:
        return message
    in_fewer_colours(content["data"])
    name = content.get("transient", {}).get("display_id", "")
    text = None
    if message.get("msg_type") == "update_display_data":  # R has drawn more.
        text = _given.get(name)
    elif message.get("msg_type") == "display_data" and _pending:
        text = _given[name] = _pending.pop(0)
    if text:
        for mime in pictures:
            content["metadata"].setdefault(mime, {})["alt"] = text
    return message


def in_fewer_colours(data: dict[str, str]) -> None:
    """Store a large picture with 256 colours, which takes a third of the bytes.

    This keeps a notebook with photographs small. Transparent pictures stay as they
    are.
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
    """Show an interactive plotly figure where possible, else a picture.

    JupyterLab shows the plotly figure. The book, GitHub and anything else that
    cannot run plotly shows the picture. A call of `alt_text()` before this one
    is about the picture.

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
    """Show a picture file from R, or replace the picture that has this name."""
    from IPython.display import SVG, Image, display

    if suffix == ".svg":
        # In a frame: two drawings in one page would use the same ids for their parts.
        shown, metadata = SVG(picture.decode()), {"image/svg+xml": {"isolated": True}}
    else:
        shown, metadata = Image(picture, format=suffix[1:]), {}
    display(shown, metadata=metadata, display_id=name, update=update)


def is_blank(picture: bytes) -> bool:
    """Return whether a picture file from R shows nothing."""
    from PIL import Image, UnidentifiedImageError

    try:
        colours = Image.open(io.BytesIO(picture)).convert("RGBA").getextrema()
    except UnidentifiedImageError:  # svg
        return b"<path" not in picture and b"<use" not in picture
    return all(least == most for least, most in colours)
