"""Which Python runs this package."""

from __future__ import annotations

import sys
from pathlib import Path


def interpreter() -> str:
    """Path of the Python that this package is installed for.

    Not `sys.executable`: reticulate changes it inside a kernel that holds R, and
    inside R it is R.
    """
    folder = Path(sys.prefix) / "bin"
    for name in ("python", "python3", f"python3.{sys.version_info[1]}"):
        if (folder / name).exists():
            return str(folder / name)
    return sys.executable
