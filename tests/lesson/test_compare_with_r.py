"""Values as R has them, beside Python's: what reticulate loses counts too."""

import pytest

SAME = {
    "NA among logicals": ("c(TRUE, NA, FALSE)", "[True, None, False]"),
    "a lone NA": ("NA", "None"),
    "NA among integers": ("c(1L, NA)", "pd.Series([1, None], dtype='Int64')"),
    "NA among doubles": ("c(1.5, NA)", "[1.5, float('nan')]"),
    "NaN": ("c(1.5, NaN)", "[1.5, float('nan')]"),
    "NA among texts": ("c('a', NA)", "['a', None]"),
    "NA in a matrix": ("matrix(c(1L, NA, 3L, 4L), 2)", "[[1, 3], [None, 4]]"),
    "NA in a list": ("list(a = NA, b = c(1L, NA))", "{'a': None, 'b': [1, None]}"),
    "factor": ("factor(c('x', NA, 'z'))", "pd.Categorical(['x', None, 'z'])"),
    "dates": (
        "as.Date(c('2024-02-29', NA))",
        "[datetime.date(2024, 2, 29), None]",
    ),
    "points in time": (
        "as.POSIXct('2024-02-29 12:00:00.25', tz = 'Europe/Paris')",
        "pd.Timestamp('2024-02-29 11:00:00.25')",
    ),
    "mixed list": ("list(1, 'a', TRUE)", "[1, 'a', True]"),
    "partly named list": ("list(1, a = 'x')", "[1, 'x']"),
    "nested list": ("list(1, list('a', list(TRUE)))", "(1, ['a', [True]])"),
    "list of one kind": ("list(1, 2, 3)", "np.arange(1, 4)"),
    "named list": ("list(a = 1, b = list(c = 'x'))", "{'b': {'c': 'x'}, 'a': 1}"),
    "named vector": ("c(a = 1, b = 2)", "{'b': 2, 'a': 1}"),
    "named vector and a list": ("c(a = 1, b = 2)", "[1, 2]"),
    "NULL": ("NULL", "None"),
    "NULL in a list": ("list(NULL, 28L, NULL)", "(None, 28, None)"),
    "matrix with names": (
        "matrix(1:4, 2, dimnames = list(c('u', 'v'), c('a', 'b')))",
        "pd.DataFrame({'b': [3, 4], 'a': [1, 2]}, index=['u', 'v'])",
    ),
    "matrix with names and an array": (
        "matrix(1:4, 2, dimnames = list(c('u', 'v'), c('a', 'b')))",
        "[[1, 3], [2, 4]]",
    ),
    "subset of a frame": (
        "subset(data.frame(n = 1:4, g = c('x', 'y')), g == 'y')",
        "pd.DataFrame({'n': [1, 2, 3, 4], 'g': list('xyxy')}).query('g == \"y\"')",
    ),
    "table": ("table(c('a', 'b', 'a'))", "pd.Series(list('baa')).value_counts()"),
    "empty list": ("list()", "[]"),
    "empty list and dict": ("list()", "{}"),
    "bytes": ("as.raw(c(1, 255))", "b'\\x01\\xff'"),
    "ragged arrays": ("list(matrix(0, 2, 3), c(1, 2))", "[np.zeros((2, 3)), [1, 2]]"),
    "frame, columns in another order": (
        "data.frame(x = 1:2, y = c('a', NA))",
        "pd.DataFrame({'y': ['a', None], 'x': [1, 2]})",
    ),
    "frame with row names": (
        "data.frame(x = 1:2, row.names = c('a', 'b'))",
        "pd.DataFrame({'x': [1, 2]}, index=['a', 'b'])",
    ),
    "whole doubles": ("2^53", "2**53"),
}

DIFFERENT = {
    "NA is not TRUE": ("c(TRUE, NA, FALSE)", "[True, True, False]"),
    "NA is not a number": ("c(1L, NA)", "[1, -2**31]"),
    "NA is not 'NA'": ("c('a', NA)", "['a', 'NA']"),
    "NA in another place": ("c(NA, 1)", "[1, None]"),
    "NaN is not None": ("NaN", "None"),
    "NA in a factor": ("factor(c('x', NA))", "['x', 'NA']"),
    "NULL is not NA": ("NULL", "float('nan')"),
    "NULL is not a number": ("list(NULL, 28L)", "(0, 28)"),
    "rows of a matrix": (
        "matrix(1:4, 2, dimnames = list(c('u', 'v'), c('a', 'b')))",
        "pd.DataFrame({'a': [1, 2], 'b': [3, 4]}, index=['v', 'u'])",
    ),
    "beyond 2^53": ("2^53", "2**53 + 1"),
    "far beyond": ("2^70", "2**70 + 1"),
    "columns by name": (
        "data.frame(a = 1:2, b = 3:4)",
        "pd.DataFrame({'b': [1, 2], 'a': [3, 4]})",
    ),
    "row names": (
        "data.frame(x = 1:2, row.names = c('a', 'b'))",
        "pd.DataFrame({'x': [1, 2]}, index=['b', 'a'])",
    ),
    "labels and codes": ("factor(c('x', 'y'))", "[1, 2]"),
    "a later day": ("as.Date('2024-01-01')", "datetime.date(2024, 1, 2)"),
}


def verdicts(kernel, cases, **options):
    """One cell for R, one for Python; name of each case: whether they agree."""
    r = "\n".join(f"v{i} <- {r}" for i, (r, _) in enumerate(cases.values()))
    python = "\n".join(f"v{i} = {p}" for i, (_, p) in enumerate(cases.values()))
    # A NULL assigned stays a variable.
    assert (sent := kernel.r(r)).ok, sent.shown
    made = kernel.run(
        "import datetime\nimport numpy as np, pandas as pd\n"
        "from sidebyside.lesson import compare as c\n" + python
    )
    assert made.ok, made.shown
    asked = kernel.run(
        f"[c.agreement('v', c.described_in_r(f'v{{i}}'), globals()[f'v{{i}}']).agrees"
        f" for i in range({len(cases)})]"
    )
    assert asked.ok, asked.shown
    return dict(zip(cases, eval(asked.text), strict=True))


def test_equal_values_agree(kernel):
    found = verdicts(kernel, SAME)
    assert [name for name, agrees in found.items() if not agrees] == []


def test_other_values_do_not(kernel):
    found = verdicts(kernel, DIFFERENT)
    assert [name for name, agrees in found.items() if agrees] == []


@pytest.mark.parametrize("value", ["function(x) x", "as.difftime(1, units = 'mins')"])
def test_what_cannot_be_compared_is_a_sentence(kernel, value):
    kernel.r(f"odd <- {value}")
    kernel.run("odd = 1\nfrom sidebyside import compare")
    reply = kernel.run("compare('odd', differ=True)")
    assert reply.error == "TypeError"
    assert "odd is, or contains" in reply.shown


def test_the_weights_of_two_models_are_compared_place_by_place(kernel):
    kernel.r("w <- list(matrix(0, 2, 3), c(1, 2), 3)\nnamed <- list(kernel = 1:2)")
    kernel.run(
        "w = [np.zeros((2, 3)), np.array([1, 2.25]), 3]\nnamed={'kernel': [1, 4]}"
    )
    kernel.run("from sidebyside import compare")
    assert "[2]: differ, by up to 0.25" in kernel.run("compare('w')").shown
    assert "$kernel: differ, by up to 2" in kernel.run("compare('named')").shown
