"""``%load_ext sidebyside``: R in the kernel, ready to be used."""

from __future__ import annotations

import _thread
import contextlib
import functools
import importlib
import re
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

import psutil

from ..common import collector
from . import figures, preflight, quiet, rsession, style

# Growth of the process, in bytes, that is worth a collection (30 ms).
COLLECT_AFTER = 64_000_000


def load(shell) -> None:
    """Start R, load ``%%R``, attach the R companion, say what was found.

    Raises `IPython.core.error.UsageError` (a message without a traceback)
    that names what is missing and how to get it.
    """
    from IPython.core.error import UsageError

    rsession.prepare_environment()
    try:
        preflight.require_python_packages()
        with collector.paused():
            session = _start_both()
    except rsession.RUnavailable as problem:
        raise UsageError(f"sidebyside: {problem}") from None
    _register_magic(shell)
    _give_figures_their_text(shell)
    session.call("prepare_session")
    print(preflight.one_line(session))
    style.show(shell)


def _start_both() -> rsession.RSession:
    """R with its companion, and Keras.

    Keras takes seconds to import, R half a second to start, and what
    reticulate needs of R another one. rpy2 lets Python go on while R works,
    so they load together; what may print is not among it until R runs.
    """
    with ThreadPoolExecutor(max_workers=1) as beside:
        silent = beside.submit(_import_what_keras_needs)
        # Importing rpy2 starts an R to ask where its libraries are, and waits.
        session = rsession.current()
        preflight.require_r(session)
        silent.result()
        keras = beside.submit(quiet.load_keras, list_devices=True)
        session.load_ahead()
        keras.result()
    session.attach_companion()
    return session


def _import_what_keras_needs() -> None:
    """The largest of the modules that Keras imports and that print nothing.

    What goes wrong here goes wrong again where it is used, and is reported
    there.
    """
    for name in ("pandas", "matplotlib.pyplot", "h5py"):
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def unload(shell) -> None:
    """Take the hooks off. R itself stays in the process."""
    shell.display_pub.unregister_hook(figures.add_alt_text)
    shell.events.unregister("pre_run_cell", figures.forget_pending)


def _give_figures_their_text(shell) -> None:
    publisher = shell.display_pub
    if not hasattr(publisher, "register_hook"):
        return  # plain IPython in a terminal, which shows no pictures
    # Once: a second hook would give one picture the text of the next.
    publisher.unregister_hook(figures.add_alt_text)
    publisher.register_hook(figures.add_alt_text)
    shell.events.register("pre_run_cell", figures.forget_pending)


class RError(Exception):
    """An error that R reported, with R's own message."""


class RInterrupted(KeyboardInterrupt):
    """The reader stopped R."""


def _register_magic(shell) -> None:
    from rpy2.ipython import rmagic
    from rpy2.rinterface_lib._rinterface_capi import RParsingError

    class SideBySideMagics(rmagic.RMagics):
        """rpy2's ``%%R``, with R's errors shown as R shows them."""

        def eval(self, code):
            attention = Interrupts()
            session = rsession.current()
            session.forget_error()
            try:
                with attention:
                    text, *answer = super().eval(code)
                    return clean_warnings(text), *answer
            except rmagic.RInterpreterError as error:
                message = clean_message(error.err)
                shown = error.stdout.replace(error.err, "").strip()
                if shown:
                    print(shown)
                call = session.text('c(unlist(.traceback(max.lines = 1)), "")[1]')
                if attention.interrupted or is_interrupt(message, call):
                    raise RInterrupted from None
                raise RError(message) from None
            except RParsingError:
                found = session.call("parse_problem", code)
                raise RError(str(found[0])) from None

        @functools.wraps(rmagic.RMagics.R)  # with what IPython noted on it
        def R(self, line, cell=None, local_ns=None):
            try:
                return super().R(line, cell=cell, local_ns=local_ns)
            finally:
                self._memory = collect_if_grown(self._memory)

        _memory = memory_now()

    device = rmagic.get_valid_device(rmagic.default.graphics_device_name)[1]
    options = device._options_new_device
    # As large as matplotlib's figures (6 x 4 inches).
    options.width, options.height, options.units = 6.0, 4.0, "in"
    options.res = 96
    shell.register_magics(SideBySideMagics)
    shell.set_custom_exc((RError, RInterrupted), _show_r_error)


def memory_now() -> int:
    """Resident memory of this process in bytes."""
    return psutil.Process().memory_info().rss


def collect_if_grown(before: int) -> int:
    """Have R collect its garbage if the process has grown since `before`.

    R collects when *R's* memory grows. A Python array that R holds the last
    reference to is a few bytes to R, and would stay for long.
    """
    if memory_now() - before > COLLECT_AFTER:
        rsession.current().evaluate("invisible(gc())")
    return memory_now()


def clean_message(message: str) -> str:
    """R's message without what rpy2 and reticulate add."""
    # An error at the top level of a cell: rpy2's call of eval() shows.
    message = re.sub(
        r"^Error in \(function \(expr, envir = parent\.frame\(\).*? :\s+",
        "Error: ",
        message.strip(),
        flags=re.DOTALL,
    )
    message = re.sub(r"\n*Run `reticulate::py_last_error\(\)`.*", "", message)
    return message.strip()


def is_interrupt(message: str, call: str) -> bool:
    """Whether R ended by an interrupt, by the message and the innermost call it left.

    `Sys.sleep()` has a handler of its own, so Python may not hear of the signal.
    R then gives no message, and what is left is none (`RSession.forget_error()`) or
    that of an earlier error of the cell, which `try()` caught. Python code that R
    called leaves its exception.
    """
    if not message or re.search(r"(^|: |\s)KeyboardInterrupt:?\s*$", message):
        return True
    # An error of its own names the call.
    return call.startswith("Sys.sleep(") and call not in message


def clean_warnings(text: str) -> str:
    """R's warnings as R shows them at its own prompt."""
    # "In addition" to what? To an error that another cell may have had.
    text = re.sub(r"^In addition: (?=Warning)", "", text, flags=re.MULTILINE)
    # A warning at the top level of a cell: rpy2's call of eval() shows.
    return re.sub(
        r"^(\d+: )?In \(function \(expr, envir = parent\.frame\(\).* :\n  ",
        r"\1",
        text,
        flags=re.MULTILINE,
    )


class Interrupts:
    """Ctrl-C, or the kernel's stop button, while R is at work.

    In Python code that R has called (a `fit()`) the interrupt is Python's: a
    KeyboardInterrupt that comes back through R as an error. In R's own code it
    reaches Python only in what R calls of rpy2 (a look for events, the console),
    where an exception would be lost, so R is told instead.

    Twice a second reticulate stops the Python code that R has called, looks for R's
    events and flushes Python's output. An interrupt at that moment is lost, too, so it
    is repeated while that code goes on.
    """

    # Seconds in which code that has heard of an interrupt should have ended.
    PATIENCE = 1.0

    def __init__(self) -> None:
        self.interrupted = False
        self._again = threading.Timer(self.PATIENCE, self._repeat)

    def __enter__(self) -> Interrupts:
        self._before = signal.getsignal(signal.SIGINT)
        self._in_main_thread = threading.current_thread() is threading.main_thread()
        if self._in_main_thread:
            signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *problem: object) -> None:
        self._again.cancel()
        if self._in_main_thread:
            signal.signal(signal.SIGINT, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        from rpy2.rinterface_lib import openrlib

        self.interrupted = True
        frames = _frames(frame)
        openrlib.rlib.R_interrupts_pending = int(_within_r(frames))
        called = [each for each in frames if not _module(each).startswith("rpy2.")]
        if called:
            self._again.cancel()
            self._again = threading.Timer(self.PATIENCE, self._repeat, called[-1:])
            self._again.start()
        if not _within_r(frames):
            raise KeyboardInterrupt

    def _repeat(self, called: FrameType) -> None:
        """Interrupt what R called, if it goes on; not while it looks for events."""
        main = threading.main_thread().ident
        while called in (frames := _frames(sys._current_frames().get(main))):
            if not _within_r(frames):
                _thread.interrupt_main()
                return
            time.sleep(0.01)


def _frames(frame: FrameType | None) -> list[FrameType]:
    """A frame and those that called it, up to the cell's own."""
    found = []
    while frame is not None and frame.f_globals is not globals():
        found.append(frame)
        frame = frame.f_back
    return found


def _module(frame: FrameType) -> str:
    return frame.f_globals.get("__name__", "")


def _within_r(frames: list[FrameType]) -> bool:
    return "rpy2.rinterface_lib.callbacks" in map(_module, frames)


def _show_r_error(shell, kind, error, traceback, tb_offset=None):
    """In place of a traceback through rpy2, which says nothing of R."""
    if kind is RInterrupted:
        kind, error = KeyboardInterrupt, KeyboardInterrupt("R was stopped.")
    shown = [str(error)]
    shell._showtraceback(kind, error, shown)
    return shown
