"""Find the Python that runs this package."""

from __future__ import annotations

import sys
from pathlib import Path


def interpreter() -> str:
    """Return the path of the Python that this package is installed for.

    We cannot use `sys.executable`: reticulate changes it inside the kernel, and
    inside R it is the path of R.
    """
    folder = Path(sys.prefix) / "bin"
    for name in ("python", "python3", f"python3.{sys.version_info[1]}"):
        if (folder / name).exists():
            return str(folder / name)
    return sys.executable
