"""R's console: run code and show its values as R's own prompt does."""

from __future__ import annotations

import contextlib
import ctypes
import platform
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from . import figures, rsession
from .advice import advice
from .interrupts import attention
from .turns import turn


class RError(Exception):
    """An error that R reported, with R's own message."""


class RInterrupted(KeyboardInterrupt):
    """The reader interrupted R."""


class _Failed(Exception):
    """R's evaluation ended early, by an error or an interrupt."""


class Console:
    """Runs cells in R's global environment, expression by expression.

    rpy2's functions wrap an evaluation in their own calls, which then appear in
    errors, warnings and `sys.calls()`. They also let R print an error before we can
    read it. R's `R_tryEvalSilent()` evaluates at top level and keeps the message.
    """

    # R is stopped after this many questions of a cell without an answer.
    PATIENCE = 5

    # How many more times to check whether the page just begun shows something.
    looks = 0

    # Functions of the R companion. We keep them, because the reader may define
    # others with these names.
    NEEDS = (
        "read_cell",
        "showing",
        "keep_last_value",
        "left_sleep",
        "error_line",
        "first_error",
        "was_silent",
        "drawn_pages",
        "prepare_pictures",
        "begin_pictures",
        "close_devices",
        "end_pictures",
    )

    def __init__(self) -> None:
        import rpy2.rinterface as rinterface
        import rpy2.situation
        from rpy2.rinterface_lib import conversion, openrlib

        self._r, self._conversion, self._rpy2 = rinterface, conversion, openrlib
        path = rpy2.situation.get_rlib_path(openrlib.R_HOME, platform.system())
        library = ctypes.CDLL(path)
        self._evaluate = library.R_tryEvalSilent
        self._evaluate.restype = ctypes.c_void_p
        self._evaluate.argtypes = [ctypes.c_void_p] * 3
        self._evaluate = turn.evaluating(self._evaluate)
        self._message = library.R_curErrorBuf
        self._message.restype = ctypes.c_char_p
        self._session = rsession.current()
        self._companion = {
            name: self._session.evaluate(f"sidebyside:::{name}") for name in self.NEEDS
        }
        self._abort = self._session.evaluate('quote(invokeRestart("abort"))')
        self._companion["prepare_pictures"]()

    def run(
        self, code: str, show: Callable | None = None, *, keep: bool = False
    ) -> Any:
        """Run a cell's code and show its values.

        Parameters
        ----------
        code
            All lines of the cell, so that R's line numbers are those of the cell.
        show
            Function that shows the last value, if R would show it. By default it
            is shown as R does.
        keep
            Whether the code is inside a line of Python. The last value is then
            returned and not shown, and an error has no line number.

        Raises
        ------
        RError
            With R's message and the line.
        RInterrupted
            If the reader interrupted it.
        """
        self._rpy2.rlib.R_interrupts_pending = 0  # left over from earlier code
        calls = self._companion["read_cell"](code)
        if calls.typeof == self._r.RTYPES.STRSXP:
            raise RError(calls[0])
        attention.interrupted = False
        number, answer = 0, None
        self._unanswered = 0
        self._session.forget_error()
        try:
            for number, call in enumerate(calls, 1):
                if number > 1:
                    self.show_pictures(now=True)
                last = number == len(calls)
                answer = self._run_one(call, show if last else None, keep and last)
        except KeyboardInterrupt:
            raise RInterrupted from None
        # Functions of the companion raise the second one.
        except (_Failed, self._r.embedded.RRuntimeError):
            raise self._problem(number, attention.interrupted, not keep) from None
        return answer[0] if answer and keep else None

    def _run_one(self, call: Any, show: Callable | None, keep: bool) -> Any:
        with self._rpy2.rlock:
            found = self._try(call, self._r.globalenv)
            answer = self._conversion._cdata_to_rinterface(found)
        self._companion["keep_last_value"](answer)
        if answer[1][0] and show:
            show(answer[0])
        elif answer[1][0] and not keep:
            self._try(*self._companion["showing"](answer))
        self._print_warnings()
        return answer

    def _print_warnings(self) -> None:
        """Print the warnings that R has collected.

        R prints them when it returns to its prompt, also after an error. (Its
        `.Internal(printDeferredWarnings())` would add "In addition: ".)
        """
        turn.stopped = False
        with contextlib.suppress(_Failed):
            self._try(self._abort, self._r.baseenv)
        if turn.stopped:  # `_abort` always fails, so the failure says nothing.
            raise KeyboardInterrupt

    def _try(self, call: Any, environment: Any) -> Any:
        """Evaluate at top level, and return a pointer that R does not protect."""
        failed = ctypes.c_int(0)
        with self._rpy2.rlock:
            found = self._evaluate(
                self._address(call), self._address(environment), ctypes.byref(failed)
            )
        if failed.value:
            raise _Failed
        return self._rpy2.ffi.cast("SEXP", found)

    def _address(self, value: Any) -> int:
        return int(self._rpy2.ffi.cast("uintptr_t", value.__sexp__._cdata))

    def _problem(self, number: int, interrupted: bool, located: bool) -> BaseException:
        """Return the exception for an evaluation that ended early."""
        said = self._message().decode(errors="replace")
        slept = self._companion["left_sleep"](said)[0]
        line = self._companion["error_line"](number, said)[0]
        message = clean_message(said)
        if interrupted or slept or is_interrupt(message):
            return RInterrupted()
        if self._companion["was_silent"]()[0]:
            message = "Error: see R's message above."
        elif "infer the shape of the Lambda's output" in message:
            message = f"Error: {self._companion['first_error']()[0]}"
        if located:
            message = with_line(message, line)
        return RError("\n".join(filter(None, [message, advice(message)])))

    def stop(self) -> None:
        """Tell R to stop the next time that it checks for an interrupt."""
        self._rpy2.rlib.R_interrupts_pending = 1

    def stopping(self) -> bool:
        return bool(self._rpy2.rlib.R_interrupts_pending)

    def note_unanswered(self) -> None:
        """Stop R if it keeps asking, as menu() does."""
        self._unanswered += 1
        if self._unanswered == self.PATIENCE:
            self.stop()

    # --- pictures

    def begin_pictures(self, device: Any, **arguments: Any) -> None:
        """Turn whatever the next code draws into pictures.

        Parameters
        ----------
        device
            rpy2's `GraphicsDevice`: a function of R that writes files.
        arguments
            Arguments of that function, such as `width`, as rpy2's vectors.
        """
        self._shown: dict[str, bytes] = {}
        Console.looks = 0
        self._companion["begin_pictures"](
            device.package, device.name, device.extension, **arguments
        )

    def show_pictures(self, now: bool = False) -> None:
        """Show the complete pictures; with `now`, the unfinished ones, too."""
        pages = self._companion["drawn_pages"](now)
        if len(pages):
            self.show_pages(pages.names, pages)

    def show_pages(self, names: Iterable[str], files: Iterable[str]) -> None:
        """Show files: each one replaces the picture that has its name."""
        for name, file in zip(names, files, strict=True):
            picture = Path(file).read_bytes()
            before = self._shown.get(name)
            if picture != before and not figures.is_blank(picture):
                figures.show(picture, Path(file).suffix, name, update=bool(before))
                self._shown[name] = picture
                Console.looks = 0

    def begin_page(self, names: Iterable[str], files: Iterable[str]) -> None:
        """Show the pages before a new one, so that later text comes after them."""
        self.show_pages(names, files)
        Console.looks = 50

    def end_pictures(self) -> None:
        """Show the last pictures."""
        self._companion["close_devices"]()
        self.show_pictures()
        self._companion["end_pictures"]()


@cache
def current() -> Console:
    """Return the console of this process."""
    return Console()


def write(text: str) -> None:
    """Print what R writes to its console, with messages and warnings.

    Everything goes to one stream, as in a terminal, because this is the only way to
    keep the order. We do not flush: the kernel sends the text at short intervals. A
    picture is shown before any text that is written after it.
    """
    if Console.looks:
        Console.looks -= 1
        with contextlib.suppress(Exception):  # The text is more important.
            current().show_pictures(now=True)
    sys.stdout.write(text)


def flush_without_waiting_for_itself(streams: Sequence[Any]) -> None:
    """Let flush() return at once in a thread that is just writing or flushing.

    Twice a second reticulate flushes stdout and stderr in the main thread, wherever
    that is: also within a write() to one of them, or within a flush(). ipykernel's
    flush() then waits ten seconds for a thread that needs the lock which the main
    thread holds. What is not flushed now is sent soon by that thread.
    """
    locks = [getattr(stream, "_buffer_lock", None) for stream in streams]
    if not all(hasattr(lock, "_is_owned") for lock in locks):
        return  # not ipykernel's streams
    flushing: set[int] = set()

    def prepared(flush: Callable[[], None]) -> Callable[[], None]:
        def flush_now() -> None:
            me = threading.get_ident()
            if me in flushing or any(lock._is_owned() for lock in locks):
                return
            flushing.add(me)
            try:
                flush()
            finally:
                flushing.discard(me)

        return flush_now

    for stream in streams:
        if "flush" not in vars(stream):
            stream.flush = prepared(stream.flush)


def read(prompt: str) -> str:
    """Return the line that R reads from its console: the reader's answer, or ""."""
    if current().stopping():  # A loop may ask often before R notices the interrupt.
        return ""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return input(prompt)
    except KeyboardInterrupt:
        current().stop()
    except Exception:  # The front end cannot ask, as when a notebook is executed.
        write(f"{prompt}\nNobody can answer here, so R got an empty answer.\n")
        if prompt == "Selection: ":  # menu() asks until it gets a number.
            return "0"
        current().note_unanswered()
    finally:
        signal.signal(signal.SIGINT, before)
    return ""


def clean_message(message: str) -> str:
    """Return R's message without the parts that reticulate adds."""
    message = re.sub(r"\n*Run `reticulate::py_last_error\(\)`.*", "", message)
    # The reader did not call reticulate's internal function.
    message = re.sub(r"^Error in py_\w+_impl\(.*?\) : +\n? *", "Error: ", message)
    # Each crossing between R and Python adds one of these, and an empty line.
    return re.sub(r"(RuntimeError: )\1+", r"\1", message).rstrip("\n")


def with_line(message: str, line: int) -> str:
    """Return R's message with the line of the cell, in R's own form."""
    for before, after in {"Error: ": ": ", "Error in ": ", "}.items():
        if message.startswith(before):
            return f"Error in line {line}{after}{message.removeprefix(before)}"
    return f"Line {line}: {message}"  # another language


def is_interrupt(message: str) -> bool:
    """Return whether R was interrupted, in its own code or in Python code it called.

    R's own message is then empty, and Python's names its exception.
    """
    return not message or bool(re.search(r"(^|: |\s)KeyboardInterrupt:?\s*$", message))
