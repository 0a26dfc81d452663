"""The decisions of set-up: which route, which Python, which NumPy, when to stop.

Nothing here changes the machine, so tests can try other kinds of machines. Like
tools/setup.py this uses only the standard library and runs on Python 3.8.
"""

from __future__ import annotations

import os
import re
import runpy
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Tuple

Version = Tuple[int, ...]

# Commands with the version in their name, as in /usr/bin/python3.11.
DISTRIBUTION = os.path.realpath("/usr/bin/python3")

# Load this file by its path, because the package is not installed yet.
REQUIRED = runpy.run_path(
    str(Path(__file__).resolve().parent.parent / "python/sidebyside/common/versions.py")
)

# Backends of Keras. TensorFlow is always installed, and JAX if it was asked for.
BACKENDS = ("tensorflow", "jax")

R_PACKAGES = (
    "reticulate",
    "generics",
    "magrittr",
    "zeallot",
    "R6",
    "ggplot2",
)
R_TEST_PACKAGES = ("testthat", "lintr", "roxygen2")
CONDA_LINE = (
    "conda env create -f environment.yml && conda activate sidebyside && make setup"
)

# Measured in a minimal Debian 12 on two cores with fast mirrors, as README.md says.
FIRST_SET_UP = "one to two minutes, 1 GB of downloads, 3.5 GB of disk"


class Stop(Exception):
    """Set-up cannot continue. Says what was found, what is needed and what to type."""

    def __init__(self, found: str, needed: str, remedy: Sequence[str]) -> None:
        super().__init__(found)
        self.found = found
        self.needed = needed
        self.remedy = list(remedy)

    def __str__(self) -> str:
        found = f"Set-up stopped.\n  found:   {self.found}\n  needed:  {self.needed}"
        return f"{found}\n  to do:   " + "\n      or:  ".join(self.remedy)


# --- Versions and what follows from them


def version(text: str) -> Version:
    """Turn "4.2.2" or "1:1.28+dfsg-1" into a tuple that can be compared."""
    match = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", text.strip())
    if not match:
        raise ValueError(f"not a version: {text!r}")
    return tuple(int(part) for part in match.group(1).split("."))


def dotted(parts: Version) -> str:
    return ".".join(str(part) for part in parts)


PYTHON_MIN, PYTHON_MAX = (version(text) for text in REQUIRED["PYTHON"])
R_MIN = version(REQUIRED["R"])
RETICULATE_MIN = version(REQUIRED["RETICULATE"])
RETICULATE_FOR_PYTHON = {
    version(python): version(reticulate)
    for python, reticulate in REQUIRED["RETICULATE_FOR_PYTHON"].items()
}
RETICULATE_FOR_NUMPY_2 = version(REQUIRED["RETICULATE_FOR_NUMPY_2"])


@dataclass(frozen=True)
class PythonFacts:
    """What a Python says about itself."""

    executable: str
    version: Version
    has_shared_library: bool  # libpython as a separate file


def judge_python(where: str, found: PythonFacts) -> None:
    """Stop if the companions, the pinned packages or R cannot use this Python."""
    if not PYTHON_MIN <= found.version[:2] <= PYTHON_MAX:
        verdict = "too old" if found.version[:2] < PYTHON_MIN else "too new"
        raise Stop(
            f"{where} is Python {dotted(found.version)}, which is {verdict}",
            f"Python {dotted(PYTHON_MIN)} to {dotted(PYTHON_MAX)}",
            ["make setup PYTHON=/path/to/python3.12", CONDA_LINE],
        )
    # The distribution's shared library is in python3-dev, which set-up installs.
    if not found.has_shared_library and os.path.realpath(where) != DISTRIBUTION:
        raise Stop(
            f"{where} (Python {dotted(found.version)}) has no shared library",
            "a Python with a shared library (libpython), which reticulate needs",
            ["make setup PYTHON=/usr/bin/python3"],
        )


def requirements_for(reticulate: Version, python: Version) -> str:
    """Return the locked list that fits: NumPy 1 if reticulate refuses NumPy 2."""
    needed = RETICULATE_FOR_PYTHON[python[:2]]
    if reticulate < needed:
        raise Stop(
            f"reticulate {dotted(reticulate)} and Python {dotted(python)}, "
            "which do not work together",
            f"reticulate {dotted(needed)} or newer for this Python, or an older Python",
            ["make setup PYTHON=/usr/bin/python3", CONDA_LINE],
        )
    return (
        "requirements-numpy2.txt"
        if reticulate >= RETICULATE_FOR_NUMPY_2
        else "requirements-numpy1.txt"
    )


def judge_backend(name: str) -> None:
    """Stop if set-up does not install this backend of Keras ("" is none)."""
    if name not in ("", *BACKENDS):
        raise Stop(
            f"BACKEND={name}",
            "BACKEND=jax (tensorflow is always installed). torch is your own "
            "installation, because it may bring gigabytes of libraries for GPUs",
            ["make setup BACKEND=jax", ".venv/bin/pip install torch"],
        )


# --- Which route


def missing_from_conda(prefix: Path) -> list[str]:
    """Return the parts of environment.yml that are missing in this environment.

    It checks files, because starting R and Python would take a second each time.
    """
    wanted = {
        "R": ["bin/R"],
        "Python": ["bin/python"],
        "reticulate": ["lib/R/library/reticulate/DESCRIPTION"],
        "TensorFlow": ["lib/python3.*/site-packages/tensorflow/__init__.py"],
        "Keras": ["lib/python3.*/site-packages/keras/__init__.py"],
        "rpy2": ["lib/python3.*/site-packages/rpy2/rinterface*"],
    }
    return [
        name
        for name, patterns in wanted.items()
        if not any(any(prefix.glob(pattern)) for pattern in patterns)
    ]


def choose_route(environ: Mapping[str, str], system: str, has_apt: bool) -> str:
    """Return "conda" or "apt"; stop if neither can work."""
    prefix = environ.get("CONDA_PREFIX")
    if prefix:
        missing = missing_from_conda(Path(prefix))
        if not missing:
            return "conda"
        name = environ.get("CONDA_DEFAULT_ENV", prefix)
        raise Stop(
            f"the conda environment '{name}' is active, without {', '.join(missing)}",
            "the environment that environment.yml makes"
            + (", or apt and no active environment" if has_apt else ""),
            [CONDA_LINE] + (["conda deactivate && make setup"] if has_apt else []),
        )
    if not has_apt:
        raise Stop(
            f"{system} without apt-get, and no active conda environment",
            "Debian 12 or newer, Ubuntu 24.04 or newer (WSL too), or a conda "
            "environment made from environment.yml",
            [CONDA_LINE],
        )
    return "apt"


# --- Which Python, which R


def judge_r(
    r: str,
    found: Mapping[str, Version] | None,
    packages: Sequence[str] = R_PACKAGES,
) -> Version:
    """Stop if this R cannot be used; otherwise return reticulate's version.

    `found` has the versions of R ("R") and of its installed packages. It is None if R
    does not run. `packages` must be installed.
    """
    if found is None:
        raise Stop(
            f"{r}, which does not run", f"R {dotted(R_MIN)} or newer", [CONDA_LINE]
        )
    missing = [name for name in packages if name not in found]
    if missing and found["R"] >= R_MIN:
        names = ", ".join(f'"{name}"' for name in missing)
        raise Stop(
            f"R {dotted(found['R'])} at {r}, without {', '.join(missing)}",
            "an R with these packages",
            [
                f"in that R: install.packages(c({names}))",
                "PATH=/usr/bin:$PATH make setup   (uses the distribution's R)",
            ],
        )
    for name, oldest in (("R", R_MIN), ("reticulate", RETICULATE_MIN)):
        if found[name] < oldest:
            raise Stop(
                f"{r} with {name} {dotted(found[name])}, which is too old",
                f"{name} {dotted(oldest)} or newer",
                [CONDA_LINE],
            )
    return found["reticulate"]


def python_command(environ: Mapping[str, str], remembered: str | None) -> str:
    """Return PYTHON if it is set, else the Python of .venv, else the distribution's.

    The default is the distribution's Python and not python3 from PATH: Debian's has a
    shared library, but those that pyenv, asdf or uv put on PATH often have none.
    """
    given = environ.get("PYTHON")
    if given:
        return os.path.abspath(shutil.which(given) or given)
    if remembered and os.access(remembered, os.X_OK):
        return remembered
    return "/usr/bin/python3"


# --- Debian's packages


def package_list(text: str, mark: str = "") -> list[str]:
    """Return the packages whose line ends with this mark, for example "# tests"."""
    lines = [line.partition("#") for line in text.splitlines()]
    return [
        name.strip()
        for name, _, comment in lines
        if name.strip() and comment.strip() == mark
    ]


# --- uv uses the same package indexes as pip

UV_VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_EXTRA_INDEX_URL",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
}


def uv_variables(pip_config: str) -> dict[str, str]:
    """Translate pip's settings, as `pip config list` prints them, into uv's variables.

    As in pip, variables (:env:) win over [install], and [install] wins over [global].
    If another setting is needed, uv fails and pip is used.
    """
    found = re.findall(r"^([\w:]+)\.([\w-]+)='(.*)'$", pip_config, re.MULTILINE)
    return {
        UV_VARIABLES[option]: ("," if option == "find-links" else " ").join(
            value.replace("\\n", " ").split()
        )
        for wanted in ("global", "install", ":env:")
        for section, option, value in found
        if section == wanted and option in UV_VARIABLES
    }
