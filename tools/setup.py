"""Set up R and Python for the notebooks, once.

    python3 tools/setup.py                      set up what is missing
    python3 tools/setup.py --exec COMMAND ...   the same, then run COMMAND there
    python3 tools/setup.py --tests ...          also install the tools for tests
    python3 tools/setup.py --backend jax ...    also install JAX, for the CPU

JAX is optional. Whoever has asked for it once keeps it: later set-ups update it.

There are two routes. On Debian and Ubuntu, R comes from apt (apt-packages.txt), and
Python's packages go into .venv from the locked lists. Inside an active conda
environment made from environment.yml, which has the tools for tests, too, only the two
companions are installed. On any other system set-up stops before it changes anything.
Its message says what was found, what is needed, and what to type.

Every step writes a fingerprint of everything it depends on into a stamp file. A step
runs again only if its fingerprint has changed, so a second set-up takes a fraction of a
second. Steps that do not need each other run at the same time.

setup_decisions.py decides what to do, and this file does it. Both use only the standard
library and run on Python 3.8, because any python3 may start them, and also one that is
too old should print a clear message.
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
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from setup_decisions import (
    CONDA_LINE,
    FIRST_SET_UP,
    R_PACKAGES,
    R_TEST_PACKAGES,
    PythonFacts,
    Stop,
    Version,
    choose_route,
    dotted,
    judge_backend,
    judge_python,
    judge_r,
    package_list,
    python_command,
    requirements_for,
    uv_variables,
    version,
)

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOG = ROOT / "build" / "setup.log"

MODULES = "lib/python3*/site-packages"
FOR_TESTS = "requirements-tests.txt"
FOR_JAX = "requirements-jax.txt"

LINES_OF_A_FAILURE = 25
RESUME = "make setup   (resumes where it stopped)"
WHAT_NEXT = "`make lab` opens the notebooks, `make` lists the commands."


# --- Running things


def say(text: str) -> None:
    print(text, flush=True)


def child_environment(
    environ: Mapping[str, str], prefix: Path, r_library: Path | None
) -> dict[str, str]:
    """The variables with which the project's R and Python find each other."""
    env = dict(environ)
    # Do not let modules of another Python replace the pinned ones.
    env.pop("PYTHONHOME", None)
    env.pop("PYTHONPATH", None)
    env["PYTHONNOUSERSITE"] = "1"
    env["PATH"] = os.pathsep.join([str(prefix / "bin"), env.get("PATH", os.defpath)])
    # reticulate uses this first. Without it, newer versions would install a new Python.
    env["RETICULATE_PYTHON"] = str(prefix / "bin" / "python")
    if r_library is not None:
        env["VIRTUAL_ENV"] = str(prefix)
        others = env.get("R_LIBS", "").split(os.pathsep)
        others = [path for path in others if path not in ("", str(r_library))]
        env["R_LIBS"] = os.pathsep.join([str(r_library), *others])
    if not locale_is_utf8():
        env["LC_ALL"] = "C.UTF-8"
    return env


def locale_is_utf8() -> bool:
    """Return whether the locale is UTF-8; otherwise R would print <U+00E9> for é."""
    try:
        locale.setlocale(locale.LC_ALL, "")
    except locale.Error:
        return False
    # Python turns the locales C and POSIX into C.UTF-8, also for children (PEP 538).
    return "utf-8" in locale.nl_langinfo(locale.CODESET).lower()


# The commands that are running, so that an interrupt can end them all.
at_work: set[subprocess.Popen] = set()
interrupted = threading.Event()


def run(
    command: Sequence[object], env: Mapping[str, str], show_failure: bool = True
) -> int:
    """Run a command and write its output to build/setup.log.

    If it fails, its last lines are printed. The log has thousands of lines of apt and
    pip, and mixes the lines of several commands. A line that begins with "answer: " is
    always printed.
    """
    if interrupted.is_set():
        raise KeyboardInterrupt
    arguments = [str(part) for part in command]
    LOG.parent.mkdir(parents=True, exist_ok=True)
    last: deque[str] = deque(maxlen=LINES_OF_A_FAILURE)
    with LOG.open("a", encoding="utf-8", buffering=1) as log, subprocess.Popen(
        arguments,
        env=dict(env),
        cwd=str(ROOT),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as child:
        at_work.add(child)
        try:
            log.write(f"$ {' '.join(map(shlex.quote, arguments))}\n")
            assert child.stdout is not None
            for line in child.stdout:
                log.write(line)
                last.append(line.rstrip())
                if line.startswith("answer: "):
                    say("  " + line[len("answer: ") :].rstrip())
        finally:
            at_work.discard(child)
    if child.returncode != 0 and show_failure and not interrupted.is_set():
        say("\n".join([f"  $ {' '.join(arguments)[:150]}", *last]))
        say(f"  The complete output is in {LOG}")
    return child.returncode


def must_run(
    command: Sequence[object], env: Mapping[str, str], needed: str, *remedy: str
) -> None:
    code = run(command, env)
    if code != 0:
        found = f"a command failed with exit code {code}; the lines above say why"
        raise Stop(found, needed, [RESUME, *remedy])


def output_of(command: Sequence[object], env: Mapping[str, str] | None = None) -> str:
    """Return the output of a command; empty if it cannot be run."""
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


# --- Asking Python, R and dpkg


PYTHON_PROBE = """
import json, os, sys, sysconfig
ask = sysconfig.get_config_var
library = os.path.join(ask("LIBDIR") or "", ask("INSTSONAME") or "")
shared = ".so" in library and os.path.exists(library)
print(json.dumps([sys.executable, sys.version_info[:3], shared]))
"""


def ask_python(command: str) -> PythonFacts:
    text = output_of([command, "-I", "-c", PYTHON_PROBE])
    if not text:
        raise Stop(
            f"'{command}', which does not start as a Python",
            "a Python that works",
            ["make setup PYTHON=/usr/bin/python3"],
        )
    executable, numbers, shared = json.loads(text)
    return PythonFacts(executable, tuple(numbers), shared)


R_PROBE = (
    "for (package in commandArgs(TRUE)) "
    'cat("\\nsidebyside", package, tryCatch('
    'as.character(utils::packageVersion(package)), error = function(e) "-")); '
    'cat("\\nsidebyside R", as.character(getRversion()), "\\n")'
)


def ask_r(r: str, env: Mapping[str, str]) -> dict[str, Version] | None:
    """Return versions of R and its installed packages; None if R does not run."""
    rscript = str(Path(r).with_name("Rscript"))
    text = output_of([rscript, "-e", R_PROBE, *R_PACKAGES, *R_TEST_PACKAGES], env)
    # A profile may also print something, so read only marked lines.
    found = re.findall(r"^sidebyside (\S+) (\d\S*)", text, re.MULTILINE)
    versions = {name: version(number) for name, number in found}
    return versions if "R" in versions else None


def query_dpkg(names: Sequence[str]) -> dict[str, str]:
    """Return the version of each package that is completely installed."""
    form = "${Package}\t${Version}\t${db:Status-Status}\n"
    text = output_of(["dpkg-query", "--show", f"--showformat={form}", *names])
    return dict(re.findall(r"^(.*)\t(.*)\tinstalled$", text, re.MULTILINE))


# --- Fingerprints and the stamp


def fingerprint(*parts: object) -> str:
    text = "\0".join(str(part) for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def hash_files(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        name = str(path.relative_to(ROOT))
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def sources(folder: Path) -> list[Path]:
    """Return the files of r/ or python/ that are installed: no tests, no binaries."""
    made = re.compile(r"^tests/|(^|/)(\.|build/|__pycache__/|[^/]*\.egg-info/)")
    return [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix not in (".pyc", ".so")
        and not made.search(path.relative_to(folder).as_posix())
    ]


def listing(paths: Iterable[Path]) -> str:
    """Fingerprint names and sizes of files, so that set-up notices a deleted file."""
    files = [path for path in paths if path.is_file() and path.suffix != ".pyc"]
    return fingerprint(*sorted(f"{path} {path.stat().st_size}" for path in files))


def fetched() -> str:
    data = ROOT / "data"
    return listing([*data.glob("mnist/*"), *data.glob("painted-fruits/*.json")])


class Stamp:
    """Keeps the fingerprints of all steps that are done in a small JSON file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: dict[str, str] = {}
        self.lock = threading.Lock()
        # If the file is missing or damaged, all steps have to run.
        with contextlib.suppress(OSError, ValueError):
            self.values = dict(json.loads(path.read_text()))

    def set(self, key: str, value: str) -> None:
        """Write the whole file at once, so that an interrupt keeps earlier steps."""
        with self.lock:
            self.values[key] = value
            self.path.parent.mkdir(parents=True, exist_ok=True)
            draft = self.path.with_suffix(".part")
            draft.write_text(json.dumps(self.values, indent=1) + "\n")
            os.replace(str(draft), str(self.path))


# --- Steps


@dataclass(frozen=True)
class Step:
    """One part of set-up.

    `inputs` is a fingerprint of everything the step uses, and `result` is one of the
    files it makes. The step is done if both are the same as after its last run. So it
    runs again if a source file has changed, or if a file that it made is missing. It
    waits for the steps named in `after`. If `work` returns False, the others can do
    without this step, and the next set-up tries it again.
    """

    name: str
    after: Sequence[str]
    inputs: Callable[[], str]
    work: Callable[[], bool | None]
    result: Callable[[], str] = str  # nothing

    def is_done(self, stamp: Stamp) -> bool:
        return stamp.values.get(self.name) == f"{self.inputs()} {self.result()}"

    def carry_out(self, stamp: Stamp) -> None:
        start = time.monotonic()
        # Read the inputs first: a file edited during the step then counts as changed.
        inputs = self.inputs()
        if self.work() is not False:
            stamp.set(self.name, f"{inputs} {self.result()}")
            say(f"  done in {time.monotonic() - start:4.1f} s: {self.name}")


def carry_out(steps: Sequence[Step], stamp: Stamp) -> None:
    """Run the steps that are not done, each as soon as its `after` steps are done.

    If a step fails, no new step starts, and running steps are finished.
    """
    waiting, finished = list(steps), set()
    running: dict[Future, Step] = {}
    with ThreadPoolExecutor(max_workers=len(steps)) as pool:
        try:
            while waiting or running:
                for step in [s for s in waiting if finished.issuperset(s.after)]:
                    waiting.remove(step)
                    if step.is_done(stamp):
                        finished.add(step.name)
                        break  # start again: others may have waited only for this one
                    running[pool.submit(step.carry_out, stamp)] = step
                else:
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        step = running.pop(future)
                        future.result()
                        finished.add(step.name)
        except KeyboardInterrupt:
            interrupted.set()
            for child in list(at_work):
                with contextlib.suppress(OSError):  # apt-get runs as root
                    child.terminate()
            raise


# --- Route 1: an active conda environment, and code for both routes


CHECK_PYTHON = """
import rpy2.robjects
import keras
print("answer: Python starts", rpy2.robjects.r("R.version.string")[0],
      "and has Keras", keras.__version__)
"""

CHECK_JAX = """
import jax, keras
print("answer: Keras", keras.__version__, "also runs on JAX", jax.__version__)
"""

CHECK_R = (
    "library(sidebyside); "
    'stopifnot(reticulate::py_module_available("sidebyside")); '
    "model <- keras_model_sequential(1); "
    'through <- if (dialect() == "keras3") "keras3" else '
    '"the R companion (keras3 is not needed)"; '
    'cat("\\nanswer: R starts Python", as.character(reticulate::py_version()), '
    '"and has Keras through", through, "\\n")'
)


class Environment:
    """The places and steps of set-up in a conda environment."""

    first_time = (
        "the two companions go into the active conda environment, "
        "MNIST and painted fruits into data/"
    )
    r_library: Path | None = None
    # The steps that install what the two companions need.
    before_python: Sequence[str] = ()
    before_r: Sequence[str] = ()

    def __init__(self, prefix: Path, backend: str = "") -> None:
        self.prefix = prefix
        self.backend = backend
        self.python = prefix / "bin" / "python"
        self.r = str(prefix / "bin" / "R")
        self.stamp = Stamp(prefix / "share" / "sidebyside" / "setup.json")
        self.lock_path = self.stamp.path.with_name("setup.lock")
        self.env = child_environment(os.environ, prefix, self.r_library)

    def judge_before(self) -> None:
        """Stop before the first change if we already know a reason to stop."""
        judge_python(str(self.python), ask_python(str(self.python)))
        judge_r(self.r, ask_r(self.r, self.env))

    def base(self) -> str:
        """Return a fingerprint of everything that the companions depend on."""
        records = (self.prefix / "conda-meta").glob("*.json")
        return fingerprint(ROOT, *sorted(path.name for path in records))

    def steps(self) -> list[Step]:
        python, r = sources(ROOT / "python"), sources(ROOT / "r")
        both = ["python companion", "R companion"]
        return [
            Step(
                both[0],
                self.before_python,
                lambda: fingerprint(self.base(), hash_files(python)),
                self.install_python_companion,
                # Its compiled part is easily deleted.
                lambda: listing(self.prefix.glob(f"{MODULES}/sidebyside/**/*")),
            ),
            Step(
                both[1],
                self.before_r,
                lambda: fingerprint(self.base(), hash_files(r)),
                self.install_r_companion,
            ),
            Step("data", both[:1], lambda: fingerprint(ROOT), self.fetch_data, fetched),
            Step("check Python", both[:1], self.base, self.check_python),
            Step("check R", both, self.base, self.check_r),
            *(self.steps_for_jax() if self.wants_jax() else []),
        ]

    def wants_jax(self) -> bool:
        """Return whether JAX is asked for now, or was installed by us earlier."""
        return self.backend == "jax" or "JAX" in self.stamp.values

    def steps_for_jax(self) -> list[Step]:
        return [
            Step(
                "JAX",
                ["python companion"],  # which pip installs, too
                lambda: fingerprint(self.base(), hash_files([ROOT / FOR_JAX])),
                self.install_jax,
                lambda: fingerprint(*self.prefix.glob(f"{MODULES}/jax/version.py")),
            )
        ]

    def pip_install(self, file: str, *options: str) -> int:
        """Install a list with pip; `--no-deps`, because the lists are complete."""
        pip = [self.python, "-m", "pip", "install", "--disable-pip-version-check"]
        return run(
            [*pip, "--no-deps", "--require-hashes", *options, "-r", file], self.env
        )

    def install_jax(self) -> None:
        again = "make setup BACKEND=jax"
        if self.pip_install(FOR_JAX, "--only-binary=:all:") != 0:
            raise Stop(
                f"pip could not install {FOR_JAX}; the lines above say why",
                "access to PyPI, or to the index that pip is configured for",
                [again],
            )
        env = dict(self.env, KERAS_BACKEND="jax")
        must_run([self.python, "-c", CHECK_JAX], env, "a JAX that starts here", again)

    def install_python_companion(self) -> None:
        # Not editable, because reticulate before 1.31 does not read the .pth files of
        # an editable installation, and Rscript would not find it. --no-deps, because
        # its dependencies are already installed.
        pip = [self.python, "-m", "pip", "install", "--disable-pip-version-check"]
        options = ["--quiet", "--no-deps", "--no-build-isolation", "--force-reinstall"]
        folder = ROOT / "python"
        try:
            needed = "a python/ that can be installed"
            must_run([*pip, *options, "./python"], self.env, needed)
        finally:
            # Remove setuptools' build folder: it may have files without a source.
            for leftover in [folder / "build", *folder.glob("*.egg-info")]:
                shutil.rmtree(str(leftover), ignore_errors=True)

    def install_r_companion(self) -> None:
        where = []
        if self.r_library is not None:
            self.r_library.mkdir(parents=True, exist_ok=True)
            # Left by an installation that was killed: no other set-up is running.
            for leftover in self.r_library.glob("00LOCK-*"):
                shutil.rmtree(str(leftover))
            where = [f"--library={self.r_library}"]
        command = [self.r, "CMD", "INSTALL", "--no-test-load", *where, "r"]
        must_run(command, self.env, "an r/ that can be installed")

    # Start each language from the other, so that problems are found here.

    def check_python(self) -> None:
        self.check(self.python, "-c", CHECK_PYTHON)

    def check_r(self) -> None:
        self.check(Path(self.r).with_name("Rscript"), "-e", CHECK_R)

    def check(self, *command: object) -> None:
        env = dict(self.env, KERAS_BACKEND="tensorflow")
        needed = "R, rpy2, reticulate, Python and Keras that work together"
        again = "rm -rf .venv && make setup" if self.r_library else CONDA_LINE
        must_run(command, env, needed, again)

    def fetch_data(self) -> bool:
        if run([self.python, "-m", "sidebyside.data.fetch"], self.env) == 0:
            return True
        say("  MNIST or the painted fruits are missing. Everything else works.")
        say("  To try again: make setup")
        return False


# --- Route 2: apt and a virtual environment


class AptEnvironment(Environment):
    first_time = FIRST_SET_UP
    before_python = ("rpy2",)
    before_r = ("apt R", "venv")

    def __init__(self, tests: bool = False, backend: str = "") -> None:
        self.tests = tests
        self.r_library = VENV / "r-library"
        super().__init__(VENV, backend)
        self.stamp = Stamp(VENV / "sidebyside-setup.json")
        self.lock_path = ROOT / "build" / "setup.lock"
        # If the user has another R first on PATH, use that one and do not change it.
        self.r = shutil.which("R") or "/usr/bin/R"
        self.own_r = os.path.realpath(self.r) != os.path.realpath("/usr/bin/R")
        if not self.own_r:
            self.r = "/usr/bin/R"
        # Install the few packages for Python first: pip can then work at the same time
        # as R's packages are installed.
        needed = self.listed()
        self.for_python = [name for name in needed if name.startswith("python3-")]
        self.for_r = [name for name in needed if name not in self.for_python]
        self.for_build = self.listed("build")
        self.for_tests = self.listed("tests") if tests else []
        self.optional = self.listed("tests, optional") if tests else []
        self.everything = [*needed, *self.for_build, *self.for_tests, *self.optional]
        self.present = query_dpkg(self.everything)
        self.command = python_command(os.environ, self.stamp.values.get("base python"))
        # A minimal machine may lack the distribution's Python; apt installs it.
        is_there = self.command != "/usr/bin/python3" or os.path.exists(self.command)
        self.facts = ask_python(self.command) if is_there else None

    def listed(self, mark: str = "") -> list[str]:
        names = package_list((ROOT / "apt-packages.txt").read_text(), mark)
        return [name for name in names if not (self.own_r and name.startswith("r-"))]

    def judge_before(self) -> None:
        if self.facts is not None:
            judge_python(self.command, self.facts)
        r = ask_r(self.r, self.env)
        if self.own_r:
            judge_r(self.r, r, R_PACKAGES + (R_TEST_PACKAGES if self.tests else ()))
        # If reticulate is missing, apt will install it.
        if self.facts is not None and r and "reticulate" in r:
            requirements_for(r["reticulate"], self.facts.version)

    # --- fingerprints

    def packages(self, names: Sequence[str]) -> str:
        """Fingerprint the versions of Debian's packages; upgrades change it."""
        return fingerprint(*[f"{name} {self.present.get(name)}" for name in names])

    def venv_inputs(self) -> str:
        # ROOT, because a virtual environment cannot be moved.
        return fingerprint(
            ROOT, self.facts and (self.facts.executable, self.facts.version[:2])
        )

    def venv_result(self) -> str:
        config = VENV / "pyvenv.cfg"
        # The time of writing tells a new folder from an old one. Images of containers
        # keep whole seconds only.
        return fingerprint(
            self.python.exists(), config.exists() and int(config.stat().st_mtime)
        )

    def locked(self) -> str:
        return fingerprint(
            self.venv_inputs(),
            self.venv_result(),
            hash_files([ROOT / "requirements-uv.txt", ROOT / "requirements.txt"]),
        )

    def base(self) -> str:
        return fingerprint(
            self.r,
            self.packages([*self.for_python, *self.for_r]),
            self.locked(),
            hash_files(list(ROOT.glob("requirements-numpy*.txt"))),
        )

    # --- steps

    def steps(self) -> list[Step]:
        python = ["apt python"]
        return [
            Step(
                "apt python",
                [],
                lambda: fingerprint(*self.for_python),
                self.install_for_python,
                lambda: self.packages(self.for_python),
            ),
            Step(
                "apt R",
                python,
                lambda: fingerprint(self.r, *self.for_r, *self.for_build),
                self.install_for_r,
                lambda: self.packages(self.for_r),
            ),
            Step("venv", python, self.venv_inputs, self.make_venv, self.venv_result),
            Step("requirements", ["venv"], self.locked, self.install_requirements),
            Step("rpy2", ["requirements", "apt R"], self.base, self.install_rpy2),
            *super().steps(),
            *(self.steps_for_tests() if self.tests else []),
        ]

    def steps_for_tests(self) -> list[Step]:
        return [
            Step(
                "apt tests",
                ["apt R"],
                lambda: fingerprint(self.r, *self.for_tests),
                lambda: self.apt_install(self.for_tests),
                lambda: self.packages(self.for_tests),
            ),
            Step(
                "apt browser",
                ["apt tests"],
                lambda: fingerprint(*self.optional),
                self.install_optional,
            ),
            Step(
                "requirements for tests",
                ["rpy2"],  # which also writes to .venv
                lambda: fingerprint(self.locked(), hash_files([ROOT / FOR_TESTS])),
                lambda: self.install(FOR_TESTS),
            ),
        ]

    def install_for_python(self) -> None:
        self.apt_install(self.for_python)
        self.facts = ask_python(self.command)
        judge_python(self.command, self.facts)

    def install_for_r(self) -> None:
        self.apt_install([*self.for_r, *self.for_build])
        judge_r(self.r, ask_r(self.r, self.env))

    def install_optional(self) -> None:
        try:
            self.apt_install(self.optional, show_failure=False)
        except Stop:
            say(f"  apt cannot install {' '.join(self.optional)}: continuing without.")

    def apt_install(self, wanted: Sequence[str], show_failure: bool = True) -> None:
        """Install those packages of `wanted` that are missing."""
        missing = [name for name in wanted if name not in self.present]
        if not missing:
            return
        has_sudo = shutil.which("sudo") is not None
        is_root = os.geteuid() == 0
        get = "apt-get install -y --no-install-recommends"
        lacking = [name for name in self.everything if name not in self.present]
        needed = [name for name in lacking if name not in self.optional]
        for_administrator = (
            f"{'sudo sh' if has_sudo else 'su'} -c 'apt-get update && "
            f"{get} {' '.join(needed)}"
        )
        # On its own: where there is no such package, apt-get would install nothing.
        if any(name in self.optional for name in lacking):
            for_administrator += f"; {get} {' '.join(self.optional)}"
        for_administrator += "'"
        if not (is_root or has_sudo):
            raise Stop(
                f"packages that are not installed ({', '.join(missing)}), and you are "
                "not root",
                "an administrator who types the next line once; afterwards `make "
                "setup` needs no special rights",
                [for_administrator, CONDA_LINE],
            )
        apt = [
            # sudo may ask for a password on the terminal.
            *([] if is_root else ["sudo"]),
            *("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"),
            # On a new machine the daily upgrade is often running: wait for its lock.
            *("-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=300"),
        ]
        install = [*apt, "install", "-y", "--no-install-recommends", *missing]
        # The lists of packages may be old or missing.
        run([*apt, "update"], self.env, show_failure)
        code = run(install, self.env, show_failure)
        self.present = query_dpkg(self.everything)
        if code != 0:
            raise Stop(
                f"apt-get install failed (exit code {code}); the lines above say why",
                "Debian 12 or newer, or Ubuntu 24.04 or newer with 'universe'; access "
                "to its package servers; and the right to install packages",
                [RESUME, for_administrator, CONDA_LINE],
            )

    def make_venv(self) -> None:
        """Make .venv, and replace one of another Python or from another folder."""
        assert self.facts is not None
        if (VENV / "pyvenv.cfg").exists():
            say("  .venv is incomplete, outdated, or from another Python or folder:")
            say("  it is made again.")
        must_run(
            [self.command, "-m", "venv", "--clear", VENV],
            self.env,
            "a Python that can make virtual environments",
            "make setup PYTHON=/usr/bin/python3",
        )
        self.stamp.set("base python", self.command)

    def install(self, file: str, built: str = "") -> None:
        """Install a locked list. `built` is the package in it that is compiled here.

        uv is much faster than pip. pip is used if uv has no wheel or fails.
        """
        uv, for_uv, for_pip = VENV / "bin" / "uv", [], []
        if built:
            # No build isolation, so that the build uses locked packages. No cache,
            # because its package may have been compiled against another R.
            for_uv = [f"--refresh-package={built}", f"--reinstall-package={built}"]
            for_uv.append("--no-build-isolation")
            for_pip = ["--no-cache-dir", "--force-reinstall", "--no-build-isolation"]
        settings = uv_variables(output_of([self.python, "-m", "pip", "config", "list"]))
        command = [
            *(uv, "pip", "install", "--python", self.python, "--no-deps"),
            # Use the best version of all indexes, as pip does. The hashes make it safe.
            *("--require-hashes", "--index-strategy=unsafe-best-match"),
            *("--compile-bytecode", *for_uv, "-r", file),
        ]
        # Variables that the user has set for uv come last, so they win.
        if uv.exists() and run(command, {**settings, **self.env}) == 0:
            return
        if self.pip_install(file, *for_pip) != 0:
            raise Stop(
                f"pip could not install {file}; the lines above say why",
                "access to PyPI, or to the index that pip is configured for",
                [RESUME],
            )

    def install_requirements(self) -> None:
        self.pip_install("requirements-uv.txt", "--only-binary=:all:")
        self.install("requirements.txt")

    def install_python_companion(self) -> None:
        # The compiled part (_finalizer.c) is optional. Where it cannot be compiled,
        # some rare failures of reticulate remain.
        with contextlib.suppress(Stop):
            self.apt_install(self.for_build, show_failure=False)
        super().install_python_companion()

    def install_rpy2(self) -> None:
        assert self.facts is not None
        reticulate = judge_r(self.r, ask_r(self.r, self.env))
        chosen = requirements_for(reticulate, self.facts.version)
        found = f"Python {dotted(self.facts.version)}, reticulate {dotted(reticulate)}"
        say(f"  {found}: {chosen}")
        # They may have been removed since R's packages were installed.
        self.apt_install(self.for_build)
        self.install(chosen, built="rpy2-rinterface")


def find_environment(tests: bool, backend: str) -> Environment:
    has_apt = shutil.which("apt-get") is not None
    if choose_route(os.environ, platform.system(), has_apt) == "conda":
        return Environment(Path(os.environ["CONDA_PREFIX"]), backend)
    return AptEnvironment(tests, backend)


@contextlib.contextmanager
def only_one(lock_path: Path) -> Iterator[None]:
    """Wait for another set-up. If it is killed, the system frees its lock."""
    import fcntl

    lock_path.parent.mkdir(parents=True, exist_ok=True)
    with lock_path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("Another set-up is running. Waiting until it ends ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def set_up(quiet: bool, tests: bool = False, backend: str = "") -> Environment:
    """Run the steps that are not done. `quiet`: print nothing if all are done."""
    judge_backend(backend)
    environment = find_environment(tests, backend)
    if all(step.is_done(environment.stamp) for step in environment.steps()):
        if not quiet:
            say(f"Set-up is complete: there is nothing to do. {WHAT_NEXT}")
        return environment
    with only_one(environment.lock_path):
        # Look again, because we may have waited for another set-up.
        environment = find_environment(tests, backend)
        environment.judge_before()
        start = time.monotonic()
        if not environment.stamp.values:
            say(f"Setting up in {ROOT}, once: {environment.first_time}.")
            say(f"The output of apt, pip and R is in {LOG.relative_to(ROOT)}.")
        LOG.parent.mkdir(parents=True, exist_ok=True)
        LOG.write_text("")
        carry_out(environment.steps(), environment.stamp)
        took = f"Set-up took {time.monotonic() - start:.0f} s."
        say(took if quiet else f"{took} {WHAT_NEXT}")
    return environment


def main(arguments: Sequence[str]) -> int:
    words = list(arguments)
    end = words.index("--exec") if "--exec" in words else len(words)
    command = words[end + 1 :]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tests", action="store_true")
    parser.add_argument("--backend", default="")
    options = parser.parse_args(words[:end])
    try:
        environment = set_up(bool(command), options.tests, options.backend)
        if command:
            sys.stdout.flush()
            os.chdir(str(ROOT))
            os.execvpe(command[0], command, environment.env)
    except Stop as problem:
        print(f"\n{problem}", file=sys.stderr, flush=True)
        return 1
    except PermissionError as problem:
        stop = Stop(
            f"{problem.filename}, where you may not write ({problem.strerror})",
            "a folder where you may write",
            [f"copy {ROOT} to such a folder, and set up there"],
        )
        print(f"\n{stop}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        again = "\nInterrupted. `make setup` resumes where it stopped."
        print(again, file=sys.stderr, flush=True)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
