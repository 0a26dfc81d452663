"""Which cells have run, in which language, and whether they failed.

The variables of a notebook do not say that the cell that should have changed
them stopped with an error. Exercises have to know.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cell:
    """One execution of a cell.

    `id` is the cell's own, the same at each execution; None if the program that
    shows the notebook does not send it.
    """

    source: str
    id: str | None = None
    failed: bool = False

    @property
    def language(self) -> str:
        """ "r" or "python"."""
        return "r" if re.match(r"\s*%%?R\b", self.source) else "python"

    def assigns(self, name: str) -> bool:
        """Whether a line of it gives this variable a value, in either language."""
        definition = rf"(?m)^\s*(def|class) {re.escape(name)}\b"
        return self.has(name, "<<?-|=(?!=)") or bool(re.search(definition, self.source))

    def has(self, name: str, sign: str) -> bool:
        """Whether a line of it has this variable and then this sign, a pattern.

        Lines with a bracket before the name are left out: `f(name = 1)`.
        """
        line = rf"(?m)^[^\n=<(]*(?<![\w.$]){re.escape(name)}\b[^\n=<>(]*({sign})"
        return bool(re.search(line, self.source))


# In the order in which they ran.
ran: deque[Cell] = deque(maxlen=5000)


def note(result: Any) -> None:
    """What IPython calls after each cell."""
    if result is not None:
        cell_id = getattr(result.info, "cell_id", None)
        ran.append(Cell(result.info.raw_cell, cell_id, not result.success))
