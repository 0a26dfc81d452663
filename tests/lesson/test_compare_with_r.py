"""Values as R has them, beside Python's: what reticulate loses counts too."""

import ast

import pytest

SAME = [
    ("c(TRUE, NA, FALSE)", "[True, None, False]"),
    ("NA", "None"),
    ("c(1L, NA)", "pd.Series([1, None], dtype='Int64')"),
    ("c(1.5, NA)", "[1.5, float('nan')]"),
    ("c(1.5, NaN)", "[1.5, float('nan')]"),
    ("c('a', NA)", "['a', None]"),
    ("matrix(c(1L, NA, 3L, 4L), 2)", "[[1, 3], [None, 4]]"),
    ("list(a = NA, b = c(1L, NA))", "{'a': None, 'b': [1, None]}"),
    ("factor(c('x', NA, 'z'))", "pd.Categorical(['x', None, 'z'])"),
    ("as.Date(c('2024-02-29', NA))", "[datetime.date(2024, 2, 29), None]"),
    (
        "as.POSIXct('2024-02-29 12:00:00.25', tz = 'Europe/Paris')",
        "pd.Timestamp('2024-02-29 11:00:00.25')",
    ),
    ("list(1, 'a', TRUE)", "[1, 'a', True]"),
    ("list(1, a = 'x')", "[1, 'x']"),
    ("list(1, list('a', list(TRUE)))", "(1, ['a', [True]])"),
    ("list(1, 2, 3)", "np.arange(1, 4)"),
    ("list(a = 1, b = list(c = 'x'))", "{'b': {'c': 'x'}, 'a': 1}"),
    ("c(a = 1, b = 2)", "{'b': 2, 'a': 1}"),
    ("c(a = 1, b = 2)", "[1, 2]"),
    ("NULL", "None"),
    ("list(NULL, 28L, NULL)", "(None, 28, None)"),
    (
        "matrix(1:4, 2, dimnames = list(c('u', 'v'), c('a', 'b')))",
        "pd.DataFrame({'b': [3, 4], 'a': [1, 2]}, index=['u', 'v'])",
    ),
    (
        "subset(data.frame(n = 1:4, g = c('x', 'y')), g == 'y')",
        "pd.DataFrame({'n': [1, 2, 3, 4], 'g': list('xyxy')}).query('g == \"y\"')",
    ),
    ("table(c('a', 'b', 'a'))", "pd.Series(list('baa')).value_counts()"),
    ("list()", "[]"),
    ("list()", "{}"),
    ("as.raw(c(1, 255))", "b'\\x01\\xff'"),
    ("list(matrix(0, 2, 3), c(1, 2))", "[np.zeros((2, 3)), [1, 2]]"),
    (
        "data.frame(x = 1:2, y = c('a', NA))",
        "pd.DataFrame({'y': ['a', None], 'x': [1, 2]})",
    ),
    (
        "data.frame(x = 1:2, row.names = c('a', 'b'))",
        "pd.DataFrame({'x': [1, 2]}, index=['a', 'b'])",
    ),
    ("2^53", "2**53"),
]

DIFFERENT = [
    ("c(TRUE, NA, FALSE)", "[True, True, False]"),
    ("c(1L, NA)", "[1, -2**31]"),
    ("c('a', NA)", "['a', 'NA']"),
    ("NaN", "None"),
    ("factor(c('x', NA))", "['x', 'NA']"),
    ("NULL", "float('nan')"),
    ("list(NULL, 28L)", "(0, 28)"),
    ("2^53", "2**53 + 1"),
    ("factor(c('x', 'y'))", "[1, 2]"),
    (
        "matrix(1:4, 2, dimnames = list(c('u', 'v'), c('a', 'b')))",
        "pd.DataFrame({'a': [1, 2], 'b': [3, 4]}, index=['v', 'u'])",
    ),
    (
        "data.frame(x = 1:2, row.names = c('a', 'b'))",
        "pd.DataFrame({'x': [1, 2]}, index=['b', 'a'])",
    ),
    ("as.Date('2024-01-01')", "datetime.date(2024, 1, 2)"),
]


@pytest.mark.parametrize(("cases", "expected"), [(SAME, True), (DIFFERENT, False)])
def test_whether_values_agree(kernel, cases, expected):
    """One cell for R and one for Python have all of them."""
    r = "\n".join(f"v{i} <- {r}" for i, (r, _) in enumerate(cases))
    python = "\n".join(f"v{i} = {p}" for i, (_, p) in enumerate(cases))
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
    agree = ast.literal_eval(asked.text)
    assert [c for c, a in zip(cases, agree, strict=True) if a is not expected] == []


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
