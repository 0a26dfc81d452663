"""R inside this process, started once and in the right order."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import importlib
import os
import resource
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from packaging.version import Version

from ..common import versions
from .turns import turn

# reticulate's own pointer to Py_AddPendingCall(), as C++ names it.
PENDING_CALL = "_ZN10reticulate9libpython17Py_AddPendingCallE"

# What fits half a screen, in code and in output.
COLUMNS = 60

# R's own limit where the system sets none, in bytes.
LARGEST_STACK = 100_000_000

NO_R = (
    "R was not found: there is no R on PATH and R_HOME is not set. `make "
    "setup` in the project's folder installs it."
)


class RUnavailable(RuntimeError):
    """R cannot be started; the message says what to do."""


def prepare_environment() -> None:
    """Settings that must stand before Keras and R are first loaded.

    What the reader has set stays.
    """
    defaults = {
        "KERAS_BACKEND": "tensorflow",
        # TensorFlow's remarks from C++ would fill every first cell. At "2" one
        # is left that sounds like a failure and is none ("remapper failed",
        # where a leaky relu follows a convolution). Errors that matter come
        # as exceptions.
        "TF_CPP_MIN_LOG_LEVEL": "3",
        # R has to join the interpreter it runs in, and not look for another.
        "RETICULATE_PYTHON": sys.executable,
        # reticulate >= 1.44 would check, at each start, packages that
        # set-up has installed already.
        "RETICULATE_CHECK_REQUIRED_PACKAGES": "0",
        # Keras's tables fill half a screen: it asks for the terminal's width and
        # takes 4 less; what draws them (rich) asks for the notebook's.
        "COLUMNS": str(COLUMNS + 4),
        "JUPYTER_COLUMNS": str(COLUMNS),
        "MATPLOTLIBRC": str(Path(__file__).with_name("matplotlibrc")),
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    library = r_library()
    known = [path for path in os.environ.get("R_LIBS", "").split(os.pathsep) if path]
    if library is not None and str(library) not in known:
        os.environ["R_LIBS"] = os.pathsep.join([*known, str(library)])


def r_library() -> Path | None:
    """The library that `make setup` put the R companion in, if it is there."""
    library = Path(sys.prefix) / "r-library"
    return library if library.is_dir() else None


@contextlib.contextmanager
def without_profiles() -> Iterator[None]:
    """Have an R that is started meanwhile read neither .Rprofile nor a site's.

    rpy2 starts two to ask for settings (`r_ld_library_path_from_subprocess()`,
    `_getrenvvars()`), and fails without a reason if a profile does. In this process
    R reads the profiles, and goes on after an error in them, as its console does.
    """
    names = ("R_PROFILE", "R_PROFILE_USER")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, os.devnull))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class RSession:
    """The one R of this process."""

    def __init__(self) -> None:
        prepare_environment()
        try:
            with without_profiles():
                turn.guard_rpy2()
                import rpy2.rinterface as rinterface
            rinterface._getrenvvars = without_profiles()(rinterface._getrenvvars)
            rinterface.initr()
        except ImportError as error:
            raise RUnavailable(
                f"rpy2 cannot be loaded ({error}). `make setup` in the "
                "project's folder installs it."
            ) from error
        except Exception as error:
            # On import, or later where rpy2 was compiled for its R.
            if isinstance(error, ValueError) or "R_HOME" in str(error):
                raise RUnavailable(NO_R) from error
            raise RUnavailable(f"R did not start: {error}") from error
        self._r = rinterface
        self._executable = sys.executable
        self._check_the_stack()
        self._look_for_interrupts()
        self._leave_quietly()

    def _check_the_stack(self) -> None:
        """Have R stop a recursion before the stack is full, as it does by itself.

        rpy2 switches the check off (`_DEFAULT_C_STACK_LIMIT` in its embedded.py) for
        the sake of threads. A fifth is left for what R calls.
        """
        from rpy2.rinterface_lib import openrlib

        size, _ = resource.getrlimit(resource.RLIMIT_STACK)
        if not 0 < size < LARGEST_STACK:
            size = LARGEST_STACK
        openrlib.rlib.R_CStackLimit = size * 4 // 5

    def _look_for_interrupts(self) -> None:
        """Have R that waits (Sys.sleep(), sockets) look ten times a second.

        An interrupt may come just before R waits with a handler of its own.
        """
        from rpy2.rinterface_lib import openrlib

        openrlib.rlib.R_wait_usec = 100_000

    def _leave_quietly(self) -> None:
        """Take rpy2's exit handler off.

        With reticulate in the same process R's orderly end crashes after
        success (reticulate 1.28) or hangs (1.46). What it would have done for
        the reader is to remove R's temporary folder, so that is done here.
        """
        from rpy2.rinterface_lib import embedded, openrlib

        atexit.unregister(embedded.endr)
        atexit.register(shutil.rmtree, self.text("tempdir()"), True)
        # R looks for events once more while Python is already shutting down.
        library, null = openrlib.rlib, openrlib.ffi.NULL
        atexit.register(setattr, library, "ptr_R_ProcessEvents", null)
        atexit.register(self._let_reticulate_rest)

    def _let_reticulate_rest(self) -> None:
        """Have reticulate's thread call Python no more.

        It asks Python every half a second to look for R's events, and has no
        end. Once in some fifty times it asked while Python was shutting down,
        after all was done, and the process ended with a segmentation fault.
        """
        path = self.text(
            'local({ found <- getLoadedDLLs()[["reticulate"]]; '
            'if (is.null(found)) "" else found[["path"]] })'
        )
        if not path:
            return
        # Another reticulate may have no such pointer, and other ways.
        with contextlib.suppress(OSError, ValueError):
            call = ctypes.c_void_p.in_dll(ctypes.CDLL(path), PENDING_CALL)
            # A function that does nothing and says 0, as for "it is noted".
            nothing = ctypes.CDLL(None).isatty
            call.value = ctypes.cast(nothing, ctypes.c_void_p).value

    def evaluate(self, code: str) -> Any:
        """Evaluate R code and return rpy2's low-level object."""
        return self._r.evalr(code)

    def text(self, code: str) -> str:
        """Evaluate R code that gives one string."""
        return str(self.evaluate(code)[0])

    def forget_error(self) -> None:
        """Empty R's last error message.

        An interrupt sets none in some releases of R, and the message of an
        earlier error would be taken for its own.
        """
        self.evaluate('.Internal(seterrmessage(""))')

    def load_ahead(self) -> None:
        """Load the slow part of reticulate (R's Matrix, 0.7 s) by itself.

        Nothing in it sets environment variables, so Keras may be imported
        in another thread at the same time.
        """
        from rpy2.rinterface_lib import openrlib

        # R asks rpy2 for events all the time, which waits for Python's lock,
        # which the other thread holds: the two would take turns.
        library = openrlib.rlib
        look_for_events = library.ptr_R_ProcessEvents
        library.ptr_R_ProcessEvents = openrlib.ffi.NULL
        try:
            self.evaluate('requireNamespace("Matrix", quietly = TRUE)')
        finally:
            library.ptr_R_ProcessEvents = look_for_events

    def attach_companion(self) -> None:
        """library(sidebyside), and reticulate joined to this interpreter."""
        for package, what in {
            "reticulate": "R package reticulate",
            "sidebyside": "R companion (R package sidebyside)",
        }.items():
            if not self._has_package(package):
                raise RUnavailable(
                    f"The {what} is not installed. `make setup` in the project's "
                    "folder installs it."
                )
        self.make_finalizer_safe()
        self.evaluate("suppressPackageStartupMessages(library(sidebyside))")
        problem = self.text("sidebyside:::attach_problem()")
        if problem:
            raise RUnavailable(f"Keras cannot be loaded from R: {problem}")
        self.evaluate("reticulate::py_available(initialize = TRUE)")
        turn.guard_reticulate()
        # reticulate replaces sys.executable and adds the working folder to
        # sys.path; child processes and imports want them as they were.
        sys.executable = self._executable
        if sys.path and sys.path[0] == "":
            sys.path.pop(0)

    def make_finalizer_safe(self) -> None:
        """Have an old reticulate free Python objects with Python's lock.

        Call it before reticulate is loaded; `attach_companion()` does. Raises
        `RUnavailable` if the compiled helper is missing. See _finalizer.c.
        """
        found = self.text('as.character(packageVersion("reticulate"))')
        if Version(found) >= Version(versions.RETICULATE_WITH_SAFE_FINALIZER):
            return
        flags = sys.getdlopenflags()
        try:
            # Visible to libraries loaded later, which is the point of it.
            sys.setdlopenflags(flags | os.RTLD_GLOBAL)
            finalizer = importlib.import_module("sidebyside.kernel._finalizer")
        except ImportError as error:
            raise RUnavailable(
                f"reticulate {found} needs a small compiled helper to live "
                "inside Python, and it was not built (is there a C compiler, "
                "and python3-dev?). `make setup` builds it."
            ) from error
        finally:
            sys.setdlopenflags(flags)
        library = ctypes.CDLL(self.text('file.path(R.home("lib"), "libR.so")'))
        function = ctypes.cast(library.R_ExternalPtrAddr, ctypes.c_void_p)
        finalizer.use(function.value)

    def _has_package(self, name: str) -> bool:
        code = f'nzchar(system.file(package = "{name}"))'
        return bool(self.evaluate(code)[0])

    def has_variable(self, name: str) -> bool:
        """Whether R's global environment has a variable of this name."""
        return name in self._r.globalenv

    def variables(self) -> list[str]:
        """The names in R's global environment."""
        return list(self._r.globalenv)

    def call(self, function: str, *arguments: str) -> Any:
        """Call a function of the R companion with strings."""
        called = self.evaluate(f"sidebyside:::{function}")
        return called(*(self._r.StrSexpVector([a]) for a in arguments))

    def facts(self) -> dict[str, str]:
        """Versions as R sees them (the companion's `r_facts()`)."""
        found = self.call("r_facts")
        return dict(zip(found.names, found, strict=True))


@cache
def current() -> RSession:
    """The R of this process, started when it is first asked for.

    Raises `RUnavailable` with what to install.
    """
    return RSession()


def is_started() -> bool:
    """Whether `current()` has started R."""
    return current.cache_info().currsize > 0
