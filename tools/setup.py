"""Set up R and Python for the notebooks, once.

    python3 tools/setup.py                      set up what is missing
    python3 tools/setup.py --exec COMMAND ...   the same, then run COMMAND there

There are two routes. On Debian and Ubuntu R comes from apt (apt-packages.txt) and
Python's packages go into .venv from the locked lists. Inside an active conda
environment made from environment.yml only the two companions are installed. On
anything else set-up stops, before it has changed anything, with one message: what was
found, what is needed, what to type.

Every step leaves a fingerprint of what it depended on in a stamp file. A step runs
again only when its fingerprint changes, so a second set-up takes a fraction of a
second. Steps that do not need each other run at the same time.

What is decided is in setup_decisions.py, what is done is here. Both use the standard
library only and run on Python 3.8, because they are started by whatever python3 the
machine has, and a Python that is too old deserves a sentence.
"""

from __future__ import annotations

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
    PythonFacts,
    Stop,
    Version,
    choose_route,
    dotted,
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
    # Another Python's modules must not be taken for the pinned ones.
    env.pop("PYTHONHOME", None)
    env.pop("PYTHONPATH", None)
    env["PYTHONNOUSERSITE"] = "1"
    env["PATH"] = os.pathsep.join([str(prefix / "bin"), env.get("PATH", os.defpath)])
    # reticulate looks at this first; newer ones would otherwise build their own Python.
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
    """Whether the user's locale exists and is UTF-8; else R prints <U+00E9> for é."""
    try:
        locale.setlocale(locale.LC_ALL, "")
    except locale.Error:
        return False
    # Python has turned C and POSIX into C.UTF-8, for its children too (PEP 538).
    return "utf-8" in locale.nl_langinfo(locale.CODESET).lower()


# The commands at work, so that an interruption ends them all.
at_work: set[subprocess.Popen] = set()
interrupted = threading.Event()


def run(
    command: Sequence[object], env: Mapping[str, str], show_failure: bool = True
) -> int:
    """Run a command; its output goes to build/setup.log.

    If it fails, its last lines are shown here: nobody reads two thousand lines of apt
    and pip, and those of several commands are mixed in the log. A line that begins
    with "answer: " is shown in any case.
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
        say(f"  Everything that was printed: {LOG}")
    return child.returncode


def must_run(
    command: Sequence[object], env: Mapping[str, str], needed: str, *remedy: str
) -> None:
    code = run(command, env)
    if code != 0:
        found = f"a command ended with code {code}; the lines above say why"
        raise Stop(found, needed, [RESUME, *remedy])


def output_of(command: Sequence[object], env: Mapping[str, str] | None = None) -> str:
    """Standard output of a question; empty if the command cannot be run."""
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
            f"'{command}', which does not run as a Python",
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
    """Versions of R and of its packages that are there; None if this R does not run."""
    rscript = str(Path(r).with_name("Rscript"))
    text = output_of([rscript, "-e", R_PROBE, *R_PACKAGES], env)
    # A profile may print something of its own, so only marked lines count.
    found = re.findall(r"^sidebyside (\S+) (\d\S*)", text, re.MULTILINE)
    versions = {name: version(number) for name, number in found}
    return versions if "R" in versions else None


def query_dpkg(names: Sequence[str]) -> dict[str, str]:
    """Version of each package that is fully installed."""
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
    """The files of r/ or python/ that are installed: no tests, nothing compiled."""
    made = re.compile(r"^tests/|(^|/)(\.|build/|__pycache__/|[^/]*\.egg-info/)")
    return [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix not in (".pyc", ".so")
        and not made.search(path.relative_to(folder).as_posix())
    ]


def listing(paths: Iterable[Path]) -> str:
    """Names and sizes of files, so that set-up notices if something was deleted."""
    files = [path for path in paths if path.is_file() and path.suffix != ".pyc"]
    return fingerprint(*sorted(f"{path} {path.stat().st_size}" for path in files))


def fetched() -> str:
    data = ROOT / "data"
    return listing([*data.glob("mnist/*"), *data.glob("painted-fruits/*.json")])


class Stamp:
    """Remembers, in a small JSON file, what each step was done with."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: dict[str, str] = {}
        self.lock = threading.Lock()
        # A file that is absent or cut off: everything is still to do.
        with contextlib.suppress(OSError, ValueError):
            self.values = dict(json.loads(path.read_text()))

    def set(self, key: str, value: str) -> None:
        """Write at once and in one piece: an interruption leaves earlier steps done."""
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

    `inputs` is a fingerprint of what the step works from, `result` one of what it
    leaves behind. The step is done if both are what they were when it was last carried
    out: so it runs again when a source file changes, and when what it made is lost. It
    waits for the steps named in `after`. If `work` returns False, the rest works
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
        # The inputs are read first: what is edited while the step runs is not done.
        inputs = self.inputs()
        if self.work() is not False:
            stamp.set(self.name, f"{inputs} {self.result()}")
            say(f"  done in {time.monotonic() - start:4.1f} s: {self.name}")


def carry_out(steps: Sequence[Step], stamp: Stamp) -> None:
    """Carry out what is not done, each step as soon as those before it are finished.

    When one fails, no other is begun; those at work come to their end.
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
                        break  # look again: others may have waited for this one only
                    running[pool.submit(step.carry_out, stamp)] = step
                else:
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        step = running.pop(future)
                        future.result()
                        finished.add(step.name)
        except KeyboardInterrupt:
            interrupted.set()
            for child in list(at_work):
                with contextlib.suppress(OSError):  # apt-get belongs to root
                    child.terminate()
            raise


# --- Route 1: an active conda environment; and what both routes share


CHECK_PYTHON = """
import rpy2.robjects
import keras
print("answer: Python starts", rpy2.robjects.r("R.version.string")[0],
      "and has Keras", keras.__version__)
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
    """Where things go in a conda environment, and the steps."""

    first_time = (
        "the two companions go into the active conda environment, "
        "MNIST and painted fruits into data/"
    )
    r_library: Path | None = None
    # The steps that bring what the two companions need.
    before_python: Sequence[str] = ()
    before_r: Sequence[str] = ()

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self.python = prefix / "bin" / "python"
        self.r = str(prefix / "bin" / "R")
        self.stamp = Stamp(prefix / "share" / "sidebyside" / "setup.json")
        self.lock_path = self.stamp.path.with_name("setup.lock")
        self.env = child_environment(os.environ, prefix, self.r_library)

    def judge_before(self) -> None:
        """Stop for everything that is known before the first change is made."""
        judge_python(str(self.python), ask_python(str(self.python)))
        judge_r(self.r, ask_r(self.r, self.env))

    def base(self) -> str:
        """Fingerprint of what the companions depend on."""
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
                # Its compiled part is easily cleaned away.
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
        ]

    def install_python_companion(self) -> None:
        # Not editable: reticulate before 1.31 does not read the .pth files of such an
        # installation, so Rscript would not find it. Its dependencies are installed.
        pip = [self.python, "-m", "pip", "install", "--disable-pip-version-check"]
        options = ["--quiet", "--no-deps", "--no-build-isolation", "--force-reinstall"]
        folder = ROOT / "python"
        try:
            needed = "a python/ that can be installed"
            must_run([*pip, *options, "./python"], self.env, needed)
        finally:
            # What setuptools built there would be packed again, without its source.
            for leftover in [folder / "build", *folder.glob("*.egg-info")]:
                shutil.rmtree(str(leftover), ignore_errors=True)

    def install_r_companion(self) -> None:
        where = []
        if self.r_library is not None:
            self.r_library.mkdir(parents=True, exist_ok=True)
            # Left by an installation that was killed: we hold the lock.
            for leftover in self.r_library.glob("00LOCK-*"):
                shutil.rmtree(str(leftover))
            where = [f"--library={self.r_library}"]
        command = [self.r, "CMD", "INSTALL", "--no-test-load", *where, "r"]
        must_run(command, self.env, "an r/ that can be installed")

    # Start one language from the other, so that a fault shows here first.

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
        say("  MNIST or the painted fruits are missing; everything else works.")
        say("  `make setup` tries again.")
        return False


# --- Route 2: apt and a virtual environment


class AptEnvironment(Environment):
    first_time = FIRST_SET_UP
    before_python = ("rpy2",)
    before_r = ("apt R", "venv")

    def __init__(self) -> None:
        self.r_library = VENV / "r-library"
        super().__init__(VENV)
        self.stamp = Stamp(VENV / "sidebyside-setup.json")
        self.lock_path = ROOT / "build" / "setup.lock"
        # An R that the user put before the distribution's is taken, and left as it is.
        self.r = shutil.which("R") or "/usr/bin/R"
        self.own_r = os.path.realpath(self.r) != os.path.realpath("/usr/bin/R")
        if not self.own_r:
            self.r = "/usr/bin/R"
        listed, self.optional = package_list((ROOT / "apt-packages.txt").read_text())
        needed = [name for name in listed if not (self.own_r and name.startswith("r-"))]
        # Python's few come first: its other packages can then arrive beside R.
        self.for_python = [name for name in needed if name.startswith("python3-")]
        self.for_r = [name for name in needed if name not in self.for_python]
        self.present = query_dpkg([*needed, *self.optional])
        self.command = python_command(os.environ, self.stamp.values.get("base python"))
        # A very bare machine may lack the distribution's Python; apt brings it.
        is_there = self.command != "/usr/bin/python3" or os.path.exists(self.command)
        self.facts = ask_python(self.command) if is_there else None

    def judge_before(self) -> None:
        if self.facts is not None:
            judge_python(self.command, self.facts)
        r = ask_r(self.r, self.env)
        if self.own_r:
            judge_r(self.r, r)
        # Without reticulate here, apt is going to bring one.
        if self.facts is not None and r and "reticulate" in r:
            requirements_for(r["reticulate"], self.facts.version)

    # --- fingerprints

    def packages(self, names: Sequence[str]) -> str:
        """Debian's packages as they are: an upgrade changes this, a removal too."""
        return fingerprint(*[f"{name} {self.present.get(name)}" for name in names])

    def venv_inputs(self) -> str:
        # ROOT, because a virtual environment cannot be moved.
        return fingerprint(
            ROOT, self.facts and (self.facts.executable, self.facts.version[:2])
        )

    def venv_result(self) -> str:
        config = VENV / "pyvenv.cfg"
        # When it was written tells a folder made anew from the old one.
        return fingerprint(
            self.python.exists(), config.exists() and config.stat().st_mtime_ns
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
                lambda: fingerprint(self.r, *self.for_r),
                self.install_for_r,
                lambda: self.packages(self.for_r),
            ),
            Step(
                "apt browser",
                ["apt R"],
                lambda: fingerprint(*self.optional),
                self.install_optional,
            ),
            Step("venv", python, self.venv_inputs, self.make_venv, self.venv_result),
            Step("requirements", ["venv"], self.locked, self.install_requirements),
            Step("rpy2", ["requirements", "apt R"], self.base, self.install_rpy2),
            *super().steps(),
        ]

    def install_for_python(self) -> None:
        self.apt_install(self.for_python)
        self.facts = ask_python(self.command)
        judge_python(self.command, self.facts)

    def install_for_r(self) -> None:
        self.apt_install(self.for_r)
        judge_r(self.r, ask_r(self.r, self.env))

    def install_optional(self) -> None:
        try:
            self.apt_install(self.optional, show_failure=False)
        except Stop:
            say(f"  Going on without {' '.join(self.optional)}, which apt cannot give.")

    def apt_install(self, wanted: Sequence[str], show_failure: bool = True) -> None:
        """Install what is missing of `wanted`."""
        missing = [name for name in wanted if name not in self.present]
        if not missing:
            return
        everything = [*self.for_python, *self.for_r, *self.optional]
        has_sudo = shutil.which("sudo") is not None
        is_root = os.geteuid() == 0
        for_administrator = (
            f"{'sudo sh' if has_sudo else 'su'} -c 'apt-get update && "
            "apt-get install -y --no-install-recommends "
            f"{' '.join(name for name in everything if name not in self.present)}'"
        )
        if not (is_root or has_sudo):
            raise Stop(
                f"{', '.join(missing)} not installed, and you are not root here",
                "an administrator who types the next line, once; after it "
                "`make setup` needs no rights",
                [for_administrator, CONDA_LINE],
            )
        apt = [
            # sudo asks on the terminal for a password if it wants one.
            *([] if is_root else ["sudo"]),
            *("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"),
            # On a fresh machine the daily upgrade is often at work: wait for its lock.
            *("-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=300"),
        ]
        install = [*apt, "install", "-y", "--no-install-recommends", *missing]
        # The package lists may be old, or not be there at all.
        run([*apt, "update"], self.env, show_failure)
        code = run(install, self.env, show_failure)
        self.present = query_dpkg(everything)
        if code != 0:
            raise Stop(
                f"apt-get install ended with code {code}; the lines above say why",
                "Debian 12 or newer, or Ubuntu 24.04 or newer with 'universe'; its "
                "packages within reach; and the right to install them",
                [RESUME, for_administrator, CONDA_LINE],
            )

    def make_venv(self) -> None:
        """Make .venv, also where one of another Python or place is in the way."""
        assert self.facts is not None
        if (VENV / "pyvenv.cfg").exists():
            say("  .venv is unfinished, or of another Python or place: made again.")
        must_run(
            [self.command, "-m", "venv", "--clear", VENV],
            self.env,
            "a Python that can make virtual environments",
            "make setup PYTHON=/usr/bin/python3",
        )
        self.stamp.set("base python", self.command)

    def pip_install(self, file: str, *options: str) -> int:
        """With pip; `--no-deps`, because the locked lists name everything."""
        pip = [self.python, "-m", "pip", "install", "--disable-pip-version-check"]
        return run(
            [*pip, "--no-deps", "--require-hashes", *options, "-r", file], self.env
        )

    def install(self, file: str, built: str = "") -> None:
        """Install a locked list; `built`: the package of it that is compiled here.

        uv is much quicker than pip, which takes over where uv has no wheel or fails.
        """
        uv, for_uv, for_pip = VENV / "bin" / "uv", [], []
        if built:
            # Not apart from the pinned packages: what a build takes is locked. And not
            # from a cache: that one may have been compiled against another R.
            for_uv = [f"--refresh-package={built}", f"--reinstall-package={built}"]
            for_uv.append("--no-build-isolation")
            for_pip = ["--no-cache-dir", "--force-reinstall", "--no-build-isolation"]
        settings = uv_variables(output_of([self.python, "-m", "pip", "config", "list"]))
        command = [
            *(uv, "pip", "install", "--python", self.python, "--no-deps"),
            # As pip does: the best of all indexes. The hashes make that safe.
            *("--require-hashes", "--index-strategy=unsafe-best-match"),
            *("--compile-bytecode", *for_uv, "-r", file),
        ]
        # What was set for uv itself has the last word.
        if uv.exists() and run(command, {**settings, **self.env}) == 0:
            return
        if self.pip_install(file, *for_pip) != 0:
            raise Stop(
                f"pip could not install {file}; the lines above say why",
                "PyPI, or the index that pip is configured for, within reach",
                [RESUME],
            )

    def install_requirements(self) -> None:
        self.pip_install("requirements-uv.txt", "--only-binary=:all:")
        self.install("requirements.txt")

    def install_rpy2(self) -> None:
        assert self.facts is not None
        reticulate = judge_r(self.r, ask_r(self.r, self.env))
        chosen = requirements_for(reticulate, self.facts.version)
        found = f"Python {dotted(self.facts.version)}, reticulate {dotted(reticulate)}"
        say(f"  {found}: {chosen}")
        self.install(chosen, built="rpy2-rinterface")


def find_environment() -> Environment:
    has_apt = shutil.which("apt-get") is not None
    if choose_route(os.environ, platform.system(), has_apt) == "conda":
        return Environment(Path(os.environ["CONDA_PREFIX"]))
    return AptEnvironment()


@contextlib.contextmanager
def only_one(lock_path: Path) -> Iterator[None]:
    """Wait for another set-up; the system frees the lock of one that was killed."""
    import fcntl

    lock_path.parent.mkdir(parents=True, exist_ok=True)
    with lock_path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("Another set-up is at work; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def set_up(quiet: bool) -> Environment:
    """Do what is outstanding. `quiet`: say nothing if that is nothing."""
    environment = find_environment()
    if all(step.is_done(environment.stamp) for step in environment.steps()):
        if not quiet:
            say(f"Set-up is complete; nothing to do. {WHAT_NEXT}")
        return environment
    with only_one(environment.lock_path):
        # The set-up that we may have waited for has changed things.
        environment = find_environment()
        environment.judge_before()
        start = time.monotonic()
        if not environment.stamp.values:
            say(f"Setting up in {ROOT}, once: {environment.first_time}.")
            say(f"What apt, pip and R print goes to {LOG.relative_to(ROOT)}.")
        LOG.parent.mkdir(parents=True, exist_ok=True)
        LOG.write_text("")
        carry_out(environment.steps(), environment.stamp)
        took = f"Set-up took {time.monotonic() - start:.0f} s."
        say(took if quiet else f"{took} {WHAT_NEXT}")
    return environment


def main(arguments: Sequence[str]) -> int:
    if arguments and arguments[0] != "--exec":
        say(__doc__ or "")
        return 2
    command = arguments[1:]
    try:
        environment = set_up(quiet=bool(command))
        if command:
            sys.stdout.flush()
            os.chdir(str(ROOT))
            os.execvpe(command[0], list(command), environment.env)
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
        again = "\nInterrupted. `make setup` resumes where it stopped."
        print(again, file=sys.stderr, flush=True)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
