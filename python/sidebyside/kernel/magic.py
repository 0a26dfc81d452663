"""``%%R``: run R code in a cell."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import sys
from argparse import Namespace
from collections.abc import Callable
from contextvars import ContextVar
from itertools import takewhile
from types import TracebackType

import psutil

from . import console, rsession
from .console import RError, RInterrupted, is_interrupt
from .interrupts import call_of_keras
from .turns import module

# Growth of the process, in bytes, that is worth a garbage collection (30 ms).
COLLECT_AFTER = 16_000_000

# Pictures have the size of matplotlib's (6 x 4 inches).
WIDTH, HEIGHT, RESOLUTION = 6.0, 4.0, 96

# A size without a unit is in pixels from here on, as in rpy2, and in inches below.
FEWEST_PIXELS = 30


def register(shell) -> None:
    import rpy2.robjects as ro
    from IPython.core.magic_arguments import parse_argstring
    from rpy2.ipython import rmagic
    from rpy2.rinterface_lib import callbacks, conversion

    callbacks.consolewrite_print = callbacks.consolewrite_warnerror = console.write
    callbacks.consoleread = console.read
    # For text that is not UTF-8, rpy2 would print a traceback instead.
    conversion._cchar_to_str_with_maxlen = _decode
    # A new thread starts without rpy2's conversion rules (rpy2 issue #965), so that
    # ro.r() would fail in it.
    rules = ro.conversion.get_conversion()
    ro.conversion.converter_ctx = ContextVar("converter", default=rules)

    class SideBySideMagics(rmagic.RMagics):
        """rpy2's ``%R``, which runs a cell as R's console would."""

        _memory = memory_now()

        Rpush, Rpull, Rget = map(
            _explain_errors,
            (rmagic.RMagics.Rpush, rmagic.RMagics.Rpull, rmagic.RMagics.Rget),
        )

        @_explain_errors
        @functools.wraps(rmagic.RMagics.R)  # IPython keeps its options there
        def R(self, line, cell=None, local_ns=None):
            args = parse_argstring(self.R, line)
            names = local_ns or {}
            converter = self._find_converter(args.converter, names)
            with converter.context():
                for name in listed(args.input):
                    self._import_name_into_r(name, ro.globalenv, names)
            value = self._run(args, cell, self._display(args, names))
            with converter.context() as conversions:
                for name in listed(args.output):
                    self.shell.push({name: ro.globalenv.find(name)})
                if cell is None and not args.noreturn and not is_null(value):
                    return conversions.rpy2py(value)
                return None

        def _run(self, args, cell, show):
            # `%%R` is line 1, so that R's line numbers are those of the cell.
            code = " ".join(args.code) + ("" if cell is None else "\n" + cell)
            r = console.current()
            name = args.graphics_device or self.options.graphics_device_name
            r.begin_pictures(rmagic.get_valid_device(name)[1], **picture_options(args))
            try:
                return r.run(code, show, keep=cell is None)
            finally:
                r.end_pictures()
                self._memory = collect_if_grown(self._memory)

        def _display(self, args, names):
            if args.display:
                function = rmagic._find(args.display, {**self.shell.user_ns, **names})
                return lambda value: function(value, args)

    shell.register_magics(SideBySideMagics)
    shell.set_custom_exc((RError, KeyboardInterrupt), _show_error)


def _explain_errors(magic: Callable) -> Callable:
    """Explain wrong options of a magic in one sentence, without rpy2's traceback."""
    from IPython.core.error import UsageError
    from rpy2.rinterface_lib.embedded import RRuntimeError

    @functools.wraps(magic)
    def wrapped(*arguments, **named):
        try:
            return magic(*arguments, **named)
        except (
            LookupError,
            NameError,
            AttributeError,
            TypeError,
            ValueError,
            NotImplementedError,
        ) as error:
            said = str(error.args[0] if error.args else type(error)).rstrip(".")
            where = " in R" if isinstance(error, KeyError) else ""
            raise UsageError(f"%{magic.__name__}: {said}{where}.") from None
        except RRuntimeError as error:  # from a function of the companion
            said = str(error).strip()
            # Before and after the reader's code, the pictures are set up and shown.
            if is_interrupt(said):
                raise RInterrupted from None
            raise RError(said) from None

    return wrapped


def is_null(value: object) -> bool:
    """Return whether R returned NULL or was not called."""
    from rpy2.rinterface import NULL

    return value is None or isinstance(value, type(NULL))


def listed(names: list[str] | None) -> list[str]:
    """Return the names in `-i a,b -i c`."""
    return ",".join(names).split(",") if names else []


def picture_options(args: Namespace) -> dict[str, object]:
    """Return arguments for R's png(): the size in inches, and dots per inch.

    Without a unit, a large number means pixels, as in rpy2. A small number means
    inches, because nobody wants a picture of six pixels.
    """
    from rpy2.rinterface import FloatSexpVector, IntSexpVector, StrSexpVector

    resolution = args.res or RESOLUTION
    per_inch = {"px": resolution, "in": 1, "cm": 2.54, "mm": 25.4}

    def inches(size: float | None, default: float) -> FloatSexpVector:
        unit = args.units or ("px" if size and size >= FEWEST_PIXELS else "in")
        return FloatSexpVector([size / per_inch[unit] if size else default])

    options = {
        "width": inches(args.width, WIDTH),
        "height": inches(args.height, HEIGHT),
        "units": StrSexpVector(["in"]),
        "res": IntSexpVector([resolution]),
    }
    if args.pointsize:
        options["pointsize"] = IntSexpVector([args.pointsize])
    if args.bg:
        options["bg"] = StrSexpVector([args.bg])
    return options


def memory_now() -> int:
    """Return the resident memory of this process in bytes."""
    return psutil.Process().memory_info().rss


def collect_if_grown(before: int) -> int:
    """Let R collect garbage if the process has grown since `before`.

    R collects when *R's* memory grows. If R holds the last reference to a Python
    array, R counts only a few bytes, and the array would stay for a long time.
    """
    if memory_now() - before > COLLECT_AFTER:
        rsession.current().evaluate("invisible(gc())")
    return memory_now()


def give_back(*_: object) -> None:
    """Give memory that has been freed back to the system, at the end of a cell.

    The C library keeps tens of megabytes for later. It takes a millisecond.
    """
    with contextlib.suppress(AttributeError, OSError):  # only the GNU C library
        ctypes.CDLL(None).malloc_trim(0)


def _decode(characters, size: int, encoding: str) -> str:
    """Decode R's output. rpy2 has no option for text in another encoding."""
    from rpy2.rinterface_lib import openrlib

    return openrlib.ffi.string(characters, size).decode(encoding, "replace")


def _show_error(shell, kind, error, traceback, tb_offset=None):
    """Show an R error as its message, and an interrupt without frames of libraries.

    rpy2's frames say nothing about R. Formatting TensorFlow's frames can take ten
    seconds, and IPython does it a second time for its history.
    """
    if not issubclass(kind, (RError, RInterrupted)):
        error.with_traceback(_before_keras(traceback))
        shell.showtraceback((kind, error, error.__traceback__), tb_offset)
        sys.last_traceback = traceback  # for %debug
        return None
    if issubclass(kind, RInterrupted):
        kind, error = KeyboardInterrupt, KeyboardInterrupt("R was interrupted.")
    shown = [str(error)]
    shell._showtraceback(kind, error, shown)
    return shown


def _before_keras(traceback: TracebackType | None) -> TracebackType | None:
    """Cut a traceback where the reader's code called Keras or TensorFlow.

    Frames of this package, which handles the interrupt, are also left out.
    """
    places = []
    while traceback is not None:
        places.append(traceback)
        traceback = traceback.tb_next
    call = call_of_keras([each.tb_frame for each in reversed(places)])
    before = takewhile(lambda each: each.tb_frame is not call, places)
    for each in reversed(list(before)):
        if not module(each.tb_frame).startswith(f"{__package__}."):
            traceback = TracebackType(
                traceback, each.tb_frame, each.tb_lasti, each.tb_lineno
            )
    return traceback
