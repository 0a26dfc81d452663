"""``%%R``: R code in a cell."""

from __future__ import annotations

import functools
import sys
from argparse import Namespace
from collections.abc import Callable
from contextvars import ContextVar
from itertools import takewhile
from types import TracebackType

import psutil

from . import console, rsession
from .console import RError, RInterrupted
from .interrupts import call_of_keras
from .turns import module

# Growth of the process, in bytes, that is worth a collection (30 ms).
COLLECT_AFTER = 64_000_000

# A picture is as large as matplotlib's (6 x 4 inches).
WIDTH, HEIGHT, RESOLUTION = 6.0, 4.0, 96

# Of a size without a unit: below are inches, from here on pixels, as in rpy2.
FEWEST_PIXELS = 30


def register(shell) -> None:
    import rpy2.robjects as ro
    from IPython.core.magic_arguments import parse_argstring
    from rpy2.ipython import rmagic
    from rpy2.rinterface_lib import callbacks, conversion

    callbacks.consolewrite_print = callbacks.consolewrite_warnerror = console.write
    callbacks.consoleread = console.read
    # rpy2 loses a text that is not UTF-8, and logs a traceback.
    conversion._cchar_to_str_with_maxlen = _decode
    # A new thread begins without rpy2's rules (its issue #965), so ro.r() fails there.
    rules = ro.conversion.get_conversion()
    ro.conversion.converter_ctx = ContextVar("converter", default=rules)

    class SideBySideMagics(rmagic.RMagics):
        """rpy2's ``%R``, with a cell run as R's console would run it."""

        _memory = memory_now()

        Rpush, Rpull, Rget = map(
            _in_a_sentence,
            (rmagic.RMagics.Rpush, rmagic.RMagics.Rpull, rmagic.RMagics.Rget),
        )

        @_in_a_sentence
        @functools.wraps(rmagic.RMagics.R)  # with what IPython noted on it
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
            # R counts lines as the reader does: `%%R` stands on the first.
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


def _in_a_sentence(magic: Callable) -> Callable:
    """Show what is wrong with the options of a magic without frames of rpy2."""
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
        except RRuntimeError as error:  # of a function of the companion
            raise RError(str(error).strip()) from None

    return wrapped


def is_null(value: object) -> bool:
    """Whether R has given nothing, or has not been asked."""
    from rpy2.rinterface import NULL

    return value is None or isinstance(value, type(NULL))


def listed(names: list[str] | None) -> list[str]:
    """The names of `-i a,b -i c`."""
    return ",".join(names).split(",") if names else []


def picture_options(args: Namespace) -> dict[str, object]:
    """What R's png() is given: inches, and dots an inch.

    Without a unit a large number means pixels, as rpy2 takes it, and a small one
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


def _decode(characters, size: int, encoding: str) -> str:
    """What R writes; rpy2 has no way to say what to do with other encodings."""
    from rpy2.rinterface_lib import openrlib

    return openrlib.ffi.string(characters, size).decode(encoding, "replace")


def _show_error(shell, kind, error, traceback, tb_offset=None):
    """Of an error in R its message; of an interrupt where the reader's code was.

    rpy2's frames say nothing of R. To format TensorFlow's can take ten seconds, and
    IPython does it once more for its history.
    """
    if not issubclass(kind, (RError, RInterrupted)):
        error.with_traceback(_before_keras(traceback))
        shell.showtraceback((kind, error, error.__traceback__), tb_offset)
        sys.last_traceback = traceback  # for %debug
        return None
    if issubclass(kind, RInterrupted):
        kind, error = KeyboardInterrupt, KeyboardInterrupt("R was stopped.")
    shown = [str(error)]
    shell._showtraceback(kind, error, shown)
    return shown


def _before_keras(traceback: TracebackType | None) -> TracebackType | None:
    """A traceback down to where the reader's code called Keras or TensorFlow.

    Without frames of this package, which hears of the interrupt.
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
