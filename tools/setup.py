"""Set up R and Python for the notebooks, once.

    python3 tools/setup.py                      set up what is missing
    python3 tools/setup.py --exec COMMAND ...   the same, then run COMMAND in the environment

There are two routes. On Debian and Ubuntu R comes from apt (apt-packages.txt) and Python's
packages go into .venv from the pinned lists. Inside an active conda environment made from
environment.yml only the two companions are installed. On anything else set-up stops, before
it has changed anything, with one message: what was found, what is needed, what to type.

Every step leaves a fingerprint of what it depended on in a stamp file. A step runs again only
when its fingerprint changes, so a second set-up takes a fraction of a second.

What is decided is in setup_decisions.py, what is done is here. Both use the standard library
only and run on Python 3.8, because they are started by whatever python3 the machine has, and a
Python that is too old deserves a sentence.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import locale
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from setup_decisions import (
    CONDA_LINE,
    FIRST_SET_UP,
    R_PACKAGES,
    PythonFacts,
    RFacts,
    Stop,
    Version,
    administrator_line,
    candidates,
    choose_route,
    dotted,
    installed_versions,
    judge_candidates,
    judge_other_python,
    judge_python,
    judge_r_facts,
    optional_packages,
    parse_os_release,
    python_command,
    read_package_list,
    requirements_for,
    root_prefix,
    version,
)

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOG = ROOT / "build" / "setup.log"

LINES_OF_A_FAILURE = 25

# Measured on Debian 12 and 13, with room for what pip unpacks on the way.
DISK_FOR_PACKAGES = 3.0e9
DISK_FOR_SYSTEM = 1.6e9


# ---------------------------------------------------------------------------------------------
# Running things


def say(text: str = "") -> None:
    print(text, flush=True)


def child_environment(
    environ: Mapping[str, str], prefix: Path, r_library: Path | None
) -> dict[str, str]:
    """The variables with which R and Python of the project find each other, and nothing else."""
    env = dict(environ)
    # Another Python's modules must not be taken for the pinned ones.
    env.pop("PYTHONHOME", None)
    env.pop("PYTHONPATH", None)
    env["PYTHONNOUSERSITE"] = "1"
    env["PATH"] = os.pathsep.join([str(prefix / "bin"), env.get("PATH", os.defpath)])
    # Rscript: reticulate looks at this first, and newer ones would otherwise build a Python of their own.
    env["RETICULATE_PYTHON"] = str(prefix / "bin" / "python")
    if r_library is not None:
        env["VIRTUAL_ENV"] = str(prefix)
        others = [
            path
            for path in env.get("R_LIBS", "").split(os.pathsep)
            if path and path != str(r_library)
        ]
        env["R_LIBS"] = os.pathsep.join([str(r_library), *others])
    if not locale_is_utf8():
        env["LC_ALL"] = "C.UTF-8"
    return env


def locale_is_utf8() -> bool:
    """Whether the user's locale exists and is UTF-8; R would print <U+00E9> for é in another."""
    try:
        locale.setlocale(locale.LC_ALL, "")
    except locale.Error:
        return False
    # Python itself has already turned C and POSIX into C.UTF-8 and told its children so (PEP 538).
    return "utf-8" in locale.nl_langinfo(locale.CODESET).lower()


def run(command: Sequence[str], env: Mapping[str, str] | None = None) -> int:
    """Run; what it prints goes to the output as it comes.

    On a terminal nobody reads two thousand lines of apt and pip, and some of them frighten. There the
    latest line is shown in one place and all of them go to build/setup.log; if the command fails, the
    last ones are shown.
    """
    whole = " ".join(shlex.quote(str(part)) for part in command)
    say("  $ " + (whole if len(whole) <= 160 else whole[:150] + " ..."))
    arguments = [str(part) for part in command]
    if not on_terminal():
        return subprocess.run(
            arguments, env=env, cwd=str(ROOT), stdin=subprocess.DEVNULL
        ).returncode
    LOG.parent.mkdir(parents=True, exist_ok=True)
    last: deque[str] = deque(maxlen=LINES_OF_A_FAILURE)
    with LOG.open("a", encoding="utf-8") as log, subprocess.Popen(
        arguments,
        env=env,
        cwd=str(ROOT),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as child:
        log.write(f"$ {whole}\n")
        assert child.stdout is not None
        try:
            for line in child.stdout:
                log.write(line)
                last.append(line.rstrip())
                show_in_one_place(line)
        finally:
            show_in_one_place("")
    if child.returncode != 0:
        say("\n".join(last))
        say(f"  All that was printed: {LOG}")
    return child.returncode


def on_terminal() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def show_in_one_place(line: str) -> None:
    """Show a line in place of the one before; an empty one takes it away."""
    text = "".join(
        letter for letter in line.expandtabs() if letter.isprintable()
    ).strip()
    if text or not line:
        width = shutil.get_terminal_size().columns
        sys.stdout.write(
            f"\r\033[K    {text}"[: width + 3] + ("" if text else "\r\033[K")
        )
        sys.stdout.flush()


def must_run(
    command: Sequence[str], env: Mapping[str, str] | None, what: str, needed: str
) -> None:
    code = run(command, env)
    if code != 0:
        raise Stop(
            f"{what} ended with code {code}; the lines above say why",
            needed,
            ["make setup   (goes on where it stopped)"],
        )


def output_of(command: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    """Standard output; empty if the command cannot be run. For questions, not for work."""
    try:
        result = subprocess.run(
            [str(part) for part in command],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    except OSError:
        return ""
    return result.stdout


# ---------------------------------------------------------------------------------------------
# Asking Python, R and dpkg


PYTHON_PROBE = """
import json, os, sys, sysconfig
folder, name = sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("INSTSONAME")
library = os.path.join(folder or "", name or "")
shared = ".so" in library and os.path.exists(library)
print(json.dumps([sys.executable, sys.version_info[:3], shared]))
"""


def ask_python(command: str) -> PythonFacts:
    text = output_of([command, "-I", "-c", PYTHON_PROBE])
    if not text:
        raise Stop(
            f"'{command}', which does not run as a Python",
            "a Python that works",
            ["make setup PYTHON=/usr/bin/python3"],
        )
    executable, numbers, shared = json.loads(text)
    makes_venvs = (
        output_of([command, "-I", "-c", "import venv, ensurepip; print('yes')"]) != ""
    )
    return PythonFacts(executable, tuple(numbers), shared, makes_venvs)


R_PROBE = (
    "for (package in commandArgs(TRUE)) "
    'cat("\\nsidebyside", package, '
    'tryCatch(as.character(utils::packageVersion(package)), error = function(e) "-")); '
    'cat("\\nsidebyside R", as.character(getRversion()), "\\n")'
)


def ask_r(r: str, env: Mapping[str, str]) -> RFacts | None:
    """None if this R does not run."""
    rscript = str(Path(r).with_name("Rscript"))
    text = output_of([rscript, "-e", R_PROBE, *R_PACKAGES], env)
    # A profile may print something of its own, so only marked lines count.
    found = dict(re.findall(r"^sidebyside (\S+) (\S+)", text, re.MULTILINE))
    if "R" not in found:
        return None
    numbers = {
        name: None if value == "-" else version(value) for name, value in found.items()
    }
    return RFacts(version(found["R"]), numbers)


# ---------------------------------------------------------------------------------------------
# Debian's packages


def query_dpkg(names: Sequence[str]) -> dict[str, str]:
    form = "${Package}\t${db:Status-Status}\t${Version}\n"
    return installed_versions(
        output_of(["dpkg-query", "--show", f"--showformat={form}", *names])
    )


def become_root(missing: Sequence[str]) -> list[str]:
    has_sudo = shutil.which("sudo") is not None
    without_password = (
        has_sudo
        and subprocess.run(
            ["sudo", "-n", "true"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ).returncode
        == 0
    )
    prefix = root_prefix(os.geteuid(), has_sudo, without_password, sys.stdin.isatty())
    if prefix == ["sudo"]:
        say("  apt-get must run as root; sudo asks for your password.")
        if subprocess.run(["sudo", "-v"]).returncode != 0:
            prefix = None
    if prefix is None:
        raise Stop(
            f"{len(missing)} of Debian's packages are missing, and you are neither root nor may use sudo here",
            "an administrator who types the next line, once; after it `make setup` needs no rights",
            [administrator_line(missing, has_sudo), CONDA_LINE],
        )
    return prefix


def install_packages(
    wanted: Sequence[str], optional: Sequence[str], python: Version | None
) -> None:
    """Install what is missing of `wanted`; judge what apt would give before taking it.

    What is also `optional` is left out where it cannot be had.
    """
    present = query_dpkg(wanted)
    missing = [name for name in wanted if name not in present]
    if not missing:
        return
    try:
        prefix = become_root(missing)
    except Stop:
        if not set(missing) <= set(optional):
            raise
        say(
            f"  Going on without {', '.join(missing)}: only an administrator could install it."
        )
        return
    check_disk("/usr", DISK_FOR_SYSTEM)
    # Waiting for the lock: on a fresh machine the daily upgrade is often at work.
    apt = [
        *prefix,
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-q",
        "-o",
        "Dpkg::Use-Pty=0",
        "-o",
        "DPkg::Lock::Timeout=300",
    ]
    if run([*apt, "update"]) != 0:
        say(
            "  The package lists could not be renewed; trying with those that are there."
        )
    # These decide whether the project can run at all, so they are judged even if some are there.
    deciding = [
        name
        for name in ("python3", "r-base-core", "r-cran-reticulate")
        if name in missing or (name == "python3" and python is None)
    ]
    offered = candidates(
        output_of(
            ["apt-cache", "policy", *missing, *deciding], dict(os.environ, LC_ALL="C")
        )
    )
    for name in [
        name for name in missing if name in optional and not offered.get(name)
    ]:
        say(f"  Going on without {name}: this distribution does not have it.")
        missing.remove(name)
        offered.pop(name, None)
    if not missing:
        return
    judge_candidates(offered, missing, python)
    say(f"  Installing {len(missing)} packages and what they need.")
    must_run(
        [*apt, "install", "-y", "--no-install-recommends", *missing],
        None,
        "apt-get install",
        "Debian's packages within reach",
    )


def check_disk(folder: str, needed: float) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise Stop(
            f"{free / 1e9:.1f} GB free where {folder} is",
            f"{needed / 1e9:.1f} GB",
            ["make room and run `make setup` again"],
        )


# ---------------------------------------------------------------------------------------------
# Fingerprints and the stamp


def fingerprint(*parts: object) -> str:
    return hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()[
        :16
    ]


def hash_files(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(
            str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0"
        )
    return digest.hexdigest()


def r_sources() -> list[Path]:
    """The files of r/ that R CMD INSTALL installs; its tests are not among them, nor what Python compiled."""
    folder = ROOT / "r"
    return [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.relative_to(folder).parts[0] != "tests"
        and not path.name.startswith(".")
        and path.suffix != ".pyc"
    ]


def python_sources() -> list[Path]:
    """The files of python/ that its installation reads."""
    folder = ROOT / "python"
    made = ("build", "__pycache__")
    return [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix not in (".so", ".pyc")
        and not any(
            part in made or part.endswith(".egg-info")
            for part in path.relative_to(folder).parts
        )
    ]


def installed_modules(prefix: Path) -> str:
    """The companion as it was installed; its compiled part is easily cleaned away."""
    found = [
        path
        for folder in prefix.glob("lib/python3*/site-packages/sidebyside")
        for path in folder.glob("*")
        if path.is_file()
    ]
    return fingerprint(*sorted(f"{path.name} {path.stat().st_size}" for path in found))


def modified(path: Path) -> int:
    """When a file was written, 0 if it is not there: tells a folder made anew from the old one."""
    return path.stat().st_mtime_ns if path.exists() else 0


class Stamp:
    """Remembers, in a small JSON file, what each step was done with."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: dict[str, str] = {}
        with contextlib.suppress(
            OSError, ValueError
        ):  # absent or cut off: everything is still to do
            self.values = dict(json.loads(path.read_text()))

    def get(self, key: str) -> str | None:
        return self.values.get(key)

    def set(self, key: str, value: str) -> None:
        """Write at once and in one piece, so that an interruption leaves the steps before it done."""
        self.values[key] = value
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".part")
        draft.write_text(json.dumps(self.values, indent=1) + "\n")
        os.replace(str(draft), str(self.path))


# ---------------------------------------------------------------------------------------------
# Steps


def nothing() -> str:
    return ""


@dataclass(frozen=True)
class Step:
    """One part of set-up.

    `inputs` is a fingerprint of what the step works from, `result` one of what it leaves behind.
    The step is done if both are what they were when it was last carried out: so a change in a
    source file makes it run again, and so does the loss of what it had made.
    """

    name: str
    title: str
    inputs: Callable[[], str]
    work: Callable[[], None]
    result: Callable[[], str] = nothing

    def is_done(self, stamp: Stamp) -> bool:
        return stamp.get(self.name) == f"{self.inputs()} {self.result()}"

    def carry_out(self, stamp: Stamp) -> None:
        # The inputs are read first: what is edited while the step runs counts as not done.
        inputs = self.inputs()
        self.work()
        stamp.set(self.name, f"{inputs} {self.result()}")


class Later(Exception):
    """A step could not be done, and the rest works without it; the next set-up tries again."""


def carry_out(steps: Sequence[Step], stamp: Stamp) -> None:
    for number, step in enumerate(steps, 1):
        if step.is_done(stamp):
            continue
        say(f"[{number}/{len(steps)}] {step.title}")
        start = time.monotonic()
        try:
            step.carry_out(stamp)
        except Later as reason:
            say(f"  {reason}")
        else:
            say(f"  done in {time.monotonic() - start:.1f} s")


class Environment:
    """What both routes have in common: where things go, and the steps that follow the packages."""

    first_time: str  # what the first set-up takes, in words

    def __init__(
        self,
        prefix: Path,
        r: str,
        r_library: Path | None,
        stamp_path: Path,
        lock_path: Path,
    ) -> None:
        self.prefix = prefix
        self.python = prefix / "bin" / "python"
        self.r = r
        self.r_library = r_library
        self.stamp = Stamp(stamp_path)
        self.lock_path = lock_path
        self.env = child_environment(os.environ, prefix, r_library)

    def steps(self) -> list[Step]:
        raise NotImplementedError

    def base(self) -> str:
        """Fingerprint of what the packages stand on; if it changes, they are installed again."""
        raise NotImplementedError

    def shared_steps(self) -> list[Step]:
        return [
            Step(
                "python companion",
                "The Python companion (python/)",
                lambda: fingerprint(self.base(), hash_files(python_sources())),
                self.install_python_companion,
                lambda: installed_modules(self.prefix),
            ),
            Step(
                "R companion",
                "The R companion (r/)",
                lambda: fingerprint(self.base(), hash_files(r_sources())),
                self.install_r_companion,
            ),
            Step("check", "Do R and Python find each other?", self.base, self.check),
            Step(
                "data",
                "MNIST and painted fruits, so that the notebooks need no network",
                lambda: fingerprint(ROOT),
                self.fetch_data,
                data_listing,
            ),
        ]

    def install_python_companion(self) -> None:
        # Not editable: reticulate before 1.31 does not read the .pth files that such an installation
        # stands on, so Rscript would not find it. The dependencies are there, pinned.
        try:
            must_run(
                [
                    self.python,
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                    "--no-deps",
                    "--no-build-isolation",
                    "--force-reinstall",
                    "./python",
                ],
                self.env,
                "pip",
                "a python/ that can be installed",
            )
        finally:
            # What setuptools built there would be packed again, also after its source is gone.
            for leftover in [
                ROOT / "python" / "build",
                *(ROOT / "python").glob("*.egg-info"),
            ]:
                shutil.rmtree(str(leftover), ignore_errors=True)

    def install_r_companion(self) -> None:
        where = []
        if self.r_library is not None:
            self.r_library.mkdir(parents=True, exist_ok=True)
            # Left by an installation that was killed; no other one is at work, we hold the lock.
            for leftover in self.r_library.glob("00LOCK-*"):
                shutil.rmtree(str(leftover))
            where = [f"--library={self.r_library}"]
        must_run(
            [self.r, "CMD", "INSTALL", "--no-test-load", *where, "r"],
            self.env,
            "R CMD INSTALL",
            "an r/ that can be installed",
        )

    def check(self) -> None:
        """Start each language from the other, once, so that what is wrong shows here and not in a notebook."""
        rscript = Path(self.r).with_name("Rscript")
        for what, command in (
            ("R inside Python", [self.python, "-c", CHECK_PYTHON]),
            ("Python inside R", [rscript, "-e", CHECK_R]),
        ):
            result = subprocess.run(
                [str(part) for part in command],
                env=dict(self.env, KERAS_BACKEND="tensorflow"),
                cwd=str(ROOT),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            # TensorFlow's remarks about the processor are of interest only if something is wrong.
            answer = re.findall("^answer: (.*)", result.stdout, re.MULTILINE)
            if result.returncode != 0 or not answer:
                say(result.stdout)
                raise Stop(
                    f"starting {what} ended with code {result.returncode}; the lines above say why",
                    "R, rpy2, reticulate, Python and Keras that work together",
                    ["rm -rf .venv && make setup" if self.r_library else CONDA_LINE],
                )
            say("  " + answer[0])

    def fetch_data(self) -> None:
        if run([self.python, "-m", "sidebyside.data.fetch"], self.env) != 0:
            raise Later(
                "MNIST or the painted fruits are missing; everything else works. `make setup` tries again."
            )


CHECK_PYTHON = """
import importlib.util
import rpy2.robjects
import keras
compiled = importlib.util.find_spec("_rinterface_cffi_api") is not None
print("answer: Python starts", rpy2.robjects.r("R.version.string")[0], "and has Keras", keras.__version__,
      "" if compiled else "(rpy2 was not compiled against this R: it works, but crossing is slower)")
"""

CHECK_R = (
    "library(sidebyside); "
    'stopifnot(reticulate::py_module_available("sidebyside")); '
    "model <- keras_model_sequential(1); "
    'through <- if (dialect() == "keras3") "keras3" else "the R companion (keras3 is not needed)"; '
    'cat("\\nanswer: R starts Python", as.character(reticulate::py_version()), "and has Keras through", through, "\\n")'
)


def data_listing() -> str:
    """Names and sizes of what was fetched and painted, so that set-up notices if it was deleted."""
    data = ROOT / "data"
    files = sorted((data / "mnist").glob("*")) + sorted(
        (data / "painted-fruits").glob("*.json")
    )
    return fingerprint(*[f"{path.name} {path.stat().st_size}" for path in files])


# ---------------------------------------------------------------------------------------------
# Route 1: apt and a virtual environment


class AptEnvironment(Environment):
    first_time = FIRST_SET_UP

    def __init__(self) -> None:
        # An R that the user put before the distribution's is taken, and left as it is.
        on_path = shutil.which("R")
        self.own_r = bool(on_path) and os.path.realpath(
            str(on_path)
        ) != os.path.realpath("/usr/bin/R")
        super().__init__(
            VENV,
            str(on_path) if self.own_r else "/usr/bin/R",
            VENV / "r-library",
            VENV / "sidebyside-setup.json",
            ROOT / "build" / "setup.lock",
        )
        listed = (ROOT / "apt-packages.txt").read_text()
        self.wanted = read_package_list(listed)
        self.optional = optional_packages(listed)
        if self.own_r:
            self.wanted = [name for name in self.wanted if not name.startswith("r-")]
        self.command = python_command(os.environ, self.stamp.get("base python"))
        self.from_distribution = os.path.realpath(self.command) == os.path.realpath(
            "/usr/bin/python3"
        )
        # A very bare machine may not have the distribution's Python yet; apt brings it.
        self.facts = (
            None
            if self.from_distribution and not os.path.exists(self.command)
            else ask_python(self.command)
        )

    def judge_before(self) -> None:
        """Everything that can be known before the first change is made."""
        python = self.facts
        if python is not None:
            judge_python(self.command, python.version)
            # The distribution's shared library comes with python3-dev, which is on the list.
            if not self.from_distribution:
                judge_other_python(self.command, python)
        r = ask_r(self.r, self.env) if os.path.exists(self.r) else None
        if self.own_r:
            judge_r_facts(self.r, r)
        reticulate = r and r.packages.get(
            "reticulate"
        )  # if there is none, apt is going to bring one
        if python is not None and reticulate:
            requirements_for(reticulate, python.version)
        check_disk(str(ROOT), DISK_FOR_PACKAGES if not VENV.exists() else 0)

    def packages(self) -> str:
        """Debian's packages as they are: an upgrade of R or reticulate changes this, a removal too."""
        needed = [name for name in self.wanted if name not in self.optional]
        present = query_dpkg(needed)
        return fingerprint(*[f"{name} {present.get(name)}" for name in needed])

    def venv_inputs(self) -> str:
        # ROOT, because a virtual environment cannot be moved.
        return fingerprint(
            ROOT, self.facts and (self.facts.executable, self.facts.version[:2])
        )

    def venv_result(self) -> str:
        return fingerprint(self.python.exists(), modified(VENV / "pyvenv.cfg"))

    def base(self) -> str:
        lists = [
            ROOT / name
            for name in (
                "requirements.txt",
                "requirements-numpy1.txt",
                "requirements-numpy2.txt",
            )
        ]
        return fingerprint(
            self.r,
            self.packages(),
            self.venv_inputs(),
            self.venv_result(),
            hash_files(lists),
        )

    def steps(self) -> list[Step]:
        return [
            Step(
                "packages",
                "Debian's packages: R and its packages, a compiler, a browser for the tests",
                lambda: fingerprint(self.r, *self.wanted),
                self.install_packages,
                self.packages,
            ),
            Step(
                "venv",
                "A virtual environment in .venv",
                self.venv_inputs,
                self.make_venv,
                self.venv_result,
            ),
            Step(
                "requirements",
                "Python's packages: TensorFlow, Keras, rpy2, Jupyter (about a minute)",
                self.base,
                self.install_requirements,
            ),
            *self.shared_steps(),
        ]

    def install_packages(self) -> None:
        install_packages(
            self.wanted, self.optional, self.facts.version if self.facts else None
        )
        self.facts = ask_python(self.command)
        judge_r_facts(self.r, ask_r(self.r, self.env))

    def make_venv(self) -> None:
        if (VENV / "pyvenv.cfg").exists() and not self.venv_is_sound():
            say(
                "  .venv was made by another Python, in another place, or is broken: made anew."
            )
            kept = self.stamp.get("packages")
            shutil.rmtree(str(VENV))
            self.stamp.values = {"packages": kept} if kept else {}
        if not (VENV / "pyvenv.cfg").exists():
            must_run(
                [self.command, "-m", "venv", VENV],
                self.env,
                "venv",
                "a Python that can make virtual environments",
            )
        self.stamp.set("base python", self.command)

    def venv_is_sound(self) -> bool:
        """Whether .venv runs, belongs to the chosen Python and has not been moved or copied here.

        pip's own scripts hold the path of their environment, so a moved one works only in part.
        """
        assert self.facts is not None
        probe = "import json, pip, sys; print(json.dumps([sys.version_info[:2], sys.base_prefix]))"
        text = output_of([str(self.python), "-I", "-c", probe])
        if not text:
            return False
        numbers, base_prefix = json.loads(text)
        base = output_of(
            [self.command, "-I", "-c", "import sys; print(sys.base_prefix)"]
        ).strip()
        made_here = f" {VENV}\n" in (VENV / "pyvenv.cfg").read_text() + "\n"
        return (
            tuple(numbers) == self.facts.version[:2]
            and base_prefix == base
            and made_here
        )

    def install_requirements(self) -> None:
        assert self.facts is not None
        reticulate = judge_r_facts(self.r, ask_r(self.r, self.env))
        chosen = requirements_for(reticulate, self.facts.version)
        say(
            f"  Python {dotted(self.facts.version)}; reticulate {dotted(reticulate)}, so {chosen}"
        )
        must_run(
            [
                self.python,
                "-m",
                "pip",
                "install",
                "--disable-pip-version-check",
                "--requirement",
                chosen,
            ],
            self.env,
            "pip",
            "PyPI within reach",
        )


# ---------------------------------------------------------------------------------------------
# Route 2: an active conda environment


class CondaEnvironment(Environment):
    first_time = "the two companions go into the active conda environment, MNIST and painted fruits into data/"

    def __init__(self, prefix: Path) -> None:
        state = prefix / "share" / "sidebyside"
        super().__init__(
            prefix,
            str(prefix / "bin" / "R"),
            None,
            state / "setup.json",
            state / "setup.lock",
        )

    def judge_before(self) -> None:
        facts = ask_python(str(self.python))
        judge_python(str(self.python), facts.version)
        judge_r_facts(self.r, ask_r(self.r, self.env))

    def base(self) -> str:
        installed = sorted(
            path.name for path in (self.prefix / "conda-meta").glob("*.json")
        )
        return fingerprint(ROOT, *installed)

    def steps(self) -> list[Step]:
        return self.shared_steps()


# ---------------------------------------------------------------------------------------------


def find_environment() -> Environment:
    release = Path("/etc/os-release")
    os_release = parse_os_release(release.read_text()) if release.exists() else {}
    route = choose_route(
        os.environ,
        platform.system(),
        platform.machine(),
        os_release,
        shutil.which("apt-get") is not None,
    )
    return (
        CondaEnvironment(Path(os.environ["CONDA_PREFIX"]))
        if route == "conda"
        else AptEnvironment()
    )


@contextlib.contextmanager
def only_one(lock_path: Path) -> Iterator[None]:
    """Wait for another set-up of the same environment; the system frees the lock if we are killed."""
    import fcntl

    lock_path.parent.mkdir(parents=True, exist_ok=True)
    with lock_path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("Another set-up is at work; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_complete(environment: Environment) -> bool:
    return all(step.is_done(environment.stamp) for step in environment.steps())


def set_up(quiet: bool) -> Environment:
    """Do what is outstanding. `quiet`: say nothing if that is nothing."""
    environment = find_environment()
    if not is_complete(environment):
        with only_one(environment.lock_path):
            environment = (
                find_environment()
            )  # the set-up that we may have waited for has changed things
            if not is_complete(environment):
                environment.judge_before()
                start = time.monotonic()
                announce(environment)
                carry_out(environment.steps(), environment.stamp)
                say(
                    f"Set-up took {time.monotonic() - start:.0f} s."
                    + ("" if quiet else f" {WHAT_NEXT}")
                )
                return environment
    if not quiet:
        say(f"Set-up is complete; nothing to do. {WHAT_NEXT}")
    return environment


WHAT_NEXT = "`make lab` opens the notebooks, `make` lists the commands."


def announce(environment: Environment) -> None:
    """Before the first change: what is going to happen; nothing when only something stale is renewed."""
    first = not environment.stamp.values
    if first:
        say(f"Setting up in {ROOT}, once: {environment.first_time}.")
    if on_terminal():
        LOG.parent.mkdir(parents=True, exist_ok=True)
        LOG.write_text("")
        if first:
            say(f"What apt, pip and R print goes to {LOG.relative_to(ROOT)}.")


def replace_by(command: Sequence[str], env: Mapping[str, str]) -> NoReturn:
    sys.stdout.flush()
    os.chdir(str(ROOT))
    program = shutil.which(command[0], path=env["PATH"])
    if program is None:
        raise Stop(
            f"no program '{command[0]}' in the environment",
            "a set-up that is complete",
            ["make setup"],
        )
    os.execve(program, list(command), dict(env))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Set up R and Python for the notebooks, once."
    )
    parser.add_argument(
        "--exec",
        nargs=argparse.REMAINDER,
        metavar="COMMAND",
        default=[],
        help="then run this, with the environment's R and Python",
    )
    options = parser.parse_args(arguments)
    try:
        environment = set_up(quiet=bool(options.exec))
        if options.exec:
            replace_by(options.exec, environment.env)
    except Stop as problem:
        print(f"\n{problem}", file=sys.stderr, flush=True)
        return 1
    except PermissionError as problem:
        stop = Stop(
            f"{problem.filename}, where you may not write ({problem.strerror})",
            "a folder of your own",
            [f"copy {ROOT} to where you may write, and set up there"],
        )
        print(f"\n{stop}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print(
            "\nInterrupted. `make setup` goes on where it stopped.",
            file=sys.stderr,
            flush=True,
        )
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
