"""Checks: do the R half and the Python half of a pair agree?

`compare("x_train")` takes the variable of that name from R and the one of
that name from Python and says what it found, or raises `Different`.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

# Arrays are compared in pieces of about this many values, so that a check
# never needs a second copy of a data set.
_PIECE = 1 << 22

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
    """Called from R (`send_to_python()`) with a variable's value."""
    _received[name] = value


def compare(*names: str, tolerance: float = 0.0, differ: bool = False) -> None:
    """Compare variables of R and Python that have the same name.

    Parameters
    ----------
    names
        Variables that exist in R's global environment and in the notebook:
        arrays, numbers, texts, lists, named lists and dicts, Keras models
        (by their weights) and training histories (metric by metric).
    tolerance
        Largest absolute difference of two numbers that still counts as
        agreement. The default, 0, asks for the same value to the last digit.
        A value of R (always double) is first rounded to Python's type where
        that is narrower (float32).
    differ
        Turns the question round: raises if the two are the same.

    Raises
    ------
    Different
        With a sentence for each variable that does not agree.
    NameError
        If a variable does not exist in one of the languages.
    """
    if not names:
        raise TypeError("compare() needs the name of at least one variable.")
    found = [
        agreement(name, value_in_r(name), value_in_python(name), tolerance)
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
    return _plain(value_in_r(name))


def agreement(
    name: str, in_r: Any, in_python: Any, tolerance: float = 0.0
) -> Agreement:
    """Compare one value from R with one from Python (see `compare`)."""
    in_r, in_python = _plain(in_r), _plain(in_python)
    if _is_model(in_r) and _is_model(in_python):
        return _models(name, in_r, in_python, tolerance)
    if isinstance(in_r, Mapping) and isinstance(in_python, Mapping):
        return _mappings(name, in_r, in_python, tolerance)
    in_r, in_python = _alone(in_r), _alone(in_python)
    texts = [isinstance(x, str) for x in (in_r, in_python)]
    if any(texts):
        same = all(texts) and in_r == in_python
        other = f"R {reprlib.repr(in_r)}, Python {reprlib.repr(in_python)}"
        return Agreement(name, "text", "equal" if same else other, same)
    return _arrays(name, in_r, in_python, tolerance)


def _plain(value: Any) -> Any:
    """A History as its metrics, a tensor as its array."""
    history = getattr(value, "history", None)
    if isinstance(history, Mapping):
        return history
    if hasattr(value, "numpy") and callable(value.numpy):
        return value.numpy()
    return value


def _alone(value: Any) -> Any:
    """One text in a list or an array as the text: R has no other."""
    if isinstance(value, (list, tuple, np.ndarray)) and np.size(value) == 1:
        (only,) = np.ravel(value).tolist()
        return only if isinstance(only, str) else value
    return value


def _is_model(value: Any) -> bool:
    return hasattr(value, "get_weights") and hasattr(value, "count_params")


def _models(name, in_r, in_python, tolerance) -> Agreement:
    mine, theirs = in_r.get_weights(), in_python.get_weights()
    what = f"model, {in_python.count_params():,} parameters"
    if [w.shape for w in mine] != [w.shape for w in theirs]:
        verdict = f"R has {in_r.count_params():,} parameters, or other shapes"
        return Agreement(name, what, verdict, False)
    largest = max(map(_distance, mine, theirs), default=0.0)
    return Agreement(name, what, *_judge(largest, tolerance))


def _mappings(name, in_r, in_python, tolerance) -> Agreement:
    keys = list(in_python)
    if sorted(keys) != sorted(in_r):
        verdict = f"R has {', '.join(in_r)}; Python has {', '.join(keys)}"
        return Agreement(name, "names", verdict, False)
    inner = [agreement(k, in_r[k], in_python[k], tolerance) for k in keys]
    length = np.size(in_python[keys[0]]) if keys else 0
    what = ", ".join(keys) + (f", {length} each" if length > 1 else "")
    wrong = [f"{a.name}: {a.verdict}" for a in inner if not a.agrees]
    if wrong:
        return Agreement(name, what, "; ".join(wrong), False)
    return Agreement(name, what, inner[0].verdict if inner else "equal", True)


def _arrays(name, in_r, in_python, tolerance) -> Agreement:
    mine, theirs = np.asarray(in_r), np.asarray(in_python)
    what = " x ".join(f"{n:,}" for n in theirs.shape) or "one value"
    # Not NumPy's name of a text, which counts the letters of the longest:
    # of a path that is another number on each machine.
    what += " text" if theirs.dtype.kind in "US" else f" {theirs.dtype}"
    # R has no scalars: a vector of one and a number are the same thing.
    if mine.size == theirs.size == 1:
        mine, theirs = mine.reshape(()), theirs.reshape(())
    if mine.shape != theirs.shape:
        shape = " x ".join(f"{n:,}" for n in mine.shape) or "one value"
        return Agreement(name, what, f"R has {shape}", False)
    if not (_is_numeric(mine) and _is_numeric(theirs)):
        same = bool(np.array_equal(mine.astype(str), theirs.astype(str)))
        verdict = "equal" if same else "not the same values"
        return Agreement(name, what, verdict, same)
    return Agreement(name, what, *_judge(_distance(mine, theirs), tolerance))


def _is_numeric(array: np.ndarray) -> bool:
    return array.dtype.kind in "biuf"


def _distance(mine: np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference, in pieces; missing values must be in both."""
    if mine.ndim == 0:
        mine, theirs = mine.reshape(1), theirs.reshape(1)
    rows = max(1, _PIECE // max(1, mine[0].size)) if mine.size else 1
    largest = 0.0
    for start in range(0, len(mine), rows):
        a = mine[start : start + rows]
        b = theirs[start : start + rows]
        if b.dtype.kind == "f" and a.dtype.kind == "f":
            a = a.astype(np.result_type(b.dtype), copy=False)
        a, b = a.astype(float, copy=False), b.astype(float, copy=False)
        if not np.array_equal(np.isnan(a), np.isnan(b)):
            return float("inf")
        # Equal infinities leave NaN, which counts as no difference.
        with np.errstate(invalid="ignore"):
            difference = np.abs(a - b)
        if difference.size and not np.isnan(difference).all():
            largest = max(largest, float(np.nanmax(difference)))
    return largest


def _judge(largest: float, tolerance: float) -> tuple[str, bool]:
    if largest == 0:
        return "equal to the last digit", True
    if largest <= tolerance:
        return f"equal within {tolerance:g}", True
    return f"differ, by up to {largest:.3g}", False


def value_in_python(name: str) -> Any:
    """The notebook's variable of this name; NameError if there is none."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        raise RuntimeError(
            "compare() looks at the variables of a notebook; there is none "
            "here. Use sidebyside.lesson.compare.agreement() on values."
        )
    if name not in shell.user_ns:
        raise NameError(
            f"There is no Python variable {name!r}. Run the Python half of "
            "the pair first."
        )
    return shell.user_ns[name]


def value_in_r(name: str) -> Any:
    """R's variable of this name; NameError if there is none."""
    from ..kernel import rsession

    session = rsession.current()
    if not session.has_variable(name):
        raise NameError(
            f"There is no R variable {name!r}. Run the R half of the pair first."
        )
    session.call("send_to_python", name)
    return _received.pop(name)
