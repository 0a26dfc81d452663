"""Values of R and of Python in one form, so that `compare()` can compare them.

`read()` turns a Python value into an array (`Leaf`), a list (`Items`), a mapping
or data frame (`Named`), None, or the value itself where it is a Keras model.
`from_description()` does the same with what R's `describe()` says of its values:
their kind, names and missing values, which reticulate's translation loses.
"""

from __future__ import annotations

import datetime
import math
import numbers
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

NUMBERS, TEXTS, TIMES, DURATIONS = "numbers", "text", "datetime64", "timedelta64"
NOTHING = "missing values"

# Integers up to here are exact in a double.
EXACT = 2**53


@dataclass(frozen=True)
class Leaf:
    """An array of one kind of values.

    Attributes
    ----------
    values
        Numbers of any type, objects (texts; integers of any size), or
        microseconds, as int64, of points in time (since 1970, UTC) and of
        durations.
    kind
        `NUMBERS`, `TEXTS`, `TIMES`, `DURATIONS`, or `NOTHING` if all are missing.
    missing
        True where a value is missing (NA, None, NaT), of the same shape; None if
        there is no such value. NaN is a number.
    labels
        Names along each axis of a vector or matrix, None for an axis that has
        none; empty if there are no names at all.
    """

    values: Any
    kind: str
    missing: np.ndarray | None = None
    labels: tuple[tuple[str, ...] | None, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def parts(self, axis: int = 0) -> list[Leaf]:
        """The parts along an axis; a single value is one part."""
        if not self.shape:
            return [self]
        values = np.moveaxis(self.values, axis, 0)
        absent = np.moveaxis(self.absent(), axis, 0)
        # [...] keeps a single value an array.
        return [
            Leaf(values[i, ...], self.kind, absent[i, ...]) for i in range(len(values))
        ]

    def named(self) -> Named | Items:
        """A vector's elements, or a matrix's columns, by name if they have names."""
        names = self.labels[-1] if self.labels else None
        table = len(self.shape) == 2
        rows = self.labels[0] if table and self.labels else None
        return named(names, self.parts(axis=-1), frame=table, rows=rows)

    def absent(self) -> np.ndarray:
        """True where a value is missing."""
        return np.zeros(self.shape, bool) if self.missing is None else self.missing

    def reshape(self, *shape: int) -> Leaf:
        absent = None if self.missing is None else self.missing.reshape(shape)
        return Leaf(self.values.reshape(shape), self.kind, absent)


@dataclass(frozen=True)
class Items:
    """A list whose elements are of several kinds or shapes."""

    values: list


@dataclass(frozen=True)
class Named:
    """A mapping, or the columns of a data frame."""

    values: dict[str, Any]
    frame: bool = False
    rows: tuple[str, ...] | None = None


def is_model(value: Any) -> bool:
    return hasattr(value, "get_weights") and hasattr(value, "count_params")


def as_python(value: Any) -> Any:
    """A training history as its metrics, a tensor as its array."""
    history = getattr(value, "history", None)
    if isinstance(history, Mapping):
        return history
    if callable(getattr(value, "numpy", None)):
        return value.numpy()
    return value


def read(value: Any) -> Any:
    """A Python value in the form that is compared.

    Raises TypeError, with the type alone, if it or a part of it has none.
    """
    if value is None or isinstance(value, Leaf | Items | Named):
        return value
    if is_model(value):
        return value
    value = as_python(value)
    if isinstance(value, Mapping):
        return Named({str(key): read(item) for key, item in value.items()})
    if isinstance(value, bytes | bytearray):
        return Leaf(np.frombuffer(value, np.uint8), NUMBERS)
    if _kind_of_type(type(value)):
        return _scalars([value]).reshape()
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, Sequence):
        return _sequence(list(value))
    if type(value).__module__.startswith("pandas"):
        return _pandas(value)
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        if array.dtype != object or array.ndim:
            return _array(array)
    raise TypeError(f"{type(value).__module__}.{type(value).__qualname__}")


def _kind_of_type(kind: type) -> str:
    """What a scalar of this type is; "" if it is none."""
    # First, because NumPy counts its durations among the integers.
    if issubclass(kind, datetime.timedelta | np.timedelta64):
        return DURATIONS
    if issubclass(kind, numbers.Number | np.bool_):
        return NUMBERS
    if issubclass(kind, str | os.PathLike):
        return TEXTS
    if kind is type(None) or kind.__name__ in ("NAType", "NaTType"):
        return NOTHING
    if issubclass(kind, datetime.date | np.datetime64):
        return TIMES
    return ""


def _sequence(values: list) -> Leaf | Items:
    """A list: an array if its elements are of one type and shape."""
    if all(map(_kind_of_type, set(map(type, values)))):
        return _scalars(values)
    parts = [read(value) for value in values]
    if not all(isinstance(part, Leaf) for part in parts):
        return Items(parts)
    if len({(part.kind, part.shape, part.values.dtype) for part in parts}) > 1:
        return Items(parts)
    missing = np.stack([part.absent() for part in parts])
    array = np.stack([part.values for part in parts])
    return Leaf(array, parts[0].kind, missing if missing.any() else None)


def _scalars(values: list) -> Leaf | Items:
    """Scalars: an array if they are of one kind, whatever is missing."""
    types = {t: _kind_of_type(t) for t in set(map(type, values))}
    kinds = set(types.values()) - {NOTHING}
    absent = [types[type(value)] == NOTHING for value in values]
    if kinds == {TEXTS, NUMBERS} and all(
        value != value for value in values if types[type(value)] == NUMBERS
    ):
        # In a text, pandas marks a missing value by NaN.
        kinds = {TEXTS}
        absent = [types[type(value)] != TEXTS for value in values]
    if len(kinds) > 1:
        return Items([read(value) for value in values])
    missing = np.array(absent) if any(absent) else None
    if not kinds:
        # Nothing is known of what they are; an empty list is an empty array.
        return Leaf(np.zeros(len(values)), NOTHING if values else NUMBERS, missing)
    (kind,) = kinds
    if kind in (TIMES, DURATIONS):
        return _times(values, absent, kind)
    empty = "" if kind == TEXTS else 0
    kept = [empty if a else v for v, a in zip(values, absent, strict=True)]
    if kind == TEXTS:
        array = np.array([os.fspath(value) for value in kept], dtype=object)
    else:
        array = np.asarray(kept)
        whole = [v for v in kept if isinstance(v, int)] if array.dtype != int else []
        if any(abs(value) > EXACT for value in whole):
            array = np.array(kept, dtype=object)
    return Leaf(array, kind, missing)


def _times(values: list, absent: list[bool], kind: str) -> Leaf:
    plain = np.datetime64 if kind == TIMES else np.timedelta64
    found = []
    for value, nothing in zip(values, absent, strict=True):
        if getattr(value, "tzinfo", None) is not None and not nothing:
            value = value.astimezone(datetime.UTC).replace(tzinfo=None)
        found.append(plain("NaT") if nothing else plain(value, "us"))
    return _array(np.array(found, dtype=f"{kind}[us]"))


def _array(array: np.ndarray) -> Leaf | Items:
    if isinstance(array, np.ma.MaskedArray):
        array = np.where(np.ma.getmaskarray(array), None, array.data)
    kind = array.dtype.kind
    if kind in "biufc" or (kind == "V" and "float" in array.dtype.name):  # bfloat16
        return Leaf(array, NUMBERS)
    if kind in "UT":
        return Leaf(array.astype(object), TEXTS)
    if kind in "Mm":
        missing = np.isnat(array)
        unit = TIMES if kind == "M" else DURATIONS
        micro = array.astype(f"{unit}[us]").astype(np.int64)
        return Leaf(micro, unit, missing if missing.any() else None)
    if kind in "OS":
        found = _sequence(array.ravel().tolist())
        if isinstance(found, Leaf) and found.size == array.size:
            return found.reshape(*array.shape)
        return found if array.ndim == 1 else Items([read(part) for part in array])
    raise TypeError(f"array of {array.dtype}")


def _pandas(value: Any) -> Any:
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        plain = value.reset_index(drop=True)  # the labels are those of all columns
        columns = [read(plain.iloc[:, i]) for i in range(value.shape[1])]
        names = tuple(map(str, value.columns))
        rows = value.index
        labels = tuple(rows) if rows.inferred_type == "string" else None
        return named(names, columns, frame=True, rows=labels)
    if isinstance(value, pd.Series | pd.Index):
        labels = ()
        if isinstance(value, pd.Series) and value.index.inferred_type == "string":
            labels = (tuple(value.index),)
        if isinstance(value.dtype, pd.DatetimeTZDtype):
            series = pd.Series(value).dt.tz_convert("UTC").dt.tz_localize(None)
            found = _array(series.to_numpy())
        elif isinstance(value.dtype, np.dtype):
            found = _array(value.to_numpy())
        else:  # labels of categories, numbers with pd.NA
            found = _array(value.astype(object).to_numpy())
        return replace(found, labels=labels) if isinstance(found, Leaf) else found
    if isinstance(value, pd.api.extensions.ExtensionArray):
        return _pandas(pd.Series(value))
    raise TypeError(f"pandas.{type(value).__name__}")


def named(
    names: tuple[str, ...] | None, values: list, frame: bool = False, rows: Any = None
) -> Named | Items:
    """By name if every value has one of its own, else a list."""
    if names is None or len(set(names)) < len(values) or "" in names:
        return Items(values)
    return Named(dict(zip(names, values, strict=True)), frame, rows)


def from_description(described: Mapping[str, Any]) -> Any:
    """A value of R, from what `describe()` in r/R/session.R says of it."""
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
        items = [from_description(item) for item in described["items"]]
        return named(labels[-1], items, kind == "frame", labels[0])
    array, missing = np.asarray(described["values"]), None
    if kind == "integer64":  # R's package bit64 keeps them in the bits of doubles
        array = array.view(np.int64)
        missing = array == np.iinfo(np.int64).min
    elif described["missing"] is not False:
        missing = np.zeros(array.size, bool)
        missing[np.asarray(described["missing"], dtype=np.int64)] = True
        missing = missing.reshape(array.shape, order="F")
    leaf = {
        "character": TEXTS,
        "factor": TEXTS,
        "time": TIMES,
        "date": TIMES,
        "duration": DURATIONS,
    }.get(kind, NUMBERS)
    if leaf in (TIMES, DURATIONS):
        seconds = array * 86_400.0 if kind == "date" else array
        array = np.rint(np.nan_to_num(seconds) * 1e6).astype(np.int64)
    if missing is not None and missing.all():
        leaf = NOTHING
    return Leaf(array, leaf, missing if np.any(missing) else None, labels)
