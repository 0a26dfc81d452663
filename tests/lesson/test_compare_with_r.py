"""Comparisons with real values of R, including what reticulate would lose."""

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
def test_values_agree_as_expected(kernel, cases, expected):
    """All values are made in one R cell and one Python cell."""
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
def test_values_that_cannot_be_compared_raise_a_clear_error(kernel, value):
    kernel.r(f"odd <- {value}")
    kernel.run("odd = 1\nfrom sidebyside import compare")
    reply = kernel.run("compare('odd', differ=True)")
    assert "odd is or contains" in reply.shown


def test_the_weights_of_two_models_are_compared_place_by_place(kernel):
    kernel.r("w <- list(matrix(0, 2, 3), c(1, 2), 3)\nnamed <- list(kernel = 1:2)")
    kernel.run(
        "w = [np.zeros((2, 3)), np.array([1, 2.25]), 3]\nnamed={'kernel': [1, 4]}"
    )
    kernel.run("from sidebyside import compare")
    assert "[2]: differ, by up to 0.25" in kernel.run("compare('w')").shown
    assert "$kernel: differ, by up to 2" in kernel.run("compare('named')").shown


# Mistakes that a reader may type, and the important part of the message.
MISTAKES = [
    ("compare(d)", 'Write the name in quotes: compare("d")'),
    ("compare(d, e)", 'compare("d", "e")'),
    ("compare('d', len_)", 'compare("len_")'),
    ("compare([1, 2])", "list"),
    ("compare(d + d)", 'compare("x")'),
    ("compare()", "needs the name"),
    ("compare('squares', tolerance='small')", "'small'; expected a number"),
    ("compare('sqares')", "Did you mean 'squares'?"),
    ("compare('d.shape[0]')", "Give the value a name"),
    ("compare('only_r')", "no Python variable 'only_r'. Run the Python half"),
    ("compare('only_python')", "no R variable 'only_python'. Run the R half"),
    ("compare('squares', 'lapse')", "Neither R nor Python has a variable 'lapse'"),
    ("compare('e')", "differ, by up to 1"),
    ("compare('len_')", "len_ is or contains"),
    ("compare('broken')", "R's broken cannot be converted to Python"),
    ("compare('symbol')", "keras"),
    ("from_r(d)", 'from_r("d")'),
    ("translation(d)", 'translation("d")'),
    ("exercise('d')", "expected a function"),
    ("by_turns(len_)", 'by_turns("len_")'),
    ("cost('len')", "got a str; expected a function"),
    ("address_in_r(d)", 'address_in_r("d")'),
    ("address_in_r('nowhere')", "no R variable 'nowhere'"),
]


def test_a_mistake_is_explained_in_one_or_two_lines(kernel):
    """No traceback through this project's code is shown."""
    kernel.r(
        "squares <- e <- only_r <- symbol <- 1\nlen_ <- 1\n"
        'makeActiveBinding("broken", function() stop("not today"), globalenv())'
    )
    made = kernel.run(
        "import keras, pandas as pd\n"
        "from sidebyside import compare, exercise, from_r, translation\n"
        "from sidebyside.lesson.costs import by_turns, cost\n"
        "from sidebyside.lesson.crossings import address_in_r\n"
        "d, e = pd.DataFrame({'x': range(100)}), 2\nlen_, broken = len, 1\n"
        "squares = only_python = 1\nsymbol = keras.Input((2,))"
    )
    assert made.ok, made.shown
    wrong = []
    for code, said in MISTAKES:
        reply = kernel.run(code)
        if reply.ok or said not in reply.shown or reply.shown.count("\n") > 1:
            wrong.append((code, reply.shown))
    assert wrong == []


def test_without_the_first_cell_a_check_says_to_run_it(start_kernel):
    kernel = start_kernel()
    kernel.run("from sidebyside import compare\nx = 1")
    reply = kernel.run("compare('x')")
    assert "%load_ext sidebyside" in reply.shown
    assert "\n" not in reply.shown
