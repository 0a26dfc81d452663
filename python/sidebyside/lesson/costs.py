"""Stop-watches for small things, in R and in Python by turns.

The notebook defines what is measured as a pair: a function of the same name
in both languages. It prepares whatever is needed and returns a function
without arguments, and only that one is timed::

    def send(n):
        x = np.arange(n)                # not timed
        return lambda: x.astype(float)  # timed

`by_turns("send", 1000)` measures R's and Python's alternately, each with the
clock of its own language, so that nothing crosses inside the clock and
whatever else the machine does disturbs both alike.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..common.colours import PYTHON, R

# Seconds that one measurement of a quick function lasts at least. R's clock
# is good to a few microseconds.
AT_LEAST = 0.01

# Factor from seconds, and the label of an axis.
UNITS = {
    "s": (1.0, "seconds"),
    "ms": (1e3, "milliseconds"),
    "us": (1e6, "microseconds"),
}


@dataclass(frozen=True)
class Turns:
    """What `by_turns()` measured.

    `r` and `python`: seconds per call, one number for each turn.
    """

    name: str
    r: np.ndarray
    python: np.ndarray

    @property
    def medians(self) -> tuple[float, float]:
        """Seconds per call in R and in Python."""
        return statistics.median(self.r), statistics.median(self.python)

    @property
    def ratio(self) -> float:
        """R's median over Python's."""
        in_r, in_python = self.medians
        return in_r / in_python


def cost(f: Callable[[], Any], times: int = 5, calls: int | None = None) -> np.ndarray:
    """Seconds that a call of `f` takes; R has the same function.

    Parameters
    ----------
    f
        A function that can be called without arguments, many times.
    times
        How often it is measured.
    calls
        Calls per measurement, of which the mean is taken. If not given, as
        many as take `AT_LEAST` seconds; finding that out is the warm-up.

    Returns
    -------
    numpy.ndarray
        Seconds per call, `times` of them.
    """
    _at_least_one("times", times)
    if calls is None:
        calls = enough_calls(f)
    _at_least_one("calls", calls)
    return np.array([_seconds(f, calls) / calls for _ in range(times)])


def enough_calls(f: Callable[[], Any]) -> int:
    """How many calls of `f` take `AT_LEAST` seconds or more."""
    calls = 1
    while (taken := _undisturbed_seconds(f, calls)) < AT_LEAST:
        # At most tenfold: the first calls of a function are its slowest.
        growth = 1.2 * AT_LEAST / max(taken, 1e-9)
        calls = int(np.ceil(calls * min(10.0, max(2.0, growth))))
    return calls


def _undisturbed_seconds(f: Callable[[], Any], calls: int) -> float:
    """Twice where it matters: another program may have had its turn."""
    taken = _seconds(f, calls)
    if AT_LEAST <= taken < 10 * AT_LEAST:
        taken = min(taken, _seconds(f, calls))
    return taken


def _seconds(f: Callable[[], Any], calls: int) -> float:
    repeats = range(calls)
    start = time.perf_counter()
    for _ in repeats:
        f()
    return time.perf_counter() - start


def _at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} is {value}, expected 1 or more.")


def by_turns(
    name: str,
    *arguments: str | float,
    times: int = 5,
    calls: int | None = None,
) -> Turns:
    """Measure R's and Python's function of this name alternately.

    Parameters
    ----------
    name
        A function of R's global environment and one of the notebook. Called
        with `arguments`, each returns the function that is timed.
    arguments
        Numbers, texts, True or False; they are the same in both languages.
    times
        Turns. Which language goes first changes from turn to turn.
    calls
        Calls per measurement, see `cost()`. With 1 there is no warm-up:
        the first turn is the first call.

    Raises
    ------
    NameError
        If one of the languages has no such function.
    RuntimeError
        If R reports an error; the message is R's.
    """
    from ..kernel.extension import collect_if_grown, memory_now

    _at_least_one("times", times)
    before = memory_now()
    in_r = _StopWatchOfR(name, arguments)
    in_python = _notebook_function(name)(*arguments)
    if calls is None:
        in_r.calls = in_r.enough_calls()
        in_python_calls = enough_calls(in_python)
    else:
        in_r.calls = in_python_calls = calls
    found: dict[str, list[float]] = {"r": [], "python": []}
    for number in range(times):
        for language in ("python", "r") if number % 2 else ("r", "python"):
            if language == "r":
                seconds = in_r.cost()
            else:
                seconds = float(cost(in_python, 1, in_python_calls)[0])
            found[language].append(seconds)
    del in_r, in_python
    collect_if_grown(before)
    return Turns(name, np.array(found["r"]), np.array(found["python"]))


class _StopWatchOfR:
    """R's `cost()` of the function that a call of `name` returns."""

    def __init__(self, name: str, arguments: tuple[str | float, ...]) -> None:
        from ..kernel import rsession

        session = rsession.current()
        if not session.has_variable(name):
            raise NameError(
                f"There is no R function {name!r}. Run the R half of the pair first."
            )
        given = ", ".join(map(r_literal, arguments))
        self._session = session
        self._name = name
        self._timed = self._run(session.evaluate, f"{name}({given})")
        self.calls = 1

    def enough_calls(self) -> int:
        f = self._session.evaluate("sidebyside:::enough_calls")
        return int(self._run(f, self._timed)[0])

    def cost(self) -> float:
        from rpy2.rinterface import IntSexpVector

        f = self._session.evaluate("sidebyside::cost")
        one, calls = IntSexpVector([1]), IntSexpVector([self.calls])
        return float(self._run(f, self._timed, one, calls)[0])

    def _run(self, f: Callable[..., Any], *arguments: Any) -> Any:
        from rpy2.rinterface_lib.embedded import RRuntimeError

        try:
            return f(*arguments)
        except RRuntimeError as error:
            raise RuntimeError(
                f"R's {self._name}() failed: {str(error).strip()}"
            ) from None


def _notebook_function(name: str) -> Callable[..., Any]:
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        raise RuntimeError(
            "by_turns() looks for functions of a notebook; there is none "
            "here. Use cost()."
        )
    if not callable(shell.user_ns.get(name)):
        raise NameError(
            f"There is no Python function {name!r}. Run the Python half of "
            "the pair first."
        )
    return shell.user_ns[name]


def r_literal(value: str | float) -> str:
    """A number, a text or a truth value as R writes it.

    Whole numbers are R's integers (`7L`) where they fit.
    """
    if isinstance(value, (bool, np.bool_)):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, np.integer)):
        return f"{value}L" if abs(value) < 2**31 else f"{value}"
    if isinstance(value, (float, np.floating)):
        special = {"inf": "Inf", "-inf": "-Inf", "nan": "NaN"}
        return special.get(repr(float(value)), repr(float(value)))
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    raise TypeError(
        f"{value!r} is {type(value).__name__}; by_turns() hands on numbers, "
        "texts, True and False"
    )


def strip(
    ax: Any, measured: Mapping[str, Turns], unit: str = "s", log: bool = False
) -> None:
    """Draw every measurement as a point, in rows; a bar for each median.

    Parameters
    ----------
    ax
        Matplotlib axes.
    measured
        Label of the row: what `by_turns()` found. From top to bottom.
    unit
        "s", "ms" or "us"; the axis says so.
    log
        Whether the axis is logarithmic.

    Raises
    ------
    ValueError
        If the unit is another one.
    """
    if unit not in UNITS:
        raise ValueError(f"unit is {unit!r}, expected {', '.join(UNITS)}")
    factor = UNITS[unit][0]
    labels = list(measured)
    for row, turns in enumerate(measured.values()):
        for values, colour, name, shift in (
            (turns.r, R, "R", -0.17),
            (turns.python, PYTHON, "Python", 0.17),
        ):
            shown = np.asarray(values) * factor
            at = np.full(len(shown), row + shift)
            label = name if row == 0 else None
            ax.plot(shown, at, "o", color=colour, alpha=0.6, label=label)
            median = statistics.median(shown)
            ends = [row + shift - 0.14, row + shift + 0.14]
            ax.plot([median, median], ends, color=colour, lw=2)
    ax.set_yticks(range(len(labels)), labels)
    ax.invert_yaxis()
    ax.set_xlabel(UNITS[unit][1])
    if log:
        ax.set_xscale("log")
    else:
        # And not a limit, which would cut off what is drawn later.
        zero = ax.axvline(0, color="grey", lw=0.8)
        zero.sticky_edges.x.append(0)
    ax.legend()
