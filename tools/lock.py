"""Pin every package of the pip set: requirements.in -> requirements.txt.

    make lock              keep today's pins where they still fit, add and drop what changed
    make lock UPGRADE=1    take the newest release of everything

One lock has to serve Python 3.11 to 3.13, x86_64 and aarch64, and two NumPys: reticulate
before 1.38 refuses NumPy 2, and NumPy 1.26 has no wheels for Python 3.13. So NumPy stands
apart. requirements.txt has everything else, at releases that accept both NumPys, and
requirements-numpy1.txt and requirements-numpy2.txt add one NumPy each. tools/setup.py
chooses between the two.

The resolver is uv, in a virtual environment that is thrown away: it can resolve for
machines other than this one, which pip cannot. Nothing else in the project needs uv.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = "uv==0.13.9"

NUMPY_1 = "1.26.4"  # the last NumPy 1
NUMPY_2 = "2.3.5"  # a NumPy 2 with wheels for all of 3.11, 3.12 and 3.13

MACHINES = ("x86_64", "aarch64")

# rpy2-rinterface is compiled against the R of the machine: it has no wheel for Linux.
BUILT_FROM_SOURCE = ("rpy2-rinterface",)


@dataclass(frozen=True)
class Target:
    """A combination of NumPy and Python that set-up can choose."""

    python: str
    numpy: str
    requirements: str


TARGETS = (
    Target("3.11", NUMPY_1, "requirements-numpy1.txt"),
    Target("3.12", NUMPY_1, "requirements-numpy1.txt"),
    Target("3.11", NUMPY_2, "requirements-numpy2.txt"),
    Target("3.12", NUMPY_2, "requirements-numpy2.txt"),
    Target("3.13", NUMPY_2, "requirements-numpy2.txt"),
)

HEADER = """\
# Written by `make lock` from requirements.in. Do not edit: change requirements.in and run `make lock`.
"""

# NumPy 1.26 is what limits the releases, and it exists up to Python 3.12; that the same
# releases serve 3.13 with NumPy 2 is checked afterwards.
UV_PROJECT = """\
[project]
name = "lock"
version = "0"
requires-python = ">=3.11,<3.14"

[tool.uv]
environments = [
    "sys_platform == 'linux' and platform_machine == 'x86_64' and python_version < '3.13'",
    "sys_platform == 'linux' and platform_machine == 'aarch64' and python_version < '3.13'",
]
"""


def make_uv(folder: Path) -> Path:
    """Install uv into a virtual environment in `folder`; return its command."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", UV], check=True)
    return folder / "bin" / "uv"


def without_environment(line: str) -> str:
    """Drop what a marker only repeats from `environments`, keep what it says about the machine.

    uv writes the environments it resolved for into every line. A package that both kinds of
    machine need gets no marker, so that Python 3.13 installs it too; a package for one kind
    keeps that kind.
    """
    requirement, _, marker = line.partition(";")
    requirement = requirement.strip()
    machines = [machine for machine in MACHINES if f"'{machine}'" in marker]
    if len(machines) == 1:
        return f"{requirement} ; platform_machine == '{machines[0]}'"
    return requirement


def resolve(uv: Path, work: Path, upgrade: bool) -> list[str]:
    """Resolve requirements.in with NumPy 1; return the lines of requirements.txt."""
    (work / "pyproject.toml").write_text(UV_PROJECT)
    (work / "numpy.txt").write_text(f"numpy=={NUMPY_1}\n")
    resolved = work / "resolved.txt"
    old_lock = ROOT / "requirements.txt"
    if old_lock.exists() and not upgrade:
        resolved.write_text(
            old_lock.read_text()
        )  # uv prefers the pins it finds in its output file
    subprocess.run(
        [
            str(uv),
            "pip",
            "compile",
            "--quiet",
            "--universal",
            "--python-version",
            "3.11",
            "--fork-strategy",
            "fewest",
            "--constraints",
            "numpy.txt",
            "--no-emit-package",
            "numpy",
            "--no-annotate",
            "--no-header",
            "--output-file",
            resolved.name,
            str(ROOT / "requirements.in"),
        ],
        cwd=work,
        check=True,
    )
    lines = resolved.read_text().splitlines()
    # uv ends its output with a remark on the package it left out.
    return [
        without_environment(line) for line in lines if line and not line.startswith("#")
    ]


def pins(text: str) -> dict[str, str]:
    """Name -> release of every `name==release` line."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", text, re.MULTILINE))


def check(uv: Path, work: Path, target: Target, machine: str) -> list[str]:
    """Resolve the lock again for one machine, from wheels alone; return what is wrong with it."""
    locked = pins((ROOT / "requirements.txt").read_text())
    result = subprocess.run(
        [
            str(uv),
            "pip",
            "compile",
            "--quiet",
            "--no-annotate",
            "--no-header",
            "--python-version",
            target.python,
            "--python-platform",
            f"{machine}-manylinux_2_28",
            "--only-binary",
            ":all:",
            *[option for name in BUILT_FROM_SOURCE for option in ("--no-binary", name)],
            str(ROOT / target.requirements),
        ],
        cwd=work,
        capture_output=True,
        text=True,
    )
    if result.returncode != 0:
        return [result.stderr.strip()]
    found = pins(result.stdout)
    numpy = found.pop("numpy")
    problems = [
        f"{name} {release} is needed and not locked"
        for name, release in found.items()
        if locked.get(name) != release
    ]
    if numpy != target.numpy:
        problems.append(f"NumPy {numpy} was chosen, not {target.numpy}")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--upgrade",
        action="store_true",
        help="take the newest releases instead of keeping today's pins",
    )
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="sidebyside-lock-") as folder:
        work = Path(folder)
        print(f"Fetching the resolver ({UV})")
        uv = make_uv(work / "uv")

        print("Resolving requirements.in")
        lines = resolve(uv, work, arguments.upgrade)
        (ROOT / "requirements.txt").write_text(HEADER + "\n".join(lines) + "\n")
        for file, numpy in (
            ("requirements-numpy1.txt", NUMPY_1),
            ("requirements-numpy2.txt", NUMPY_2),
        ):
            (ROOT / file).write_text(f"{HEADER}-r requirements.txt\nnumpy=={numpy}\n")
        print(
            f"  {len(lines)} packages in requirements.txt, NumPy {NUMPY_1} or {NUMPY_2} beside them"
        )

        failed = False
        for target in TARGETS:
            for machine in MACHINES:
                problems = check(uv, work, target, machine)
                verdict = (
                    "every package has a wheel and fits"
                    if not problems
                    else "DOES NOT FIT"
                )
                print(
                    f"  Python {target.python}, NumPy {target.numpy}, {machine}: {verdict}"
                )
                for problem in problems:
                    print(f"    {problem}")
                failed = failed or bool(problems)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
