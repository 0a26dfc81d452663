"""Check whether the R half and the Python half of a pair agree.

`compare("x_train")` compares R's variable `x_train` with Python's, and says what
it found, or raises `Different`.
"""

from __future__ import annotations

import difflib
import math
import re
import reprlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..common.errors import Sentence, stoppable
from .values import (
    EXACT,
    Leaf,
    Named,
    as_python,
    by_name,
    from_description,
    is_model,
    read,
)

# Arrays are compared in pieces of about this many values, so that no check needs
# a second copy of a data set.
_PIECE = 1 << 20

# At most this many differences inside a list are shown; the others are counted.
_SHOWN = 3

_received: dict[str, Any] = {}


class Different(Sentence, AssertionError):
    """The two halves of a pair do not agree."""


class NoVariable(Sentence, NameError):
    """A language has no variable of this name."""


class NotStarted(Sentence, RuntimeError):
    """R is needed but has not been started."""


class WrongUse(Sentence, TypeError, ValueError):
    """A function got an argument that it cannot use."""


@dataclass(frozen=True)
class Agreement:
    """The result of one comparison."""

    what: str
    verdict: str
    agrees: bool
    gap: float = math.inf  # largest difference between two numbers


def receive(name: str, value: Any) -> None:
    """Receive a value; R calls this (`send_to_python()`, `describe_to_python()`)."""
    _received[name] = value


@stoppable
def compare(*names: str, tolerance: float = 0.0, differ: bool = False) -> None:
    """Compare variables of R and Python that have the same name.

    Parameters
    ----------
    names
        Variables that exist in R's global environment and in the notebook:
        arrays, numbers, texts, dates, lists, named lists and dicts, data frames,
        Keras models (by their weights) and training histories (by metric).
    tolerance
        Largest absolute difference between two numbers that still counts as
        agreement. The default, 0, requires equality to the last digit.
    differ
        If true, require the two to be different.

    Notes
    -----
    - Whole numbers of any size are compared exactly. If Python's type is narrower
      than R's double (float32), R's value is first rounded to it. TRUE is 1.
    - A vector with one value equals a single value, because R has no scalars.
    - R's NA, of any type, agrees with None, NaN, `pandas.NA` and NaT. R's NaN
      agrees only with NaN, and NULL only with None.
    - Named lists, dicts and the columns of data frames are compared by name, in
      any order. Row names are compared if both have them as text. A factor is
      compared by its labels.
    - Dates and times are compared as points in time, to the microsecond. A Python
      time without a time zone counts as UTC, as in reticulate.

    Raises
    ------
    Different
        If a variable does not agree. The message has a line for each one.
    NoVariable
        If a variable does not exist in one of the languages. It is a NameError.
    WrongUse
        If an argument is not a name, or if a value has a type that cannot be
        compared, such as a function. It is a TypeError.
    """
    require_names("compare", names)
    _require_somewhere(names)
    found = {
        name: agreement(name, described_in_r(name), value_in_python(name), tolerance)
        for name in names
    }
    width = max(map(len, found))
    broad = max(len(a.what) for a in found.values())
    lines = {
        name: f"{name:<{width}}  {a.what:<{broad}}  {a.verdict}"
        for name, a in found.items()
    }
    wrong = [line for name, line in lines.items() if found[name].agrees == differ]
    if wrong:
        expected = "different values" if differ else "the same in R and Python"
        raise Different(f"Expected {expected}, found:\n  " + "\n  ".join(wrong))
    print("\n".join(lines.values()))


def from_r(name: str) -> Any:
    """Return the value of an R variable, as Python sees it.

    Use it in a cell that shows both languages in one figure. The halves of pairs
    do not need it.

    Raises
    ------
    NoVariable
        If R has no variable of this name. It is a NameError.
    """
    require_names("from_r", [name])
    return as_python(value_in_r(name))


def agreement(
    name: str, in_r: Any, in_python: Any, tolerance: float = 0.0
) -> Agreement:
    """Compare one value from R with one from Python (see `compare`)."""
    number = isinstance(tolerance, int | float | np.number)
    if not (number and 0 <= tolerance < math.inf):
        raise WrongUse(f"tolerance is {tolerance!r}; expected a number of 0 or more.")
    try:
        return _compare(read(in_r), read(in_python), tolerance)
    except TypeError as problem:
        raise _unreadable(name, problem) from None


def _unreadable(name: str, problem: TypeError) -> WrongUse:
    return WrongUse(
        f"{name} is or contains a value of type {problem}, which cannot be compared. "
        "compare() takes numbers, texts, dates, arrays, lists, dicts, data frames, "
        "models and training histories."
    )


def _compare(mine: Any, theirs: Any, tolerance: float) -> Agreement:
    """Compare R's value with Python's, both in the form of `read()`."""
    what, other = _what(theirs), f"R has {_what(mine)}"
    if is_model(mine) and is_model(theirs):
        mine, theirs = ([read(w) for w in m.get_weights()] for m in (mine, theirs))
    elif any(none(mine) and none(theirs) for none in (_is_nothing, _is_empty)):
        return Agreement(what, "equal", True)
    names = _named(mine), _named(theirs)
    if all(names):
        return _by_name(what, *names, tolerance)
    if isinstance(mine, Leaf) and isinstance(theirs, Leaf):
        return _leaves(what, mine.values, theirs.values, tolerance)
    mine, theirs = _parts(mine, theirs), _parts(theirs, mine)
    if mine is None or theirs is None or len(mine) != len(theirs):
        return Agreement(what, other, False)
    pairs = enumerate(zip(mine, theirs, strict=True), 1)
    found = {f"[{i}]": _compare(*pair, tolerance) for i, pair in pairs}
    return _summary(what, found)


def _is_nothing(side: Any) -> bool:
    """Return whether a value is NULL, NA or None."""
    if isinstance(side, Leaf):
        return side.values.size == 1 and side.values.item() is None
    return side is None


def _is_empty(side: Any) -> bool:
    if isinstance(side, Leaf):
        return side.values.shape == (0,)
    return (side.values if isinstance(side, Named) else side) in ([], {})


def _named(side: Any) -> Named | None:
    """Return a vector's elements or a matrix's columns by name; None without names."""
    if isinstance(side, Leaf) and side.labels:
        rows, names = side.labels[0], side.labels[-1]
        table = len(side.labels) == 2
        rows = read(list(rows)) if table and rows else None
        side = by_name(names, side.parts(axis=-1), frame=table, rows=rows)
    return side if isinstance(side, Named) else None


def _parts(side: Any, other: Any) -> list | None:
    """Return the elements of a list or array; the columns if `other` is a frame."""
    frames = [isinstance(s, Named) and s.frame for s in (side, other)]
    if isinstance(side, Leaf):
        return side.parts(axis=-1 if frames[1] else 0)
    if frames[0] and isinstance(other, Leaf) and other.values.ndim == 2:
        return list(side.values.values())
    return side if isinstance(side, list) else None


def _what(side: Any) -> str:
    """Describe a value in a few words."""
    if side is None:
        return "nothing"
    if is_model(side):
        return f"model, {side.count_params():,} parameters"
    if isinstance(side, list):
        return f"list of {len(side):,}"
    if isinstance(side, Named):
        columns = list(side.values.values())
        each = columns[0].values.size if columns and isinstance(columns[0], Leaf) else 1
        if side.frame:
            return f"data frame, {each:,} x {len(columns)}"
        return ", ".join(side.values) + (f", {each} each" if each > 1 else "")
    kind, shape = _kind(side.values), _shape(side.values)
    return kind if shape == "one value" and kind == "text" else f"{shape} {kind}"


def _kind(values: np.ndarray) -> str:
    if values.dtype != object:
        return str(values.dtype)
    return "text" if {type(v) for v in values.flat} <= {str, type(None)} else "values"


def _shape(values: np.ndarray) -> str:
    return " x ".join(f"{n:,}" for n in values.shape) or "one value"


def _by_name(what: str, mine: Named, theirs: Named, tolerance: float) -> Agreement:
    lacks = [
        f"{who} lacks {', '.join(names)}"
        for who, has, other in (("R", mine, theirs), ("Python", theirs, mine))
        if (names := [name for name in other.values if name not in has.values])
    ]
    if lacks:
        return Agreement(what, "; ".join(lacks), False)
    found = {
        f"${name}": _compare(mine.values[name], value, tolerance)
        for name, value in theirs.values.items()
    }
    if mine.rows and theirs.rows:
        found["row names"] = _compare(mine.rows, theirs.rows, 0.0)
    return _summary(what, found)


def _summary(what: str, found: dict[str, Agreement]) -> Agreement:
    """Combine the comparisons of the parts into one."""
    wrong = {place: one for place, one in found.items() if not one.agrees}
    if wrong:
        largest = sorted(wrong, key=lambda place: -wrong[place].gap)
        said = [
            f"{place}{'' if wrong[place].verdict[0] in '$[' else ': '}"
            f"{wrong[place].verdict}"
            for place in largest[:_SHOWN]
        ]
        if len(wrong) > _SHOWN:
            said.append(f"and {len(wrong) - _SHOWN} more")
        return Agreement(what, "; ".join(said), False, wrong[largest[0]].gap)
    # For numbers the verdict says more than "equal".
    verdicts = [one.verdict for one in found.values()]
    return Agreement(what, next((v for v in verdicts if v != "equal"), "equal"), True)


def _leaves(
    what: str, mine: np.ndarray, theirs: np.ndarray, tolerance: float
) -> Agreement:
    if mine.size == theirs.size == 1:
        mine, theirs = mine.reshape(1), theirs.reshape(1)
    if mine.shape != theirs.shape:
        return Agreement(what, f"R has {_shape(mine)}", False)
    largest = 0.0
    for start, a, b in _pieces(mine, theirs):
        gaps = _gaps(a, b)
        unlike = np.flatnonzero(np.isnan(gaps))
        if len(unlike):
            at = unlike[0]
            place = np.unravel_index(start + at, mine.shape)
            place = f"[{', '.join(str(i + 1) for i in place)}]: "
            shown = f"R {_show(a[at], 'NA')}, Python {_show(b[at], 'None')}"
            return Agreement(what, (place if mine.size > 1 else "") + shown, False)
        largest = max(largest, float(gaps.max(initial=0)))
    if largest > tolerance:
        return Agreement(what, f"differ, by up to {largest:.3g}", False, largest)
    if _kind(theirs) == "text":
        return Agreement(what, "equal", True)
    verdict = f"equal within {tolerance:g}" if tolerance else "equal to the last digit"
    return Agreement(what, verdict, True)


def _pieces(
    mine: np.ndarray, theirs: np.ndarray
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield R's and Python's values piece by piece, with the position of the first."""
    width = math.prod(mine.shape[1:])
    rows = max(1, _PIECE // max(1, width))
    for start in range(0, len(mine), rows):
        part = slice(start, start + rows)
        yield start * width, mine[part].ravel(), theirs[part].ravel()


def _show(value: Any, absent: str) -> str:
    if value is None:
        return absent
    return reprlib.repr(value.item() if hasattr(value, "item") else value)


def _gaps(mine: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Return R's and Python's differences; NaN if only one of the two has a value."""
    if mine.dtype == object and theirs.dtype.kind in "fc":
        # NumPy's only missing number is NaN.
        filled = np.array([math.nan if v is None else v for v in mine])
        mine = filled if filled.dtype.kind in "fc" else mine
    if mine.dtype.kind == theirs.dtype.kind == "f":
        # R has only doubles, and 0.1 is a different number in float32.
        with np.errstate(over="ignore"):
            narrow = mine.astype(theirs.dtype)
        mine = np.where(np.isinf(narrow), mine, narrow)
    if _needs_python(mine) or _needs_python(theirs):
        pairs = zip(mine.tolist(), theirs.tolist(), strict=True)
        return np.array([_gap(*pair) for pair in pairs])
    wide = np.result_type(mine, theirs, np.float64)
    mine, theirs = mine.astype(wide, copy=False), theirs.astype(wide, copy=False)
    with np.errstate(all="ignore"):
        gaps = np.abs(mine - theirs)
    # They are also equal if both are infinite, or both are NaN.
    gaps[(mine == theirs) | ((mine != mine) & (theirs != theirs))] = 0
    return gaps


def _needs_python(values: np.ndarray) -> bool:
    """Return whether NumPy would round values to compare them, or cannot compare."""
    if values.dtype.kind in "iu" and values.size:
        return bool(values.max() > EXACT or values.min() < -EXACT)
    return values.dtype == object


def _gap(mine: Any, theirs: Any) -> float:
    """Return the difference of two values of any type, without rounding."""
    if mine is None or theirs is None:
        both = mine is None and (theirs is None or theirs != theirs)
        return 0.0 if both else math.nan
    if mine == theirs or (mine != mine and theirs != theirs):
        return 0.0
    if isinstance(mine, str) or isinstance(theirs, str):
        return math.nan
    try:
        return float(abs(Fraction(mine) - Fraction(theirs)))
    except OverflowError:  # one of them is infinite
        return math.inf
    except (TypeError, ValueError):  # a point in time, or NaN
        return math.nan


def require_names(function: str, names: Iterable[Any]) -> None:
    """Raise `WrongUse` unless there is at least one name, and all are texts."""
    names = list(names)
    if not names:
        raise WrongUse(f'{function}() needs the name of a variable: {function}("x").')
    values = [name for name in names if not isinstance(name, str)]
    if values:
        kind = type(values[0]).__name__
        raise WrongUse(
            f"{function}() got a value of type {kind}; expected the name of a "
            f"variable. Write the name in quotes: {_in_quotes(function, values)}."
        )


def _in_quotes(function: str, values: list) -> str:
    """Return the call that the reader meant, with the names of these values."""
    shell = _shell()
    variables = shell.user_ns if shell else {}
    # Prefer names in the code just typed, because many variables may be 1.
    typed = set(re.findall(r"\w+", variables.get("In", [""])[-1]))
    names = [
        next((n for n in typed if n in variables and variables[n] is value), "x")
        for value in values
    ]
    return f"{function}({', '.join(map(_quoted, names))})"


def _quoted(name: str) -> str:
    return f'"{name}"'


def _shell() -> Any:
    from IPython import get_ipython

    return get_ipython()


def _require_somewhere(names: Iterable[str]) -> None:
    """Raise `NoVariable` for a name that neither language has."""
    shell, session = _shell(), _session()
    for name in names:
        if shell is None or name in shell.user_ns or session.has_variable(name):
            continue
        known = {*shell.user_ns, *session.variables()}
        close = difflib.get_close_matches(name, known, 1)
        if not re.fullmatch(r"[\w.]+", name):
            advice = "Give the value a name in both halves first."
        elif close:
            advice = f"Did you mean {close[0]!r}?"
        else:
            advice = "Run both halves of the pair first."
        raise NoVariable(f"Neither R nor Python has a variable {name!r}. {advice}")


def value_in_python(name: str) -> Any:
    """Return the notebook's variable of this name; `NoVariable` if there is none."""
    shell = _shell()
    if shell is None:
        raise RuntimeError(
            f"compare() looks for the variable {name!r} of a notebook, but this is not "
            "one. To compare two values, use sidebyside.lesson.compare.agreement()."
        )
    if name not in shell.user_ns:
        raise NoVariable(
            f"There is no Python variable {name!r}. Run the Python half of "
            "the pair first."
        )
    return shell.user_ns[name]


def value_in_r(name: str) -> Any:
    """Return R's variable of this name, converted by reticulate, or `NoVariable`."""
    return _sent(name, "send_to_python")


def described_in_r(name: str) -> Any:
    """Return R's variable of this name in the form that we compare, or `NoVariable`."""
    described = _sent(name, "describe_to_python")
    if described["kind"] == "python":
        return described["values"]
    try:
        return from_description(described)
    except TypeError as problem:
        raise _unreadable(name, problem) from None


def _sent(name: str, function: str) -> Any:
    session = session_with(name)
    from rpy2.rinterface_lib.embedded import RRuntimeError

    try:
        session.call(function, name)
    except RRuntimeError as problem:
        reason = str(problem).strip().split("\n")[0]
        raise WrongUse(f"R's {name} cannot be converted to Python: {reason}") from None
    return _received.pop(name)


def session_with(name: str) -> Any:
    """Return R's session if it has a variable of this name; else `NoVariable`."""
    session = _session()
    if not session.has_variable(name):
        raise NoVariable(
            f"There is no R variable {name!r}. Run the R half of the pair first."
        )
    return session


def _session() -> Any:
    """Return R's session if the notebook has started it; else `NotStarted`."""
    from ..kernel import rsession

    if not rsession.is_started():
        raise NotStarted(
            "R has not been started. Run the first code cell of this notebook: "
            "%load_ext sidebyside"
        )
    return rsession.current()
