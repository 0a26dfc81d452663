"""Show a line under a cell that takes long: "running for 20 s".

It disappears when the cell ends. Programs that execute notebooks (nbclient, nbval)
send no id of the cell and get no line, so it is never saved or compared.
"""

from __future__ import annotations

import contextvars
import threading
import time
import uuid
from typing import Any

from ..common import running

# Seconds until the line appears, and between its changes. A thread that wakes up
# more often would disturb the measurements in notebook 05.
AFTER = 10.0
EVERY = 5.0


class Line:
    """The line of one cell. A thread updates it until `remove()` is called."""

    def __init__(self, publisher: Any) -> None:
        self._publisher = publisher
        self._id = uuid.uuid4().hex
        self._began = time.monotonic()
        self._ended = threading.Event()
        # From the context ipykernel knows which cell is running.
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=context.run, args=[self._keep_up], daemon=True
        )
        self._thread.start()

    def remove(self) -> None:
        self._ended.set()
        self._thread.join()

    def _keep_up(self) -> None:
        shown = False
        while not self._ended.wait(EVERY if shown else AFTER):
            text = f"running for {running.duration(time.monotonic() - self._began)}"
            if running.doing:
                text += f": {running.doing}"
            self._publish({"text/plain": text}, update=shown)
            shown = True
        if shown:
            # Empty HTML, which takes no space in JupyterLab (style.css).
            self._publish({"text/html": "", "text/plain": ""}, update=True)

    def _publish(self, data: dict[str, str], update: bool) -> None:
        transient = {"display_id": self._id}
        self._publisher.publish(data, transient=transient, update=update)


_line: Line | None = None


def begin(*_: Any) -> None:
    """Start the line; IPython calls this before each cell."""
    from IPython import get_ipython

    global _line
    end()
    shell = get_ipython()
    # The kernel's request to execute a cell; plain IPython has none.
    request = shell.get_parent() if hasattr(shell, "get_parent") else {}
    if "cellId" in request.get("metadata", {}):
        _line = Line(shell.display_pub)


def end(*_: Any) -> None:
    """Remove the line; IPython calls this after each cell."""
    global _line
    if _line is not None:
        _line.remove()
        _line = None
