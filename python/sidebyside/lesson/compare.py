"""Checks: do the R half and the Python half of a pair agree?

`compare("x_train")` takes the variable of that name from R and the one of
that name from Python and says what it found, or raises `Different`.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from .values import (
    DURATIONS,
    EXACT,
    NOTHING,
    NUMBERS,
    TEXTS,
    TIMES,
    Items,
    Leaf,
    Named,
    as_python,
    from_description,
    is_model,
    read,
)

# Arrays are compared in pieces of about this many values, so that a check
# never needs a second copy of a data set.
_PIECE = 1 << 20

# Differences inside a list that are named; the rest is counted.
_SHOWN = 3

_received: dict[str, Any] = {}


class Different(AssertionError):
    """The two halves of a pair do not agree."""


@dataclass(frozen=True)
class Agreement:
    """What one comparison found."""

    name: str
    what: str
    verdict: str
    agrees: bool


def receive(name: str, value: Any) -> None:
    """Called from R (`send_to_python()`, `describe_to_python()`)."""
    _received[name] = value


def compare(*names: str, tolerance: float = 0.0, differ: bool = False) -> None:
    """Compare variables of R and Python that have the same name.

    Parameters
    ----------
    names
        Variables that exist in R's global environment and in the notebook:
        arrays, numbers, texts, dates, lists, named lists and dicts, data frames,
        Keras models (by their weights) and training histories (by metric).
    tolerance
        Largest absolute difference of two numbers that still counts as
        agreement (seconds, for points in time). The default, 0, asks for the
        same value to the last digit.
    differ
        Reverses the question: raises if the two are the same.

    Notes
    -----
    - Whole numbers are compared as whole numbers, of any size. R's double is
      first rounded to Python's type where that is narrower (float32). TRUE is 1.
    - A vector of one value and a single value are the same: R has no scalars.
    - R's NA, of any type, agrees with None, NaN, `pandas.NA` and NaT; R's NaN
      with NaN only; NULL with None.
    - Named lists, dicts and the columns of data frames are compared by name, in
      any order. Row names count where both have them as text. A factor is
      compared by its labels.
    - Dates and times are points in time, to the microsecond. A Python time
      without a zone counts as UTC, as it does for reticulate.

    Raises
    ------
    Different
        With a sentence for each variable that does not agree.
    NameError
        If a variable does not exist in one of the languages.
    TypeError
        If a value is of a type that cannot be compared, such as a function.
    """
    if not names:
        raise TypeError("compare() needs the name of at least one variable.")
    found = [
        agreement(name, described_in_r(name), value_in_python(name), tolerance)
        for name in names
    ]
    width = max(len(a.name) for a in found)
    broad = max(len(a.what) for a in found)
    lines = [f"{a.name:<{width}}  {a.what:<{broad}}  {a.verdict}" for a in found]
    wrong = [line for line, a in zip(lines, found, strict=True) if a.agrees == differ]
    if wrong:
        expected = "different values" if differ else "the same in R and Python"
        raise Different(f"Expected {expected}, found:\n  " + "\n  ".join(wrong))
    print("\n".join(lines))


def from_r(name: str) -> Any:
    """The value of an R variable, as Python sees it.

    For a cell that shows both languages in one figure. Halves of pairs do
    not need it.

    Raises
    ------
    NameError
        If R has no variable of this name.
    """
    return as_python(value_in_r(name))


def agreement(
    name: str, in_r: Any, in_python: Any, tolerance: float = 0.0
) -> Agreement:
    """Compare one value from R with one from Python (see `compare`)."""
    if not 0 <= tolerance < float("inf"):
        raise ValueError(f"tolerance is {tolerance}, expected a number of 0 or more.")
    try:
        found = _compare(read(in_r), read(in_python), tolerance)
    except TypeError as problem:
        if in_r is in_python:
            return Agreement(name, "one object", "the same object", True)
        raise _unreadable(name, problem) from None
    return Agreement(name, found.what, found.verdict, found.agrees)


def _unreadable(name: str, problem: TypeError) -> TypeError:
    return TypeError(
        f"{name} is, or contains, a value of type {problem}, which compare() cannot "
        "read. Compare numbers, texts, dates, arrays, lists, dicts, data frames, "
        "models or histories."
    )


@dataclass(frozen=True)
class _Found:
    what: str
    verdict: str
    agrees: bool
    gap: float = math.inf  # largest difference of two numbers


def _compare(mine: Any, theirs: Any, tolerance: float) -> _Found:
    """R's value and Python's, as `read()` gives them."""
    if is_model(mine) and is_model(theirs):
        return _models(mine, theirs, tolerance)
    what = _what(theirs)
    mine, theirs = _alike(mine, theirs)
    if isinstance(mine, Leaf) and isinstance(theirs, Leaf):
        return _leaves(what, mine, theirs, tolerance)
    if isinstance(mine, Named) and isinstance(theirs, Named):
        return _by_name(what, mine, theirs, tolerance)
    if isinstance(mine, Items) and isinstance(theirs, Items):
        if len(mine.values) == len(theirs.values):
            return _by_place(what, mine, theirs, tolerance)
    elif mine is None and theirs is None:
        return _Found(what, "equal", True)
    return _Found(what, f"R has {_what(mine)}", False)


def _alike(mine: Any, theirs: Any) -> tuple[Any, Any]:
    """Both in the same form, where one of them can be read in two ways."""
    match mine, theirs:
        case Leaf(size=1), None:  # NA and None
            return mine, read([None])
        case None, Leaf(size=1) if theirs.absent().all():  # NULL and a None in a list
            return None, None
        case Items(values=[_, *_]), Leaf():
            return mine, Items(theirs.parts())
        case Leaf(), Items(values=[_, *_]):
            return Items(mine.parts()), theirs
        case (
            (Leaf(), Named())
            | (Named(), Leaf())
            | (Leaf(labels=(_, *_)), Leaf(labels=(_, *_)))
        ):
            sides = [s.named() if isinstance(s, Leaf) else s for s in (mine, theirs)]
            if all(isinstance(side, Named) for side in sides):
                return sides[0], sides[1]
            if isinstance(mine, Leaf) and len(mine.shape) == 2 and sides[1].frame:
                return sides[0], Items(list(theirs.values.values()))
    if _is_empty(mine) and _is_empty(theirs):
        return Items([]), Items([])
    return mine, theirs


def _is_empty(side: Any) -> bool:
    if isinstance(side, Leaf):
        return side.shape == (0,)
    return isinstance(side, Items | Named) and not side.values


def _what(side: Any) -> str:
    """A value in a few words."""
    if side is None:
        return "nothing"
    if is_model(side):
        return f"model, {side.count_params():,} parameters"
    if isinstance(side, Items):
        return f"list of {len(side.values):,}"
    if isinstance(side, Named):
        columns = list(side.values.values())
        if side.frame:
            rows = max((c.shape[0] for c in columns if isinstance(c, Leaf)), default=0)
            return f"data frame, {rows:,} x {len(columns)}"
        each = columns[0].size if columns and isinstance(columns[0], Leaf) else 1
        return ", ".join(side.values) + (f", {each} each" if each > 1 else "")
    # Not NumPy's name of a text, which counts the letters of the longest: of a
    # path that is another number on each machine.
    kind = side.values.dtype if side.kind == NUMBERS else side.kind
    kind = "whole numbers" if kind == np.dtype(object) else kind
    shape = _shape(side)
    return f"{kind}" if shape == "one value" and kind == TEXTS else f"{shape} {kind}"


def _shape(leaf: Leaf) -> str:
    return " x ".join(f"{n:,}" for n in leaf.shape) or "one value"


def _models(mine: Any, theirs: Any, tolerance: float) -> _Found:
    weights = [Items([read(w) for w in m.get_weights()]) for m in (mine, theirs)]
    shapes = [[w.shape for w in side.values] for side in weights]
    if shapes[0] != shapes[1]:
        verdict = f"R has {mine.count_params():,} parameters, or other shapes"
        return _Found(_what(theirs), verdict, False)
    return _by_place(_what(theirs), *weights, tolerance)


def _by_place(what: str, mine: Items, theirs: Items, tolerance: float) -> _Found:
    pairs = zip(mine.values, theirs.values, strict=True)
    found = [_compare(*pair, tolerance) for pair in pairs]
    return _summary(what, {f"[{i}]": one for i, one in enumerate(found, 1)})


def _by_name(what: str, mine: Named, theirs: Named, tolerance: float) -> _Found:
    lacks = {
        "R": [name for name in theirs.values if name not in mine.values],
        "Python": [name for name in mine.values if name not in theirs.values],
    }
    if any(lacks.values()):
        said = [
            f"{who} lacks {', '.join(names)}" for who, names in lacks.items() if names
        ]
        return _Found(what, "; ".join(said), False)
    if mine.rows and theirs.rows and mine.rows != theirs.rows:
        rows = zip(mine.rows, theirs.rows, strict=False)
        at = next((i for i, (a, b) in enumerate(rows, 1) if a != b), 0)
        verdict = f"other row names, from row {at}" if at else "another number of rows"
        return _Found(what, verdict, False)
    found = {
        f"${name}": _compare(mine.values[name], value, tolerance)
        for name, value in theirs.values.items()
    }
    return _summary(what, found)


def _summary(what: str, found: dict[str, _Found]) -> _Found:
    """What the comparison of the parts says of the whole."""
    wrong = sorted(
        (item for item in found.items() if not item[1].agrees),
        key=lambda item: -item[1].gap,
    )
    if wrong:
        said = [
            f"{place}{'' if one.verdict[0] in '$[' else ': '}{one.verdict}"
            for place, one in wrong[:_SHOWN]
        ]
        if len(wrong) > _SHOWN:
            said.append(f"and {len(wrong) - _SHOWN} more")
        return _Found(what, "; ".join(said), False, wrong[0][1].gap)
    # What is said of numbers is more than "equal".
    verdicts = [one.verdict for one in found.values()]
    return _Found(what, next((v for v in verdicts if v != "equal"), "equal"), True)


def _leaves(what: str, mine: Leaf, theirs: Leaf, tolerance: float) -> _Found:
    if mine.size == theirs.size == 1:
        mine, theirs = mine.reshape(1), theirs.reshape(1)
    if mine.shape != theirs.shape:
        return _Found(what, f"R has {_shape(mine)}", False)
    kinds = {mine.kind, theirs.kind} - {NOTHING}
    if len(kinds) > 1 and mine.size > 1:
        return _Found(what, f"R has {_what(mine)}", False)
    largest = 0.0
    for start, a, b in _pieces(mine, theirs):
        unlike = np.arange(1) if len(kinds) > 1 else np.flatnonzero(~_alike_in(a, b))
        if len(unlike):
            at = unlike[0]
            place = np.unravel_index(start + at, mine.shape)
            place = f"[{', '.join(str(i + 1) for i in place)}]: "
            shown = f"R {_show(a, at, 'NA')}, Python {_show(b, at, 'None')}"
            return _Found(what, (place if mine.size > 1 else "") + shown, False)
        if kinds - {TEXTS}:
            there = ~(a.absent() | _is_nan(a))
            largest = max(largest, _gap(a.values[there], b.values[there]))
    if kinds <= {TEXTS}:
        return _Found(what, "equal", True)
    seconds = kinds <= {TIMES, DURATIONS}
    if seconds:
        largest /= 1e6
    if largest > tolerance:
        verdict = f"differ, by up to {largest:.3g}{' s' if seconds else ''}"
        return _Found(what, verdict, False, largest)
    verdict = f"equal within {tolerance:g}" if tolerance else "equal to the last digit"
    return _Found(what, verdict, True)


def _pieces(mine: Leaf, theirs: Leaf) -> Iterator[tuple[int, Leaf, Leaf]]:
    """R's and Python's values, flat, after the number of those before them."""
    count = mine.shape[0]
    width = math.prod(mine.shape[1:])
    rows = max(1, _PIECE // max(1, width))
    for start in range(0, count, rows):
        part = slice(start, start + rows)
        yield start * width, _flat(mine, part), _flat(theirs, part)


def _flat(leaf: Leaf, part: slice) -> Leaf:
    values = leaf.values[part]
    absent = None if leaf.missing is None else leaf.missing[part].ravel()
    return Leaf(values.ravel(), leaf.kind, absent)


def _alike_in(a: Leaf, b: Leaf) -> np.ndarray:
    """Where both are missing, or both NaN, or the same text, or two numbers."""
    nan_a, nan_b = _is_nan(a), _is_nan(b)
    alike = np.where(a.absent(), b.absent() | nan_b, ~b.absent() & (nan_a == nan_b))
    if a.kind == b.kind == TEXTS:
        alike &= a.absent() | (a.values == b.values).astype(bool)
    return alike


def _is_nan(leaf: Leaf) -> np.ndarray:
    if leaf.kind != NUMBERS or leaf.values.dtype.kind in "biu":
        return np.zeros(leaf.shape, bool)
    return (leaf.values != leaf.values).astype(bool) & ~leaf.absent()


def _show(leaf: Leaf, at: int, absent: str) -> str:
    if leaf.absent()[at]:
        return absent
    value = leaf.values[at]
    if leaf.kind in (TIMES, DURATIONS):
        return str(np.array(value).astype(f"{leaf.kind}[us]"))
    return reprlib.repr(value.item() if hasattr(value, "item") else value)


def _gap(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference of R's numbers and Python's, none of them missing."""
    if not len(a):
        return 0.0
    if a.dtype.kind in "fc" and b.dtype.kind in "fcV":
        if (np.isinf(a) != np.isinf(b)).any():
            return math.inf
        # R has no narrow numbers: 0.1 looks different in float32 and in double.
        same_kind = a.dtype.kind == "f" or b.dtype.kind == "c"
        if same_kind and b.dtype.itemsize < a.dtype.itemsize:
            with np.errstate(over="ignore"):
                a = a.astype(b.dtype)
    large = _beyond_double(a) | _beyond_double(b)
    largest = _gap_of_large(a[large].tolist(), b[large].tolist())
    a, b = a[~large], b[~large]
    if len(a):
        wide = np.result_type(a.dtype, b.dtype, np.float64)
        a, b = a.astype(wide, copy=False), b.astype(wide, copy=False)
        with np.errstate(all="ignore"):
            difference = np.abs(a - b)
        difference[a == b] = 0  # also where both are infinite
        difference[np.isnan(difference)] = np.inf
        largest = max(largest, float(difference.max()))
    return largest


def _beyond_double(values: np.ndarray) -> np.ndarray:
    """Where float64 may not hold a whole number exactly."""
    match values.dtype.kind:
        case "O":
            return np.ones(len(values), bool)
        case "u":
            return values > EXACT
        case "i":
            return (values > EXACT) | (values < -EXACT)
    return np.zeros(len(values), bool)


def _gap_of_large(mine: list, theirs: list) -> float:
    """As `_gap()`, of any numbers that Python knows, without rounding."""
    largest = 0.0
    for x, y in zip(mine, theirs, strict=True):
        if x != y:
            try:
                gap = float(abs(Fraction(x) - Fraction(y)))
            except (OverflowError, TypeError, ValueError):  # infinite, or complex
                gap = math.inf
            largest = max(largest, gap or math.ulp(0.0))
    return largest


def value_in_python(name: str) -> Any:
    """The notebook's variable of this name; NameError if there is none."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        raise RuntimeError(
            "compare() reads the variables of a notebook, and there is none here. "
            "Use sidebyside.lesson.compare.agreement() on values."
        )
    if name not in shell.user_ns:
        raise NameError(
            f"There is no Python variable {name!r}. Run the Python half of "
            "the pair first."
        )
    return shell.user_ns[name]


def value_in_r(name: str) -> Any:
    """R's variable of this name as reticulate translates it, or NameError."""
    return _sent(name, "send_to_python")


def described_in_r(name: str) -> Any:
    """R's variable of this name in the form that is compared, or NameError."""
    described = _sent(name, "describe_to_python")
    if described["kind"] == "python":
        return described["values"]
    try:
        return from_description(described)
    except TypeError as problem:
        raise _unreadable(name, problem) from None


def _sent(name: str, function: str) -> Any:
    from ..kernel import rsession

    session = rsession.current()
    if not session.has_variable(name):
        raise NameError(
            f"There is no R variable {name!r}. Run the R half of the pair first."
        )
    session.call(function, name)
    return _received.pop(name)
