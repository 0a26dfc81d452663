"""The modules of the course: their notebooks, and the table on the page of each.

The table is computed from the opening tables of the notebooks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from gallery import TITLE, table
from run import NOTEBOOKS
from sidebyside.common.errors import Sentence

# The page of a module, and the numbers of its notebooks.
MODULES = {"learning": "0[0-3]", "measuring": "0[4-9]"}


def notebooks_of_module(page: str) -> list[Path]:
    return sorted(NOTEBOOKS.glob(f"{MODULES[page]}_*.ipynb"))


def text_of(notebook: Path) -> str:
    """All Markdown of a notebook, its first cell first."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join(
        "".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"
    )


def title_of(notebook: Path) -> str:
    """Number and short title, such as "01 MNIST"."""
    return f"{notebook.stem[:2]} {TITLE.match(text_of(notebook))[1]}"


def opening(notebook: Path, row: str) -> str:
    """What the opening table of a notebook says in one of its rows."""
    found = re.search(rf"^\| *{row} *\| *(.*?) *\|$", text_of(notebook), re.MULTILINE)
    if found is None:
        raise Sentence(
            f"{notebook.name} has no row '{row}': expected '| {row} | ... |' in the "
            "table of its first cell"
        )
    return found[1]


def minutes_of(notebook: Path) -> str:
    """The minutes that a notebook takes on two cores."""
    said = opening(notebook, "Minutes on two cores")
    minutes = re.match(r"\d+", said)
    if minutes is None:
        raise Sentence(f"{notebook.name} says '{said}', expected a number of minutes")
    return minutes[0]


def table_of_module(notebooks: Iterable[Path]) -> str:
    rows = [
        (
            f"[{title_of(path)}]({path.name})",
            opening(path, "After this you can"),
            minutes_of(path),
        )
        for path in notebooks
    ]
    total = sum(int(minutes) for *_, minutes in rows)
    rows.append(("together", "", str(total)))
    return table("notebook | after it you can | minutes", "---|---|---", rows)
