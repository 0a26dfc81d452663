"""``%%R``: R code in a cell."""

from __future__ import annotations

import functools
import re

import psutil

from . import rsession
from .interrupts import attention

# Growth of the process, in bytes, that is worth a collection (30 ms).
COLLECT_AFTER = 64_000_000


class RError(Exception):
    """An error that R reported, with R's own message."""


class RInterrupted(KeyboardInterrupt):
    """The reader stopped R."""


def register(shell) -> None:
    from rpy2.ipython import rmagic
    from rpy2.rinterface_lib._rinterface_capi import RParsingError

    class SideBySideMagics(rmagic.RMagics):
        """rpy2's ``%%R``, with R's errors shown as R shows them."""

        def eval(self, code):
            attention.interrupted = False
            session = rsession.current()
            session.forget_error()
            try:
                text, *answer = super().eval(code)
                return clean_warnings(text), *answer
            except KeyboardInterrupt:
                raise RInterrupted from None
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


def _show_r_error(shell, kind, error, traceback, tb_offset=None):
    """In place of a traceback through rpy2, which says nothing of R."""
    if kind is RInterrupted:
        kind, error = KeyboardInterrupt, KeyboardInterrupt("R was stopped.")
    shown = [str(error)]
    shell._showtraceback(kind, error, shown)
    return shown
