"""Is everything there? `sidebyside.check()` answers with a table."""

from __future__ import annotations

import html
import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from . import rsession

SETUP = "make setup"

# Oldest versions that were tried together (CONTRIBUTING says how).
NEEDED_PYTHON = ((3, 11), (3, 13))
NEEDED_R = "4.2"
NEEDED_RETICULATE = "1.28"
# Older reticulates refuse NumPy 2.
RETICULATE_FOR_NUMPY_2 = "1.38"
# rpy2-rinterface 3.6.6 and later need R 4.5.
NEEDED_PACKAGES = {
    "numpy": "1.26",
    "keras": "3.15",
    "tensorflow": "2.21",
    "rpy2-rinterface": "3.6.5",
    "rpy2-robjects": "3.6.4",
}
NEEDED_MEMORY_GB = 2.0


@dataclass(frozen=True)
class Row:
    """One component of the table."""

    component: str
    found: str
    needed: str
    good: bool
    mend: str = ""

    @property
    def verdict(self) -> str:
        return "ok" if self.good else "missing" if not self.found else "wrong"


class Preflight:
    """The table. Prints as text, shows as HTML, is true when all is well."""

    columns = ("component", "found", "needed", "verdict", "mend")

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = tuple(rows)

    def __bool__(self) -> bool:
        return all(row.good for row in self.rows)

    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (r.component, r.found or "-", r.needed, r.verdict, r.mend)
            for r in self.rows
        ]

    def __repr__(self) -> str:
        table = [self.columns, *self._cells()]
        widths = [max(len(row[i]) for row in table) for i in range(5)]
        lines = (
            "  ".join(
                cell.ljust(width) for cell, width in zip(row, widths, strict=True)
            )
            for row in table
        )
        return "\n".join(line.rstrip() for line in lines)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{c}</th>" for c in self.columns)
        rows = (
            "".join(f"<td>{html.escape(cell)}</td>" for cell in row)
            for row in self._cells()
        )
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return (
            '<table class="dataframe"><thead><tr>'
            f"{head}</tr></thead><tbody>{body}</tbody></table>"
        )


def check() -> Preflight:
    """What is here, what is needed, and how to mend what is not.

    Starts R if it is not running. Never raises: what cannot be found is a
    row of the table.
    """
    rows = [_python_row(), *_package_rows(), *_r_rows()]
    rows += [_data_row(), *_machine_rows()]
    return Preflight(rows)


def version_tuple(version: str) -> tuple[int, ...]:
    """`"1.46.1.9000"` -> (1, 46, 1, 9000); stops at the first non-number."""
    parts = []
    for part in version.replace("-", ".").split("."):
        if not part.isdigit():
            break
        parts.append(int(part))
    return tuple(parts)


def at_least(version: str, needed: str) -> bool:
    """Whether a version is as new as the one that is needed."""
    return version_tuple(version) >= version_tuple(needed)


def _installed(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _tensorflow_version() -> str:
    for name in ("tensorflow", "tensorflow-cpu"):
        version = _installed(name)
        if version:
            return version
    return ""


def _python_row() -> Row:
    oldest, newest = NEEDED_PYTHON
    needed = f"{'.'.join(map(str, oldest))} to {'.'.join(map(str, newest))}"
    good = oldest <= sys.version_info[:2] <= newest
    mend = "" if good else f"PYTHON=/usr/bin/python3.11 {SETUP}"
    return Row("Python", platform.python_version(), needed, good, mend)


def _package_rows() -> list[Row]:
    rows = []
    for name, needed in NEEDED_PACKAGES.items():
        tensorflow = name == "tensorflow"
        found = _tensorflow_version() if tensorflow else _installed(name)
        good = bool(found) and at_least(found, needed)
        mend = "" if good else SETUP
        rows.append(Row(name, found, f"{needed} or later", good, mend))
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    good = backend == "tensorflow"
    mend = "" if good else "unset KERAS_BACKEND, restart the kernel"
    rows.append(Row("Keras backend", backend, "tensorflow", good, mend))
    return rows


def _r_rows() -> list[Row]:
    try:
        facts = rsession.current().facts()
    except rsession.RUnavailable as problem:
        return [Row("R", "", f"{NEEDED_R} or later", False, str(problem))]
    except Exception:  # R runs, its companion does not answer
        return [Row("R companion", "", "sidebyside", False, SETUP)]
    rows = [
        _version_row("R", facts["R"], NEEDED_R),
        _version_row("reticulate", facts["reticulate"], NEEDED_RETICULATE),
    ]
    numpy = _installed("numpy")
    if numpy and at_least(numpy, "2"):
        good = at_least(facts["reticulate"], RETICULATE_FOR_NUMPY_2)
        needed = f"NumPy 1.26 with reticulate < {RETICULATE_FOR_NUMPY_2}"
        if not good:
            rows.append(Row("NumPy for R", numpy, needed, False, SETUP))
    rows.append(Row("R companion", facts["sidebyside"], "any", True))
    found = facts["keras3"] or "not installed"
    answers = f"{facts['dialect']} answers"
    rows.append(Row("keras3 (R)", found, f"optional; {answers}", True))
    return rows


def _version_row(name: str, found: str, needed: str) -> Row:
    good = bool(found) and at_least(found, needed)
    return Row(name, found, f"{needed} or later", good, "" if good else SETUP)


def _data_row() -> Row:
    from ..common.files import data_directory, keras_cache

    places = {
        "Keras's cache": keras_cache() / "mnist.npz",
        "data folder": data_directory() / "mnist" / "mnist.npz",
    }
    found = next((n for n, path in places.items() if path.is_file()), "")
    # In a cell it is this Python, whatever `python` is in a terminal.
    mend = "" if found else "in a cell: !python -m sidebyside.data.fetch"
    return Row("MNIST", found, "either place", bool(found), mend)


def _machine_rows() -> list[Row]:
    import psutil

    memory = psutil.virtual_memory().available / 1e9
    good = memory >= NEEDED_MEMORY_GB
    mend = "" if good else "close other kernels and programs"
    needed = f"{NEEDED_MEMORY_GB:g} GB"
    free = shutil.disk_usage(os.getcwd()).free / 1e9
    make_room = "" if free >= 1 else "delete what is not needed"
    return [
        Row("free memory", f"{memory:.1f} GB", needed, good, mend),
        Row("free disk", f"{free:.0f} GB", "1 GB", free >= 1, make_room),
        Row("devices", ", ".join(devices()) or "-", "CPU", True),
    ]


def devices() -> list[str]:
    """Devices that TensorFlow sees, such as ["CPU", "GPU:0"]."""
    try:
        import tensorflow as tf

        found = tf.config.list_physical_devices()
    except Exception:
        return []
    kinds = [device.device_type for device in found]
    return [
        kind if kinds.count(kind) == 1 else f"{kind}:{kinds[:i].count(kind)}"
        for i, kind in enumerate(kinds)
    ]


def require_python_packages() -> None:
    """Raise `RUnavailable` naming the Python packages that are missing."""
    wrong = [row for row in _package_rows() if not row.good]
    if wrong:
        named = ", ".join(
            f"{row.component} (found {row.found or 'none'}, needed {row.needed})"
            for row in wrong
        )
        mend = wrong[0].mend
        if mend == SETUP:
            mend = f"`{SETUP}` in the project's folder, then restart the kernel"
        raise rsession.RUnavailable(f"{named}. To mend it: {mend}.")


def require_r(session: rsession.RSession) -> None:
    """Raise `RUnavailable` if this R, or its reticulate, will not do."""
    found = session.text("as.character(getRversion())")
    if not at_least(found, NEEDED_R):
        raise rsession.RUnavailable(
            f"R {found} was found, {NEEDED_R} or later is needed. `{SETUP}` in "
            "the project's folder installs one or says where to get it."
        )
    reticulate = session.text(
        'if (nzchar(system.file(package = "reticulate"))) '
        'as.character(packageVersion("reticulate")) else ""'
    )
    numpy = _installed("numpy")
    if (
        reticulate
        and at_least(numpy, "2")
        and not at_least(reticulate, RETICULATE_FOR_NUMPY_2)
    ):
        raise rsession.RUnavailable(
            f"reticulate {reticulate} cannot use NumPy {numpy} (it refuses "
            f"NumPy 2 before {RETICULATE_FOR_NUMPY_2}). `{SETUP}` installs "
            "the NumPy that fits."
        )


def one_line(session: rsession.RSession) -> str:
    """What `%load_ext sidebyside` says it found."""
    facts = session.facts()
    if facts["dialect"] == "keras3":
        answers = f"keras3 {facts['keras3']}"
    else:
        answers = f"the companion's dialect {facts['sidebyside']}"
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    return (
        f"R {facts['R']}, reticulate {facts['reticulate']}, {answers} | "
        f"Python {platform.python_version()}, TensorFlow "
        f"{_tensorflow_version()}, Keras {_installed('keras')} on {backend} | "
        f"{', '.join(devices())}"
    )
