"""What set-up decides, apart from what it does: route, Python, NumPy, when to stop.

Nothing here changes the machine, so the tests can ask about machines that they do not
have. Like tools/setup.py this uses the standard library only and runs on Python 3.8.
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

# With the release in its name, as in /usr/bin/python3.11.
DISTRIBUTION = os.path.realpath("/usr/bin/python3")

# Read by its path: the package is not installed yet.
REQUIRED = runpy.run_path(
    str(Path(__file__).resolve().parent.parent / "python/sidebyside/common/versions.py")
)

R_PACKAGES = (
    "reticulate",
    "generics",
    "magrittr",
    "zeallot",
    "R6",
    "ggplot2",
    "testthat",
)
CONDA_LINE = (
    "conda env create -f environment.yml && conda activate sidebyside && make setup"
)

# Measured in a bare Debian 12 on two cores, archives near by; README.md says it too.
FIRST_SET_UP = "one to two minutes, 1 GB of downloads, 4.5 GB of disk"


class Stop(Exception):
    """Set-up cannot go on: what was found, what is needed and what to type."""

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
    """What a Python says of itself."""

    executable: str
    version: Version
    has_shared_library: bool  # libpython as a file of its own


def judge_python(where: str, found: PythonFacts) -> None:
    """Stop if the companions, the pinned packages or R cannot use this Python."""
    if not PYTHON_MIN <= found.version[:2] <= PYTHON_MAX:
        verdict = "too old" if found.version[:2] < PYTHON_MIN else "too new"
        raise Stop(
            f"{where} is Python {dotted(found.version)}, which is {verdict}",
            f"Python {dotted(PYTHON_MIN)} to {dotted(PYTHON_MAX)}",
            ["make setup PYTHON=/path/to/python3.12", CONDA_LINE],
        )
    # The distribution's library comes with python3-dev, which set-up installs.
    if not found.has_shared_library and os.path.realpath(where) != DISTRIBUTION:
        raise Stop(
            f"{where} (Python {dotted(found.version)}) has no shared library",
            "a Python with one (libpython): reticulate starts it inside R",
            ["make setup PYTHON=/usr/bin/python3"],
        )


def requirements_for(reticulate: Version, python: Version) -> str:
    """The locked list that fits: NumPy 1 where reticulate refuses NumPy 2."""
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


# --- Which route


def missing_from_conda(prefix: Path) -> list[str]:
    """What environment.yml would have put into this environment and is not there.

    Looks at files: starting R and Python to ask them would take a second each time.
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
    """ "conda" or "apt"; stop where neither can work."""
    prefix = environ.get("CONDA_PREFIX")
    if prefix:
        missing = missing_from_conda(Path(prefix))
        if not missing:
            return "conda"
        name = environ.get("CONDA_DEFAULT_ENV", prefix)
        raise Stop(
            f"the conda environment '{name}' is active, without {', '.join(missing)}",
            "the environment that environment.yml makes"
            + (", or none and apt" if has_apt else ""),
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


def judge_r(r: str, found: Mapping[str, Version] | None) -> Version:
    """Stop if this R cannot be used; else reticulate's version.

    `found` has the versions of R ("R") and of its packages that are installed; None
    where it does not run.
    """
    if found is None:
        raise Stop(
            f"{r}, which does not run", f"R {dotted(R_MIN)} or newer", [CONDA_LINE]
        )
    missing = [name for name in R_PACKAGES if name not in found]
    if missing and found["R"] >= R_MIN:
        names = ", ".join(f'"{name}"' for name in missing)
        raise Stop(
            f"R {dotted(found['R'])} at {r}, without {', '.join(missing)}",
            "an R with these packages",
            [
                f"in that R: install.packages(c({names}))",
                "PATH=/usr/bin:$PATH make setup   (takes the distribution's R)",
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
    """PYTHON if it is set, else the one of .venv, else the distribution's.

    The distribution's is the default, not python3 from PATH: Debian's has a shared
    library, and those that pyenv, asdf or uv put on PATH often have none.
    """
    given = environ.get("PYTHON")
    if given:
        return os.path.abspath(shutil.which(given) or given)
    if remembered and os.access(remembered, os.X_OK):
        return remembered
    return "/usr/bin/python3"


# --- Debian's packages


def package_list(text: str) -> tuple[list[str], list[str]]:
    """Packages that are needed, and those whose line ends with "# optional"."""
    lists: tuple[list[str], list[str]] = ([], [])
    for line in text.splitlines():
        name, _, comment = line.partition("#")
        if name.strip():
            lists[comment.strip() == "optional"].append(name.strip())
    return lists


# --- Where uv finds packages: where pip would

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
    """pip's settings, as `pip config list` prints them, in uv's words.

    As for pip, the variables (:env:) win over [install], and that over [global]. Where
    another setting is needed, uv fails and pip takes over.
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
