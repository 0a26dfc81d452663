"""Bring values of R and of Python into one form, so that they can be compared.

`read()` turns a Python value into an array (`Leaf`), a list of such values, a
mapping or data frame (`Named`), or None. `from_description()` does the same with
the output of R's `describe()`, which keeps the names and missing values that
reticulate's conversion would lose.
"""

from __future__ import annotations

import contextlib
import datetime
import numbers
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# Integers up to here are exact in a double.
EXACT = 2**53

_SCALARS = (
    *(numbers.Number, np.bool_, str, os.PathLike, type(None)),
    *(datetime.date, np.datetime64),
)


@dataclass(frozen=True)
class Leaf:
    """An array.

    Attributes
    ----------
    values
        NumPy's numbers; or objects: texts, integers of any size, points in time
        (pandas, UTC), and None for a missing value. NaN is a number.
    labels
        Names along each axis of a vector or matrix; None for an axis without
        names. Empty if there are no names at all.
    """

    values: np.ndarray
    labels: tuple[tuple[str, ...] | None, ...] = ()

    def parts(self, axis: int = 0) -> list[Leaf]:
        """Return the parts along an axis; a single value is one part."""
        if not self.values.shape:
            return [self]
        values = np.moveaxis(self.values, axis, 0)
        # With [...] a single value is still an array.
        return [Leaf(values[i, ...]) for i in range(len(values))]


@dataclass(frozen=True)
class Named:
    """A mapping, or the columns of a data frame (`frame`)."""

    values: dict[str, Any]
    frame: bool = False
    rows: Leaf | None = None


def by_name(names: Sequence[str] | None, values: list, **options: Any) -> Named | list:
    """Return the values by name if every value has a different name, else a list."""
    if names is None or len(set(names)) < len(values) or "" in names:
        return values
    return Named(dict(zip(names, values, strict=True)), **options)


def is_model(value: Any) -> bool:
    return hasattr(value, "get_weights") and hasattr(value, "count_params")


def as_python(value: Any) -> Any:
    """Turn a training history into its metrics, and a tensor into an array."""
    history = getattr(value, "history", None)
    if isinstance(history, Mapping):
        return history
    if callable(getattr(value, "numpy", None)):
        return value.numpy()
    return value


def read(value: Any) -> Any:
    """Turn a Python value into the form that we compare. A Keras model stays as it is.

    Raises TypeError, which has only the type's name, for any other type.
    """
    if value is None or isinstance(value, Leaf | Named) or is_model(value):
        return value
    value = as_python(value)
    if isinstance(value, Mapping):
        return Named({str(key): read(item) for key, item in value.items()})
    if _are_scalars([value]):
        return Leaf(_scalars([value]).reshape(()))
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, Sequence):
        return _list(list(value))
    if type(value).__module__.startswith("pandas"):
        return _pandas(value)
    if hasattr(value, "__array__"):
        # A symbolic tensor also has this method, but it raises an error.
        with contextlib.suppress(Exception):
            return _array(np.asarray(value))
    raise TypeError(f"{type(value).__module__}.{type(value).__qualname__}")


def _are_scalars(values: list) -> bool:
    kinds = set(map(type, values))
    # For NumPy, durations are numbers, too.
    return np.timedelta64 not in kinds and all(
        issubclass(kind, _SCALARS) or kind.__name__ == "NAType" for kind in kinds
    )


def _scalars(values: list) -> np.ndarray:
    """Return NumPy's numbers if that rounds none of them; else objects."""
    if all(isinstance(value, numbers.Number | np.bool_) for value in values):
        array = np.array(values)
        whole = [v for v in values if isinstance(v, numbers.Integral)]
        if array.dtype.kind != "f" or all(abs(v) <= EXACT for v in whole):
            return array
    array = np.empty(len(values), object)
    array[:] = [_object(value) for value in values]
    return array


def _object(value: Any) -> Any:
    import pandas as pd

    if isinstance(value, datetime.date | np.datetime64):
        value = pd.to_datetime(value, utc=True)
    if value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.item() if isinstance(value, np.generic) else value


def _list(values: list) -> Leaf | list:
    """Return an array if all elements have the same type and shape."""
    if _are_scalars(values):
        return Leaf(_scalars(values))
    parts = [read(value) for value in values]
    if all(isinstance(part, Leaf) for part in parts):
        arrays = [part.values for part in parts]
        if len({(array.shape, array.dtype) for array in arrays}) == 1:
            return Leaf(np.stack(arrays))
    return parts


def _array(array: np.ndarray) -> Leaf | list:
    if isinstance(array, np.ma.MaskedArray):
        array = np.where(np.ma.getmaskarray(array), None, array.data)
    if array.dtype.kind in "biufc":
        return Leaf(array)
    flat = list(array.ravel())
    if array.dtype.kind in "OUTM" and _are_scalars(flat):
        return Leaf(_scalars(flat).reshape(array.shape))
    if array.dtype == object:
        return [read(part) for part in array]
    raise TypeError(f"array of {array.dtype}")


def _pandas(value: Any) -> Any:
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        names = tuple(map(str, value.columns))
        # .array leaves out the labels, which are the same for all columns.
        columns = [read(value.iloc[:, i].array) for i in range(len(names))]
        rows = _names(value.index)
        return by_name(names, columns, frame=True, rows=rows and _list(list(rows)))
    if not isinstance(value, pd.Series | pd.Index | pd.api.extensions.ExtensionArray):
        raise TypeError(f"pandas.{type(value).__name__}")
    series = pd.Series(value)
    if not isinstance(series.dtype, np.dtype):  # categories, numbers with pd.NA
        series = series.astype(object)
    found = _array(series.to_numpy())
    names = _names(series.index)
    return Leaf(found.values, (names,)) if names and isinstance(found, Leaf) else found


def _names(index: Any) -> tuple[str, ...] | None:
    return tuple(index) if index.inferred_type == "string" else None


def from_description(described: Mapping[str, Any]) -> Any:
    """Make a value from what `describe()` in r/R/session.R says about R's value."""
    kind = described["kind"]
    if kind == "null":
        return None
    if kind == "python":
        return read(described["values"])
    if kind == "other":
        raise TypeError(described["class"])
    labels = tuple(
        None if names is False else tuple(map(str, names))
        for names in described["labels"]
    )
    if kind in ("list", "frame"):
        rows, names = labels
        items = [from_description(item) for item in described["items"]]
        rows = rows and _list(list(rows))
        return by_name(names, items, frame=kind == "frame", rows=rows)
    array = np.asarray(described["values"])
    if kind == "time":
        array = _times(array)
    if described["missing"] is not False:
        array = array.astype(object)
        at = np.asarray(described["missing"], dtype=np.int64)
        array[np.unravel_index(at, array.shape, order="F")] = None
    return Leaf(_array(array).values, labels)


def _times(seconds: np.ndarray) -> np.ndarray:
    """Turn seconds since 1970 into points in time, to the microsecond as in R."""
    import pandas as pd

    times = pd.to_datetime(seconds.ravel(), unit="s", utc=True).round("us")
    return times.astype(object).to_numpy().reshape(seconds.shape)
