"""Show pairs in two columns: the style that ``%load_ext sidebyside`` sends."""

from __future__ import annotations

import re
from pathlib import Path

SOURCE = Path(__file__).parent / "labextension" / "static" / "style.css"

# This tag marks the output with the style, so that the book can leave it out.
MARK = {"sidebyside": "style"}


def css() -> str:
    """Return the rules of style.css in one line, without comments."""
    text = re.sub(r"/\*.*?\*/", "", SOURCE.read_text("utf-8"), flags=re.DOTALL)
    text = re.sub(r"\s+", " ", text)
    return re.sub(r" ?([{};,>]) ?", r"\1", text).strip()


def show(shell) -> None:
    """Send the style to the page that shows the notebook.

    JupyterLab already has the style if the extension in labextension/ is installed.
    This is for servers without it. The output has an empty text, so that a page
    that cannot show HTML shows nothing.
    """
    if not hasattr(shell.display_pub, "register_hook"):
        return  # plain IPython in a terminal
    shell.display_pub.publish(
        {"text/html": f"<style>{css()}</style>", "text/plain": ""},
        metadata=MARK,
    )
