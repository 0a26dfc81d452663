"""Values in the form that we compare, and what counts as a difference."""

import datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sidebyside.lesson import compare
from sidebyside.lesson.compare import agreement
from sidebyside.lesson.values import from_description


def from_r(array, missing=False, labels=(), kind="vector"):
    """Make the output of R's describe() for a vector or an array."""
    return from_description(
        {
            "kind": kind,
            "values": np.asarray(array),
            "missing": missing,
            "labels": labels,
        }
    )


def verdict(in_r, in_python, **options):
    return agreement("x", in_r, in_python, **options).verdict


BIG = 2**53
NAN, INF = float("nan"), float("inf")
FLOAT32 = np.array([0.1, 1 / 3], "float32")
NA_TRUE = from_r([True, True], missing=[0])
NAMED = from_r([1.0, 2.0], labels=[["a", "b"]])
FRAME = pd.DataFrame({"x": [1, 2]}, index=["a", "b"])
TWICE = pd.DataFrame([[1, "a", 2.0]], columns=["x", "y", "x"])
MATRIX = from_r([[1.0, 2.0], [3.0, 4.0]], labels=[["u", "v"], ["a", "b"]])
NO_NAMES = from_r([[1.0, 2.0], [3.0, 4.0]])
COLUMNS = pd.DataFrame({"b": [2.0, 4.0], "a": [1.0, 3.0]})
SWAPPED = pd.DataFrame({"b": [1.0, 3.0], "a": [2.0, 4.0]})
DAY = from_r([19_782 * 86_400.0], kind="time")
ZONE = datetime.timezone(datetime.timedelta(hours=1))

SAME = [
    (np.arange(6.0).reshape(2, 3), np.arange(6).reshape(2, 3)),
    (np.array([1, 2], dtype="int32"), np.array([1, 2], dtype="uint8")),
    ([True, False], np.array([1, 0])),
    (np.zeros((0, 3)), np.zeros((0, 3))),
    (np.array([3.0]), 3),
    (3.0, np.array([[3.0]])),
    ([0.1, 1 / 3], FLOAT32),  # R has no 32-bit numbers
    ([np.array([0.1]), np.array([0.1])], [FLOAT32[:1], np.array([0.1])]),
    (from_r([0.1, 0], missing=[1]), np.array([0.1, NAN], "float32")),
    ([1.0, NAN], [1.0, NAN]),
    ([INF, 1.0], [INF, 1.0]),
    (complex("inf+1j"), complex("inf+1j")),
    ("a", ["a"]),
    (["a", "b"], np.array(["a", "b"])),
    ("a/b", Path("a/b")),
    (from_r(["a", "NA"], missing=[1]), pd.Series(["a", NAN])),
    *[(NA_TRUE, [nothing, True]) for nothing in (None, NAN, pd.NA, pd.NaT)],
    (None, None),
    (None, [None]),
    (None, [pd.NA]),
    (from_r([[1, 2], [3, 4]], missing=[1]), [[1, 2], [None, 4]]),  # R: by columns
    (from_r([1, 0], missing=[1]), np.ma.array([1, 2], mask=[False, True])),
    (NAMED, pd.Series([2.0, 1.0], index=["b", "a"])),
    (NAMED, pd.Series([1.0, 2.0])),
    (FRAME, FRAME.reset_index(drop=True)),
    (TWICE, TWICE),
    (MATRIX, COLUMNS),
    (MATRIX, COLUMNS.set_axis(["u", "v"])),
    (MATRIX, [[1.0, 2.0], [3.0, 4.0]]),
    (NO_NAMES, SWAPPED),  # by position
    (DAY, datetime.date(2024, 2, 29)),
    (from_r([1_709_204_400.1], kind="time"), pd.Timestamp("2024-02-29 11:00:00.1")),
    (DAY, pd.Timestamp("2024-02-29 01:00", tz="Europe/Paris")),
    (DAY, [datetime.datetime(2024, 2, 29, 1, tzinfo=ZONE)]),
    (DAY, np.array(["2024-02-29"], "datetime64[s]")),
    ({"loss": [0.5]}, SimpleNamespace(history={"loss": [0.5]})),
    ([1.0, 2.0], SimpleNamespace(numpy=lambda: np.array([1.0, 2.0]))),
]

DIFFERENT = [
    (float(BIG), BIG + 1),
    (np.array([BIG, 0]), np.array([BIG + 1, 0])),
    (np.array([-BIG, 0]), np.array([-BIG - 1, 0])),
    (np.array([2**63], "uint64"), np.array([2**63 + 1], "uint64")),
    (np.array([-1]), np.array([2**64 - 1], "uint64")),
    ([2**70], [2**70 + 1]),
    ([float(BIG), 0.5], [BIG + 1, 0.5]),
    ([[float(BIG)], [0.5]], [[BIG + 1], [0.5]]),
    ([0.1], [Decimal("0.1")]),
    (1e300, np.array(INF, "float32")),
    (np.nextafter(FLOAT32[:1], np.float32(1)).astype(float), FLOAT32[:1]),
    (complex("inf+1j"), complex("inf+2j")),
    ([3.0, 3.0], 3),
    ([1.0, NAN], [1.0, 2.0]),
    ([1.0, 2.0], [1.0, NAN]),
    ([NAN, 1.0], [1.0, NAN]),
    ([NAN, 1.0], [None, 1.0]),
    ([0.0, 1.0], [None, 1.0]),
    (NA_TRUE, [True, None]),
    (NA_TRUE, np.array([0.0, 1.0])),
    (None, 0),
    (None, NAN),
    ([INF], [-INF]),
    ([INF], [1.0]),
    ("1", 1),
    ("a", ["a", "b"]),
    ("a", ["b"]),
    (["1", "2"], [1, 2]),
    (from_r(["a", "NA"], missing=[1]), pd.Series(["a", "NA"])),
    (from_r([[1, 2], [3, 4]], missing=[1]), [[1, None], [3, 4]]),
    ([1, 2], np.ma.array([1, 2], mask=[False, True])),
    ([1, "a"], [1, "a", 2]),
    ([1, "a", 2], [1, "a"]),
    (NAMED, pd.Series([1.0, 2.0], index=["b", "a"])),
    (TWICE, TWICE.replace(1, 9)),
    (MATRIX, COLUMNS.set_axis(["v", "u"])),
    (MATRIX, SWAPPED),
    (NO_NAMES, COLUMNS),
    (NO_NAMES, {"a": [1.0, 3.0], "b": [2.0, 4.0]}),
    (DAY, datetime.date(2024, 3, 1)),
    (DAY, 19_782),
]


@pytest.mark.parametrize(("in_r", "in_python"), SAME)
def test_equal_values_agree(in_r, in_python):
    found = agreement("x", in_r, in_python)
    assert found.agrees, found


@pytest.mark.parametrize(("in_r", "in_python"), DIFFERENT)
def test_other_values_do_not_agree(in_r, in_python):
    assert not agreement("x", in_r, in_python).agrees
    assert agreement("x", in_python, in_python).agrees


@pytest.mark.parametrize(
    "in_python", [[1.0, NAN], [1.0, -INF], [1.0, "2"], [1.0, None]]
)
def test_a_tolerance_is_for_numbers(in_python):
    assert not agreement("x", [1.0, 2.0], in_python, tolerance=1e9).agrees


def test_the_place_of_a_difference_is_named_in_any_piece(monkeypatch):
    monkeypatch.setattr(compare, "_PIECE", 4)
    in_r = np.array([["a", "b"]] * 5, object)
    in_python = in_r.copy()
    in_python[4, 1] = "c"
    assert verdict(in_r, in_python) == "[5, 2]: R 'b', Python 'c'"
    in_python[4, 1] = None
    assert verdict(in_r, in_python) == "[5, 2]: R 'b', Python None"
    assert verdict(in_python, in_r) == "[5, 2]: R NA, Python 'b'"
    numbers = np.zeros((11, 3))
    numbers[10, 2] = 1e-300
    assert verdict(np.zeros((11, 3)), numbers) == "differ, by up to 1e-300"


def test_the_largest_differences_of_a_list_come_first():
    in_r = [np.zeros((i + 1, 2)) for i in range(5)]
    in_python = [w + 0.5**i for i, w in zip([5, 4, 1, 2, 3], in_r, strict=True)]
    said = verdict(in_r, in_python)
    assert [part[:3] for part in said.split("; ")][:3] == ["[3]", "[4]", "[5]"]
    assert said.endswith("and 2 more")


def test_row_names_that_differ_are_shown():
    said = "row names[2]: R 'b', Python 'c'"
    assert verdict(FRAME, FRAME.set_axis(["a", "c"])) == said


@pytest.mark.parametrize(
    "odd",
    [{1, 2}, print, object(), (i for i in [1]), np.timedelta64(1, "s")],
)
def test_values_of_other_types_raise_a_clear_error(odd):
    for value in ([1, odd], np.array([odd])):
        with pytest.raises(TypeError, match="x is or contains"):
            agreement("x", 1, value)
