"""`sidebyside.check()`: a table that shows whether everything is installed."""

from __future__ import annotations

import html
import importlib.metadata
import os
import platform
import shutil
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from ..common import versions
from ..common.files import data_directory, keras_cache
from . import rsession

SETUP = "make setup"


@dataclass(frozen=True)
class Row:
    """One component of the table. `fix` says what to do if it is not good."""

    component: str
    found: str
    needed: str
    good: bool
    fix: str = ""

    @property
    def verdict(self) -> str:
        return "ok" if self.good else "wrong" if self.found else "missing"


@dataclass(frozen=True)
class Preflight:
    """The table. It prints as text, displays as HTML, and is true if all is well."""

    rows: tuple[Row, ...]

    def __bool__(self) -> bool:
        return all(row.good for row in self.rows)

    def _cells(self) -> list[tuple[str, ...]]:
        cells = [
            (row.component, row.found or "-", row.needed, row.verdict)
            + (("",) if row.good else (row.fix,))
            for row in self.rows
        ]
        return [("component", "found", "needed", "verdict", "fix"), *cells]

    def __repr__(self) -> str:
        widths = [max(map(len, column)) for column in zip(*self._cells(), strict=True)]
        lines = (
            "  ".join(map(str.ljust, cells, widths)).rstrip() for cells in self._cells()
        )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head, *body = (
            "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
            for cells in self._cells()
        )
        rows = "".join(f"<tr>{row}</tr>" for row in body)
        return (
            f'<table class="dataframe"><thead><tr>{head.replace("td>", "th>")}</tr>'
            f"</thead><tbody>{rows}</tbody></table>"
        )


def check() -> Preflight:
    """Show what is installed, what is needed, and how to fix what is wrong.

    Starts R if it is not running. Never raises an error: a missing component is a
    row of the table.
    """
    rows = [_python_row(), *_package_rows(), *_r_rows(), _data_row(), *_machine_rows()]
    return Preflight(tuple(rows))


def at_least(found: str, needed: str) -> bool:
    """Return whether a version is at least the one that is needed."""
    try:
        return Version(found) >= Version(needed)
    except InvalidVersion:  # such as "", if nothing was found
        return False


def _installed(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _tensorflow_version() -> str:
    return _installed("tensorflow") or _installed("tensorflow-cpu")


def _version_row(name: str, found: str, needed: str) -> Row:
    return Row(name, found, f"{needed} or later", at_least(found, needed), SETUP)


def _python_row() -> Row:
    oldest, newest = map(Version, versions.PYTHON)
    found = platform.python_version()
    good = oldest.release <= Version(found).release[:2] <= newest.release
    fix = f"PYTHON=/usr/bin/python{oldest} {SETUP}"
    return Row("Python", found, f"{oldest} to {newest}", good, fix)


def _package_rows() -> list[Row]:
    rows = []
    for name, needed in versions.PACKAGES.items():
        found = _tensorflow_version() if name == "tensorflow" else _installed(name)
        rows.append(_version_row(name, found, needed))
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    fix = "unset KERAS_BACKEND, restart the kernel"
    good = backend == "tensorflow"
    return [*rows, Row("Keras backend", backend, "tensorflow", good, fix)]


def _r_rows() -> list[Row]:
    try:
        facts = rsession.current().facts()
    except rsession.RUnavailable as problem:
        return [Row("R", "", f"{versions.R} or later", False, str(problem))]
    except Exception:  # R runs, but its companion does not answer
        return [Row("R companion", "", "sidebyside", False, SETUP)]
    keras3, answers = facts["keras3"] or "not installed", f"{facts['dialect']} answers"
    return [
        _version_row("R", facts["R"], versions.R),
        _version_row("reticulate", facts["reticulate"], versions.RETICULATE),
        Row("R companion", facts["sidebyside"], "any", True),
        Row("keras3 (R)", keras3, f"optional; {answers}", True),
    ]


def _data_row() -> Row:
    places = {
        "Keras's cache": keras_cache() / "mnist.npz",
        "data folder": data_directory() / "mnist" / "mnist.npz",
    }
    found = next((n for n, path in places.items() if path.is_file()), "")
    # In a cell, unlike in a terminal, `python` is always this Python.
    fix = "in a cell: !python -m sidebyside.data.fetch"
    return Row("MNIST", found, "cache or data folder", bool(found), fix)


def _machine_rows() -> list[Row]:
    import psutil

    memory = psutil.virtual_memory().available / 1e9
    free = shutil.disk_usage(os.getcwd()).free / 1e9
    needed = versions.MEMORY_GB
    enough = memory >= needed
    close, delete = "close other kernels and programs", "delete files you do not need"
    return [
        Row("free memory", f"{memory:.1f} GB", f"{needed:g} GB", enough, close),
        Row("free disk", f"{free:.0f} GB", "1 GB", free >= 1, delete),
        Row("devices", ", ".join(devices()) or "-", "CPU", True),
    ]


def devices() -> list[str]:
    """Return the devices that TensorFlow sees, such as ["CPU", "GPU"]."""
    try:
        import tensorflow as tf

        return [device.device_type for device in tf.config.list_physical_devices()]
    except Exception:
        return []


def require_python_packages() -> None:
    """Raise `RUnavailable` naming the Python packages that are missing."""
    wrong = [row for row in _package_rows() if not row.good]
    if wrong:
        named = ", ".join(
            f"{row.component} (found {row.found or 'none'}, needed {row.needed})"
            for row in wrong
        )
        fix = wrong[0].fix
        if fix == SETUP:
            fix = f"`{SETUP}` in the project's folder, then restart the kernel"
        raise rsession.RUnavailable(f"{named}. To fix it: {fix}.")


def require_r(session: rsession.RSession) -> None:
    """Raise `RUnavailable` if this R, or its reticulate, is too old."""
    found = session.text("as.character(getRversion())")
    if not at_least(found, versions.R):
        raise rsession.RUnavailable(
            f"R {found} was found, but {versions.R} or later is needed. `{SETUP}` in "
            "the project's folder installs it or says where to get it."
        )
    reticulate = session.text(
        'if (nzchar(system.file(package = "reticulate"))) '
        'as.character(packageVersion("reticulate")) else ""'
    )
    # If reticulate is missing, attach_companion() says so.
    new = at_least(_installed("numpy"), "2")
    if reticulate and new and not at_least(reticulate, versions.RETICULATE_FOR_NUMPY_2):
        raise rsession.RUnavailable(
            f"reticulate {reticulate} cannot use NumPy {_installed('numpy')}: NumPy 2 "
            f"needs reticulate {versions.RETICULATE_FOR_NUMPY_2} or later. Run "
            f"`{SETUP}` in the project's folder: it installs a NumPy that fits."
        )


def one_line(session: rsession.RSession) -> str:
    """Return the line that `%load_ext sidebyside` prints."""
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
