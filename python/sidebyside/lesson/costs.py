"""Time quick calls, in R and in Python by turns.

The notebook defines a pair: a function of the same name in both languages. It
prepares whatever is needed, and returns a function without arguments. Only that
one is timed::

    def send(n):
        x = np.arange(n)                # not timed
        return lambda: x.astype(float)  # timed

`by_turns("send", 1000)` measures R's and Python's function alternately, so that
other programs on the machine disturb both equally. Each is measured with its own
language's clock, so that the time contains no call between the languages.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..common.colours import PYTHON, R
from ..common.errors import Sentence, stoppable
from .compare import WrongUse, require_names, session_with, value_in_python

# One measurement of a quick function takes at least this many seconds. R's clock
# is accurate to a few microseconds.
AT_LEAST = 0.01

# For each unit: the factor from seconds, and the label of the axis.
UNITS = {
    "s": (1.0, "seconds"),
    "ms": (1e3, "milliseconds"),
    "us": (1e6, "microseconds"),
}


class RFailed(Sentence, RuntimeError):
    """R reported an error while it was measured."""


@dataclass(frozen=True)
class Turns:
    """The result of `by_turns()`.

    `r` and `python`: seconds per call, one number for each turn.
    """

    name: str
    r: np.ndarray
    python: np.ndarray

    @property
    def medians(self) -> tuple[float, float]:
        """Return the median seconds per call, in R and in Python."""
        return statistics.median(self.r), statistics.median(self.python)

    @property
    def ratio(self) -> float:
        """Return R's median divided by Python's."""
        in_r, in_python = self.medians
        return in_r / in_python


def cost(f: Callable[[], Any], times: int = 5, calls: int | None = None) -> np.ndarray:
    """Measure the seconds that a call of `f` takes. R has the same function.

    Parameters
    ----------
    f
        A function that can be called without arguments, many times.
    times
        Number of measurements.
    calls
        Calls per measurement; the measurement is their mean. The default is as
        many as take `AT_LEAST` seconds. Finding this number is the warm-up.

    Returns
    -------
    numpy.ndarray
        Seconds per call, `times` of them.
    """
    if not callable(f):
        raise WrongUse(f"cost() got a {type(f).__name__}; expected a function.")
    if calls is None:
        calls = enough_calls(f)
    if times < 1 or calls < 1:
        raise WrongUse(f"times is {times} and calls is {calls}; expected 1 or more.")
    return np.array([_seconds(f, calls) / calls for _ in range(times)])


def enough_calls(f: Callable[[], Any]) -> int:
    """Find how many calls of `f` take `AT_LEAST` seconds or more."""
    calls = 1
    while True:
        taken = _seconds(f, calls)
        if AT_LEAST <= taken < 10 * AT_LEAST:
            # Measure once more, because another program may have been running.
            taken = min(taken, _seconds(f, calls))
        if taken >= AT_LEAST:
            return calls
        calls *= 3


def _seconds(f: Callable[[], Any], calls: int) -> float:
    repeats = range(calls)
    start = time.perf_counter()
    for _ in repeats:
        f()
    return time.perf_counter() - start


@stoppable
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
        Name of a function in R's global environment and of one in the notebook.
        Called with `arguments`, each returns the function that is timed.
    arguments
        Numbers, texts, True or False, the same in both languages.
    times
        Number of turns. The language that goes first changes with each turn.
    calls
        Calls per measurement, see `cost()`. With 1 there is no warm-up, so the
        first turn measures the first call.

    Raises
    ------
    NoVariable
        If one of the languages has no such function. It is a NameError.
    RFailed
        If R reports an error. The message is R's.
    """
    from ..kernel.magic import collect_if_grown, memory_now

    require_names("by_turns", [name])
    before = memory_now()
    in_python = value_in_python(name)(*arguments)
    enough_in_r, cost_in_r = _stop_watch_of_r(name, arguments)
    r_calls, python_calls = calls, calls
    if calls is None:
        r_calls, python_calls = enough_in_r(), enough_calls(in_python)
    found: dict[str, list[float]] = {"r": [], "python": []}
    for number in range(times):
        for language in ("python", "r") if number % 2 else ("r", "python"):
            if language == "r":
                seconds = cost_in_r(r_calls)
            else:
                seconds = float(cost(in_python, 1, python_calls)[0])
            found[language].append(seconds)
    del in_python, enough_in_r, cost_in_r
    collect_if_grown(before)
    return Turns(name, np.array(found["r"]), np.array(found["python"]))


def _stop_watch_of_r(
    name: str, arguments: tuple[str | float, ...]
) -> tuple[Callable[[], int], Callable[[int], float]]:
    """Return R's `enough_calls()` and `cost()` for the function from `name()`."""
    session = session_with(name)
    from rpy2 import rinterface
    from rpy2.rinterface_lib.embedded import RRuntimeError

    vectors = {
        bool: rinterface.BoolSexpVector,
        int: rinterface.IntSexpVector,
        float: rinterface.FloatSexpVector,
        str: rinterface.StrSexpVector,
    }

    def ask(function: str, *given: Any) -> Any:
        try:
            return session.evaluate(function)(*given)
        except RRuntimeError as error:
            raise RFailed(f"R's {name}() failed: {str(error).strip()}") from None

    timed = ask(name, *(vectors[type(value)]([value]) for value in arguments))
    one = rinterface.IntSexpVector([1])

    def seconds(calls: int) -> float:
        times = rinterface.IntSexpVector([calls])
        return float(ask("sidebyside::cost", timed, one, times)[0])

    return lambda: int(ask("sidebyside:::enough_calls", timed)[0]), seconds


def strip(
    ax: Any, measured: Mapping[str, Turns], unit: str = "s", log: bool = False
) -> None:
    """Draw every measurement as a point, in rows, with a bar at each median.

    Parameters
    ----------
    ax
        Matplotlib axes.
    measured
        The rows from top to bottom: each label, with the result of `by_turns()`.
    unit
        Unit of the axis: "s", "ms" or "us".
    log
        Whether the axis is logarithmic.
    """
    factor, label_of_axis = UNITS[unit]
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
    ax.set_xlabel(label_of_axis)
    if log:
        ax.set_xscale("log")
    else:
        # Do not set a limit: it would cut off points that are drawn later.
        zero = ax.axvline(0, color="grey", lw=0.8)
        zero.sticky_edges.x.append(0)
    ax.legend()
