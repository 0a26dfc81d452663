"""Pairs in two columns: the style that ``%load_ext sidebyside`` sends."""

from __future__ import annotations

import re
from pathlib import Path

SOURCE = Path(__file__).parent / "labextension" / "static" / "style.css"

# On the output that carries the style, so that the book can leave it out.
MARK = {"sidebyside": "style"}


def css() -> str:
    """The rules of style.css without comments, in one line."""
    text = re.sub(r"/\*.*?\*/", "", SOURCE.read_text("utf-8"), flags=re.DOTALL)
    text = re.sub(r"\s+", " ", text)
    return re.sub(r" ?([{};,>]) ?", r"\1", text).strip()


def show(shell) -> None:
    """Send the style to the page that shows the notebook.

    JupyterLab with the extension in labextension/ has it already; this is for a
    page whose server does not have the extension. Its text is empty: where
    HTML is not shown, nothing is.
    """
    if not hasattr(shell.display_pub, "register_hook"):
        return  # plain IPython in a terminal
    shell.display_pub.publish(
        {"text/html": f"<style>{css()}</style>", "text/plain": ""},
        metadata=MARK,
    )
