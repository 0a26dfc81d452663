"""Start R inside this process, once and in the right order."""

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

# The width in characters that fits half a screen, for code and for output.
COLUMNS = 60

# R's own limit of the stack, in bytes, for systems that set no limit.
LARGEST_STACK = 100_000_000

NO_R = (
    "R was not found: it is not on PATH, and R_HOME is not set. `make setup` in "
    "the project's folder installs it."
)


class RUnavailable(RuntimeError):
    """R cannot be started. The message says what to do."""


def prepare_environment() -> None:
    """Set environment variables, which must be done before Keras and R are loaded.

    Variables that the reader has set stay as they are.
    """
    defaults = {
        "KERAS_BACKEND": "tensorflow",
        # TensorFlow's messages from C++ would fill every first cell. At "2" one
        # harmless message is left that sounds like a failure ("remapper failed", if
        # a leaky relu follows a convolution). Important errors are exceptions.
        "TF_CPP_MIN_LOG_LEVEL": "3",
        # TensorFlow's own allocator never gives memory back. Every data set that has
        # been in it would take its place until the kernel ends.
        "TF_ONEDNN_USE_SYSTEM_ALLOCATOR": "1",
        # R must use the interpreter that it runs in, and not look for another.
        "RETICULATE_PYTHON": sys.executable,
        # At each start, reticulate >= 1.44 would check packages that set-up has
        # already installed.
        "RETICULATE_CHECK_REQUIRED_PACKAGES": "0",
        # These make Keras's tables as wide as half a screen. Keras uses the terminal's
        # width minus 4; rich, which draws the tables, uses the notebook's.
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
    """Return the library into which `make setup` installed the R companion, or None."""
    library = Path(sys.prefix) / "r-library"
    return library if library.is_dir() else None


@contextlib.contextmanager
def without_profiles() -> Iterator[None]:
    """Let R processes that are started in this block ignore all .Rprofile files.

    rpy2 starts two R processes to ask for settings
    (`r_ld_library_path_from_subprocess()`, `_getrenvvars()`). If a profile fails in
    them, rpy2 fails without saying why. R in this process does read the profiles,
    and continues after an error in them, as its console does.
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
                f"The Python package rpy2 cannot be loaded ({error}). `make setup` "
                "in the project's folder installs it."
            ) from error
        except Exception as error:
            # Raised on import, or only now if rpy2 was compiled for its R.
            if isinstance(error, ValueError) or "R_HOME" in str(error):
                raise RUnavailable(NO_R) from error
            raise RUnavailable(f"R did not start: {error}") from error
        self._r = rinterface
        self._executable = sys.executable
        self._check_the_stack()
        self._look_for_interrupts()
        self._remove_exit_handler()

    def _check_the_stack(self) -> None:
        """Let R stop a recursion before the stack is full, as usual.

        rpy2 switches this check off because of threads (`_DEFAULT_C_STACK_LIMIT` in
        its embedded.py). A fifth of the stack is left for functions that R calls.
        """
        from rpy2.rinterface_lib import openrlib

        size, _ = resource.getrlimit(resource.RLIMIT_STACK)
        if not 0 < size < LARGEST_STACK:
            size = LARGEST_STACK
        openrlib.rlib.R_CStackLimit = size * 4 // 5

    def _look_for_interrupts(self) -> None:
        """Let R look for interrupts ten times a second while it waits.

        An interrupt may come just before R waits with its own handler, as in
        Sys.sleep() or on a socket.
        """
        from rpy2.rinterface_lib import openrlib

        openrlib.rlib.R_wait_usec = 100_000

    def _remove_exit_handler(self) -> None:
        """Remove rpy2's exit handler.

        If reticulate is in the same process, ending R properly crashes after all
        work is done (reticulate 1.28) or hangs (1.46). For the reader it would
        only remove R's temporary folder, so we do that here.
        """
        from rpy2.rinterface_lib import embedded, openrlib

        atexit.unregister(embedded.endr)
        atexit.register(shutil.rmtree, self.text("tempdir()"), True)
        # R looks for events once more when Python is already shutting down.
        library, null = openrlib.rlib, openrlib.ffi.NULL
        atexit.register(setattr, library, "ptr_R_ProcessEvents", null)
        atexit.register(self._stop_reticulates_calls)

    def _stop_reticulates_calls(self) -> None:
        """Keep reticulate's thread from calling Python.

        The thread never ends. Every half second it asks Python to look for R's
        events. About once in fifty times it did so while Python was shutting down,
        and the process ended with a segmentation fault after all work was done.
        """
        # A function that does nothing and returns 0, which means success.
        self._replace_pending_call(ctypes.CDLL(None).isatty)

    def _let_threads_free_r_objects(self) -> None:
        """Let Python free any number of R's objects in another thread.

        Without the compiled helper, more than 32 at once would stop the kernel. See
        _finalizer.c.
        """
        # The helper may be missing, or not have been compiled again yet.
        with contextlib.suppress(ImportError, AttributeError):
            helper = importlib.import_module("sidebyside.kernel._finalizer")
            library = ctypes.CDLL(helper.__file__)
            self._replace_pending_call(library.sidebyside_call_later)

    def _replace_pending_call(self, function: Any) -> None:
        """Let reticulate call this function of C instead of Py_AddPendingCall()."""
        path = self.text(
            'local({ found <- getLoadedDLLs()[["reticulate"]]; '
            'if (is.null(found)) "" else found[["path"]] })'
        )
        if not path:
            return
        # Other versions of reticulate may not have this pointer.
        with contextlib.suppress(OSError, ValueError):
            call = ctypes.c_void_p.in_dll(ctypes.CDLL(path), PENDING_CALL)
            call.value = ctypes.cast(function, ctypes.c_void_p).value

    def evaluate(self, code: str) -> Any:
        """Evaluate R code and return rpy2's low-level object."""
        return self._r.evalr(code)

    def text(self, code: str) -> str:
        """Evaluate R code that returns one string."""
        return str(self.evaluate(code)[0])

    def forget_error(self) -> None:
        """Empty R's last error message.

        In some versions of R an interrupt sets no message, so we would take an
        earlier error's message for its own.
        """
        self.evaluate('.Internal(seterrmessage(""))')

    def attach_companion(self) -> None:
        """Run library(sidebyside), and connect reticulate to this interpreter."""
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
        self._let_threads_free_r_objects()
        turn.guard_reticulate()
        # reticulate replaces sys.executable and adds the working folder to sys.path.
        # Restore both, because child processes and imports need them.
        sys.executable = self._executable
        if sys.path and sys.path[0] == "":
            sys.path.pop(0)

    def make_finalizer_safe(self) -> None:
        """Make an old reticulate hold Python's lock while it frees Python objects.

        Call it before reticulate is loaded; `attach_companion()` does. Raises
        `RUnavailable` if the compiled helper is missing. See _finalizer.c.
        """
        found = self.text('as.character(packageVersion("reticulate"))')
        if Version(found) >= Version(versions.RETICULATE_WITH_SAFE_FINALIZER):
            return
        flags = sys.getdlopenflags()
        try:
            # RTLD_GLOBAL makes its symbols visible to libraries loaded later.
            sys.setdlopenflags(flags | os.RTLD_GLOBAL)
            finalizer = importlib.import_module("sidebyside.kernel._finalizer")
        except ImportError as error:
            raise RUnavailable(
                f"reticulate {found} needs a small compiled helper to run inside "
                "Python, and the helper was not built. Install a C compiler and "
                "python3-dev, then run `make setup`."
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
        """Return whether R's global environment has a variable of this name."""
        return name in self._r.globalenv

    def variables(self) -> list[str]:
        """Return the names in R's global environment."""
        return list(self._r.globalenv)

    def call(self, function: str, *arguments: str) -> Any:
        """Call a function of the R companion with strings."""
        called = self.evaluate(f"sidebyside:::{function}")
        return called(*(self._r.StrSexpVector([a]) for a in arguments))

    def facts(self) -> dict[str, str]:
        """Return the versions that R sees (the companion's `r_facts()`)."""
        found = self.call("r_facts")
        return dict(zip(found.names, found, strict=True))


@cache
def current() -> RSession:
    """Return this process's R, and start it at the first call.

    Raises `RUnavailable`, which says what to install.
    """
    return RSession()


def is_started() -> bool:
    """Return whether `current()` has started R."""
    return current.cache_info().currsize > 0
