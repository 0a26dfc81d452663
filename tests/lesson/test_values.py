"""Values in the form that is compared, and what counts as a difference there."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from sidebyside.lesson import compare
from sidebyside.lesson.compare import agreement
from sidebyside.lesson.values import Leaf, from_description


def from_r(kind, array, missing=False, labels=()):
    """What R's describe() says of a vector or an array."""
    return from_description(
        {
            "kind": kind,
            "values": np.asarray(array),
            "missing": missing,
            "labels": labels,
        }
    )


def agree(in_r, in_python, **options):
    return agreement("x", in_r, in_python, **options).agrees


def verdict(in_r, in_python, **options):
    return agreement("x", in_r, in_python, **options).verdict


BIG = 2**53


@pytest.mark.parametrize(
    ("in_r", "in_python"),
    [
        (float(BIG), BIG + 1),
        (-float(BIG), -BIG - 1),
        (np.array([BIG + 2, 0]), np.array([BIG + 3, 0])),
        (np.array([-BIG - 2, 0]), np.array([-BIG - 3, 0])),
        (np.array([2**63], "uint64"), np.array([2**63 + 1], "uint64")),
        (np.array([-1]), np.array([2**64 - 1], "uint64")),
        ([2**70], [2**70 + 1]),
        ([float(BIG), 0.5], [BIG + 1, 0.5]),
        ([[float(BIG)], [0.5]], [[BIG + 1], [0.5]]),
        ([0.1], [Decimal("0.1")]),
    ],
)
def test_numbers_are_compared_without_rounding(in_r, in_python):
    assert not agree(in_r, in_python)
    assert agree(in_python, in_python)
    assert agree(in_r, in_r)


def test_a_number_too_large_for_float32_is_not_infinity():
    assert not agree(1e300, np.array(np.inf, "float32"))


def test_infinite_parts_of_complex_numbers_count():
    assert agree(complex("inf+1j"), complex("inf+1j"))
    assert not agree(complex("inf+1j"), complex("inf+2j"))


@pytest.mark.parametrize("nothing", [None, float("nan"), pd.NA, pd.NaT, np.nan])
def test_na_agrees_with_every_missing_value_of_python(nothing):
    assert agree(from_r("logical", [True, True], missing=[1]), [True, nothing])
    assert not agree(from_r("logical", [True, True], missing=[0]), [True, nothing])


@pytest.mark.parametrize(
    ("in_python", "expected"),
    [(None, True), ([None], True), ([pd.NA], True), (0, False), (np.nan, False)],
)
def test_null_agrees_with_none_only(in_python, expected):
    assert agree(None, in_python) is expected


def test_named_vectors_are_compared_by_name():
    in_r = from_r("double", [1.0, 2.0], labels=[["a", "b"]])
    assert agree(in_r, pd.Series([2.0, 1.0], index=["b", "a"]))
    assert not agree(in_r, pd.Series([1.0, 2.0], index=["b", "a"]))
    assert agree(in_r, pd.Series([1.0, 2.0]))


def test_nan_agrees_with_nan_only():
    assert agree([np.nan, 1.0], [np.nan, 1.0])
    assert not agree([np.nan, 1.0], [None, 1.0])
    assert not agree([0.0, 1.0], [None, 1.0])


def test_missing_places_are_counted_by_columns_as_r_does():
    in_r = from_r("integer", [[1, 2], [3, 4]], missing=[1])
    assert agree(in_r, [[1, 2], [None, 4]])
    assert not agree(in_r, [[1, None], [3, 4]])


def test_texts_of_pandas_are_missing_where_they_are_nan():
    in_r = from_r("character", np.array(["a", "NA"], object), missing=[1])
    assert agree(in_r, pd.Series(["a", np.nan]))
    assert not agree(in_r, pd.Series(["a", "NA"]))


def test_the_place_of_a_difference_is_named_in_any_piece(monkeypatch):
    monkeypatch.setattr(compare, "_PIECE", 4)
    in_r = np.array([["a", "b"]] * 5, object)
    in_python = in_r.copy()
    in_python[4, 1] = "c"
    assert verdict(in_r, in_python).startswith("[5, 2]: ")


def test_the_largest_differences_of_a_list_come_first():
    in_r = [np.zeros((i + 1, 2)) for i in range(5)]
    in_python = [w + 0.5**i for i, w in zip([5, 4, 1, 2, 3], in_r, strict=True)]
    said = verdict(in_r, in_python)
    assert [part[:3] for part in said.split("; ")][:3] == ["[3]", "[4]", "[5]"]
    assert said.endswith("and 2 more")


def test_a_list_that_is_longer_differs():
    assert not agree([1, "a"], [1, "a", 2])
    assert not agree([1, "a", 2], [1, "a"])


def test_frames_are_compared_by_row_names_where_both_have_them():
    frame = pd.DataFrame({"x": [1, 2]}, index=["a", "b"])
    assert agree(frame, frame)
    assert "row 1" in verdict(frame, frame.set_axis(["b", "a"]))
    assert "row 2" in verdict(frame, frame.set_axis(["a", "c"]))
    assert agree(frame, frame.reset_index(drop=True))


def test_columns_of_the_same_name_are_compared_by_place():
    frame = pd.DataFrame([[1, "a", 2.0]], columns=["x", "y", "x"])
    other = pd.DataFrame([[9, "a", 2.0]], columns=["x", "y", "x"])
    assert agree(frame, frame)
    assert not agree(frame, other)


def test_a_matrix_and_a_frame_are_compared_by_the_names_of_columns():
    array = [[1.0, 2.0], [3.0, 4.0]]
    in_r = from_r("double", array, labels=[["u", "v"], ["a", "b"]])
    frame = pd.DataFrame({"b": [2.0, 4.0], "a": [1.0, 3.0]})
    assert agree(in_r, frame)
    assert agree(in_r, frame.set_axis(["u", "v"]))
    assert not agree(in_r, frame.set_axis(["v", "u"]))
    assert not agree(in_r, frame.rename(columns={"a": "b", "b": "a"}))
    assert agree(in_r, array)


def test_a_matrix_without_names_and_a_frame_are_compared_by_place():
    in_r = from_r("double", [[1.0, 2.0], [3.0, 4.0]])
    assert agree(in_r, pd.DataFrame({"b": [1.0, 3.0], "a": [2.0, 4.0]}))
    assert not agree(in_r, pd.DataFrame({"b": [2.0, 4.0], "a": [1.0, 3.0]}))
    assert not agree(in_r, {"b": [1.0, 3.0], "a": [2.0, 4.0]})


def test_days_and_times_are_points_in_time():
    day = from_r("date", [19_782.0])
    assert agree(day, datetime.date(2024, 2, 29))
    assert agree(day, pd.Timestamp("2024-02-29 01:00", tz="Europe/Paris"))
    one = [
        datetime.datetime(
            2024, 2, 29, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=1))
        )
    ]
    assert agree(day, one)
    assert not agree(day, datetime.date(2024, 3, 1))
    assert not agree(day, 19_782)


def test_durations_differ_by_seconds():
    minute = from_r("duration", [60.0])
    assert agree(minute, datetime.timedelta(minutes=1))
    assert agree(minute, np.timedelta64(1, "m"))
    assert agree(minute, [np.timedelta64(60, "s")])
    assert agree(minute, pd.Timedelta(seconds=62), tolerance=2)
    assert not agree(minute, pd.Timedelta(seconds=62), tolerance=1.9)


def test_arrays_of_two_precisions_in_a_list_keep_them():
    in_python = [np.array([0.1], "float32"), np.array([0.1])]
    assert agree([np.array([0.1]), np.array([0.1])], in_python)


def test_a_masked_array_is_missing_where_it_is_masked():
    masked = np.ma.array([1, 2], mask=[False, True])
    assert agree(from_r("integer", [1, 0], missing=[1]), masked)


@pytest.mark.parametrize("odd", [{1, 2}, print, object(), (i for i in [1])])
def test_what_cannot_be_read_is_a_sentence_and_not_a_difference(odd):
    with pytest.raises(TypeError, match="x is, or contains"):
        agreement("x", 1, [1, odd])


def test_one_unreadable_object_is_the_same_as_itself():
    assert agree(print, print)


def test_a_split_array_keeps_what_is_missing():
    leaf = Leaf(np.array([[1, 2], [3, 4]]), "numbers", np.eye(2, dtype=bool))
    first, _ = leaf.parts(axis=1)
    assert first.values.tolist() == [1, 3]
    assert first.missing.tolist() == [True, False]
