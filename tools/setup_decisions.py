"""What set-up decides, apart from what it does: which route, which Python, which NumPy, when to stop.

Nothing here changes the machine, so the tests can ask about machines that they do not have.
Like tools/setup.py this uses the standard library only and runs on Python 3.8.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Tuple

Version = Tuple[int, ...]

PYTHON_MIN, PYTHON_MAX = (3, 11), (3, 13)
R_MIN = (4, 2)
MACHINES = ("x86_64", "aarch64")  # what TensorFlow has wheels for

RETICULATE_MIN = (1, 28)
# From reticulate's NEWS: the first that works with each Python, and with NumPy 2 (before it:
# "incompatible NumPy binary version"). NumPy 1 has no wheel for Python 3.13, and needs none:
# a reticulate for Python 3.13 takes NumPy 2.
RETICULATE_FOR_PYTHON = {(3, 11): RETICULATE_MIN, (3, 12): (1, 33), (3, 13): (1, 40)}
RETICULATE_FOR_NUMPY_2 = (1, 38)

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

# Measured in a bare Debian 12 on two cores, with archives near by; README.md says the same.
FIRST_SET_UP = "two to three minutes, 1 GB of downloads, 4.5 GB of disk"


class Stop(Exception):
    """Set-up cannot go on; the text says what was found, what is needed and what to type."""

    def __init__(self, found: str, needed: str, remedy: Sequence[str]) -> None:
        super().__init__(found)
        self.found = found
        self.needed = needed
        self.remedy = list(remedy)

    def __str__(self) -> str:
        lines = [
            "Set-up stopped.",
            "  found:   " + self.found,
            "  needed:  " + self.needed,
        ]
        for number, line in enumerate(self.remedy):
            lines.append(("  to do:   " if number == 0 else "      or:  ") + line)
        return "\n".join(lines)


# ---------------------------------------------------------------------------------------------
# Versions and what follows from them


def version(text: str) -> Version:
    """Turn "4.2.2", "1:1.28+dfsg-1" or "1.41.0.1+dfsg-1" into a tuple that can be compared."""
    match = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", text.strip())
    if not match:
        raise ValueError(f"not a version: {text!r}")
    return tuple(int(part) for part in match.group(1).split("."))


def dotted(parts: Version) -> str:
    return ".".join(str(part) for part in parts)


def judge_python(where: str, found: Version) -> None:
    """Stop if TensorFlow, the companions or the pinned packages do not support this Python."""
    if PYTHON_MIN <= found[:2] <= PYTHON_MAX:
        return
    verdict = "too old" if found[:2] < PYTHON_MIN else "too new"
    raise Stop(
        f"{where} is Python {dotted(found)}, which is {verdict}",
        f"Python {dotted(PYTHON_MIN)} to {dotted(PYTHON_MAX)}, with its shared library",
        ["make setup PYTHON=/path/to/python3.12", CONDA_LINE],
    )


def judge_r(where: str, found: Version) -> None:
    if found < R_MIN:
        raise Stop(
            f"{where} is R {dotted(found)}, which is too old",
            f"R {dotted(R_MIN)} or newer",
            [CONDA_LINE],
        )


def judge_reticulate(where: str, found: Version) -> None:
    if found < RETICULATE_MIN:
        raise Stop(
            f"{where} has reticulate {dotted(found)}, which is too old",
            f"reticulate {dotted(RETICULATE_MIN)} or newer",
            [CONDA_LINE],
        )


def requirements_for(reticulate: Version, python: Version) -> str:
    """The pinned list that fits: NumPy 1 for a reticulate that refuses NumPy 2, else NumPy 2."""
    needed = RETICULATE_FOR_PYTHON[python[:2]]
    if reticulate < needed:
        raise Stop(
            f"reticulate {dotted(reticulate)} and Python {dotted(python)}, which do not work together",
            f"reticulate {dotted(needed)} or newer for this Python, or an older Python",
            ["make setup PYTHON=/usr/bin/python3", CONDA_LINE],
        )
    return (
        "requirements-numpy2.txt"
        if reticulate >= RETICULATE_FOR_NUMPY_2
        else "requirements-numpy1.txt"
    )


# ---------------------------------------------------------------------------------------------
# Which route


def parse_os_release(text: str) -> dict[str, str]:
    """/etc/os-release as a dictionary."""
    pairs = (
        line.split("=", 1)
        for line in text.splitlines()
        if "=" in line and not line.startswith("#")
    )
    return {key.strip(): value.strip().strip("\"'") for key, value in pairs}


def is_debian_family(os_release: Mapping[str, str]) -> bool:
    names = [os_release.get("ID", ""), *os_release.get("ID_LIKE", "").split()]
    return "debian" in names or "ubuntu" in names


def missing_from_conda(prefix: Path) -> list[str]:
    """What environment.yml would have put into this environment and is not there.

    Looks at files, since starting R and Python to ask them would take a second each time.
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


def choose_route(
    environ: Mapping[str, str],
    system: str,
    machine: str,
    os_release: Mapping[str, str],
    has_apt: bool,
) -> str:
    """ "conda" or "apt"; stop where neither can work."""
    debian = system == "Linux" and is_debian_family(os_release) and has_apt
    conda_prefix = environ.get("CONDA_PREFIX")
    if conda_prefix:
        missing = missing_from_conda(Path(conda_prefix))
        if not missing:
            return "conda"
        name = environ.get("CONDA_DEFAULT_ENV", conda_prefix)
        raise Stop(
            f"the conda environment '{name}' is active, without {', '.join(missing)}",
            "the environment that environment.yml makes"
            + (", or none and apt" if debian else ""),
            [CONDA_LINE] + (["conda deactivate && make setup"] if debian else []),
        )
    if not debian:
        name = os_release.get("PRETTY_NAME") or {"Darwin": "macOS"}.get(system, system)
        raise Stop(
            f"{name} ({machine}) and no active conda environment",
            "Debian 12 or newer, Ubuntu 24.04 or newer (WSL too), or a conda environment made from "
            "environment.yml",
            [CONDA_LINE],
        )
    if machine not in MACHINES:
        raise Stop(
            f"a {machine} processor",
            "x86_64 or aarch64: TensorFlow has packages for these only",
            ["take a machine with one of them"],
        )
    return "apt"


# ---------------------------------------------------------------------------------------------
# Which Python, which R


@dataclass(frozen=True)
class PythonFacts:
    """What a Python says of itself."""

    executable: str
    version: Version
    has_shared_library: bool  # libpython as a file of its own
    makes_venvs: bool  # has the modules venv and ensurepip, which Debian packages apart


def judge_other_python(where: str, found: PythonFacts) -> None:
    """Stop if this Python lacks a part; for the distribution's, apt-packages.txt brings the parts."""
    name = f"{where} (Python {dotted(found.version)})"
    if not found.has_shared_library:
        raise Stop(
            f"{name}, which has no shared library (libpython)",
            "a Python with one: reticulate uses it to start Python inside R",
            ["make setup PYTHON=/usr/bin/python3"],
        )
    if not found.makes_venvs:
        raise Stop(
            f"{name}, which cannot make virtual environments",
            "its modules venv and ensurepip",
            [
                f"sudo apt-get install python{dotted(found.version[:2])}-venv",
                "make setup PYTHON=/usr/bin/python3",
            ],
        )


@dataclass(frozen=True)
class RFacts:
    """What an R says of itself: its version and those of its packages (None: not installed)."""

    version: Version
    packages: Mapping[str, Version | None]


def judge_r_facts(r: str, facts: RFacts | None) -> Version:
    """Stop if this R cannot be used; else reticulate's version."""
    if facts is None:
        raise Stop(
            f"{r}, which does not run", f"R {dotted(R_MIN)} or newer", [CONDA_LINE]
        )
    judge_r(r, facts.version)
    missing = [name for name in R_PACKAGES if facts.packages.get(name) is None]
    if missing:
        names = ", ".join(f'"{name}"' for name in missing)
        raise Stop(
            f"R {dotted(facts.version)} at {r}, without {', '.join(missing)}",
            "an R with these packages",
            [
                f"in that R: install.packages(c({names}))",
                "PATH=/usr/bin:$PATH make setup   (takes the distribution's R)",
            ],
        )
    reticulate = facts.packages["reticulate"]
    assert reticulate is not None
    judge_reticulate(r, reticulate)
    return reticulate


def python_command(environ: Mapping[str, str], remembered: str | None) -> str:
    """PYTHON if it is set, else the one that .venv was made with, else the distribution's.

    The distribution's is the default, not python3 from PATH: Debian's has a shared library, and
    those that pyenv, asdf or uv put on PATH often have none.
    """
    given = environ.get("PYTHON")
    if given:
        found = shutil.which(given)
        if not found:
            raise Stop(
                f"PYTHON={given}, and no such program",
                "the path of a Python",
                ["make setup PYTHON=/usr/bin/python3"],
            )
        return os.path.abspath(found)
    if remembered and os.access(remembered, os.X_OK):
        return remembered
    return "/usr/bin/python3"


# ---------------------------------------------------------------------------------------------
# Debian's packages


def read_package_list(text: str) -> list[str]:
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def optional_packages(text: str) -> list[str]:
    """Those of the list whose line ends with "# optional"."""
    lines = (line.partition("#") for line in text.splitlines())
    return [
        name.strip()
        for name, _, comment in lines
        if name.strip() and comment.strip() == "optional"
    ]


def installed_versions(dpkg_output: str) -> dict[str, str]:
    """Package -> version from `dpkg-query --show`, of those that are fully installed."""
    found = {}
    for line in dpkg_output.splitlines():
        name, status, number = line.split("\t")
        if status == "installed":
            found[name] = number
    return found


def candidates(policy: str) -> dict[str, str]:
    """Package -> the version that apt would install, from `apt-cache policy`; "" if it has none."""
    found: dict[str, str] = {}
    name = ""
    for line in policy.splitlines():
        if line and not line.startswith(" "):
            name = line.rstrip(":")
            found[name] = ""
        elif line.strip().startswith("Candidate:"):
            value = line.split(":", 1)[1].strip()
            found[name] = "" if value == "(none)" else value
    return found


def judge_candidates(
    found: Mapping[str, str], wanted: Sequence[str], python: Version | None
) -> None:
    """Stop, before anything is installed, if what apt offers would not do."""
    absent = [name for name in wanted if not found.get(name)]
    if absent:
        raise Stop(
            f"a distribution whose package lists do not have {', '.join(absent)}",
            "Debian 12 or newer, or Ubuntu 24.04 or newer with its part 'universe'",
            [
                "sudo add-apt-repository universe && make setup   (on Ubuntu)",
                CONDA_LINE,
            ],
        )
    offered = {name: version(value) for name, value in found.items() if value}
    if "python3" in offered and python is None:
        judge_python("the distribution's python3", offered["python3"])
    if "r-base-core" in offered:
        judge_r("the distribution's r-base-core", offered["r-base-core"])
    if "r-cran-reticulate" in offered:
        judge_reticulate("the distribution", offered["r-cran-reticulate"])
        requirements_for(
            offered["r-cran-reticulate"], python or offered.get("python3", PYTHON_MIN)
        )


def administrator_line(missing: Sequence[str], has_sudo: bool) -> str:
    """What installs these packages, on a machine with sudo or without."""
    update, install = (
        "apt-get update",
        "apt-get install -y --no-install-recommends " + " ".join(missing),
    )
    return (
        f"sudo {update} && sudo {install}"
        if has_sudo
        else f"su -c '{update} && {install}'"
    )


def root_prefix(
    uid: int, has_sudo: bool, sudo_without_password: bool, terminal: bool
) -> list[str] | None:
    """What goes before apt-get to run it as root; None if there is no way."""
    if uid == 0:
        return []
    if has_sudo and sudo_without_password:
        return ["sudo", "-n"]
    if has_sudo and terminal:
        return ["sudo"]
    return None
