"""Record which cells have run, in which language, and whether they failed.

Exercises need this. A variable does not show whether the cell that should have
changed it stopped with an error.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cell:
    """One execution of a cell.

    `id` identifies the cell and is the same at each execution. It is None if the
    program that shows the notebook does not send it.
    """

    source: str
    id: str | None = None
    failed: bool = False

    @property
    def language(self) -> str:
        """ "r" or "python"."""
        return "r" if re.match(r"\s*%%?R\b", self.source) else "python"

    def assigns(self, name: str) -> bool:
        """Return whether a line assigns to this variable, in either language."""
        definition = rf"(?m)^\s*(def|class) {re.escape(name)}\b"
        return self.has(name, "<<?-|=(?!=)") or bool(re.search(definition, self.source))

    def has(self, name: str, sign: str) -> bool:
        """Return whether a line has this variable, followed by `sign` (a pattern).

        It skips lines with a bracket before the name, such as `f(name = 1)`.
        """
        line = rf"(?m)^[^\n=<(]*(?<![\w.$]){re.escape(name)}\b[^\n=<>(]*({sign})"
        return bool(re.search(line, self.source))


# All cells, in the order in which they ran.
ran: deque[Cell] = deque(maxlen=5000)


def note(result: Any) -> None:
    """Record a cell; IPython calls this after each one."""
    if result is not None:
        cell_id = getattr(result.info, "cell_id", None)
        ran.append(Cell(result.info.raw_cell, cell_id, not result.success))
