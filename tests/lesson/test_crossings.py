"""Functions for notebook 02: addresses, journeys, costs and the map."""

import ast
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest
from sidebyside.lesson import crossings
from sidebyside.lesson.crossings import (
    Map,
    _cost,
    _lost_in_python,
    address,
    microseconds,
)

COSTS = {
    "kernel_to_r": 12.4,
    "kernel_to_python": 0.05,
    "r_to_python": 84.0,
    "python_to_r": 13.2,
    "python_to_keras": 61.0,
    "python_to_tensorflow": 1250.0,
}
IN_WORDS = [
    *("kernel_to_python", "kernel_to_r", "r_to_python"),
    *("python_to_r", "python_to_keras", "python_to_tensorflow"),
]


@pytest.fixture(scope="module")
def journeys(kernel):
    """A kernel in which values of R have gone to Python and back."""
    sent = kernel.r(
        "kinds <- list(matrix = matrix(c(1, 2, 3, 4), 2),\n"
        "  matrices = list(matrix(0, 2, 2), 1), factor = factor(c('a', 'b')),\n"
        "  missing = NA, one = 1.5,\n"
        "  `function` = function(x) x + 1,\n"
        "  module = reticulate::import('math'))\n"
        "seen <- lapply(kinds, reticulate::r_to_py)\n"
        "home <- lapply(seen, reticulate::py_to_r)\n"
        "reticulate::py_run_string('import math')\n"
        "sent <- reticulate::import_main()\n"
        "sent$seen <- seen"
    )
    assert sent.ok, sent.shown
    assert kernel.run("from sidebyside.lesson.crossings import *").ok
    return kernel


def value(kernel, expression):
    """Return the value of a Python expression in the kernel."""
    reply = kernel.run(f"print(repr({expression}))")
    assert reply.ok, reply.shown
    return reply.stdout.strip()


# --- addresses


def test_two_views_of_an_array_have_one_address():
    array = np.arange(6.0)
    assert address(array) == address(array.reshape(2, 3))
    assert address(array) != address(array.copy())
    assert address(array) != address(array[1:])


def test_both_languages_have_a_matrix_of_r_at_one_address(journeys):
    assert journeys.r(
        "m <- kinds$matrix + 1\nv <- reticulate::r_to_py(m)\nsent$v <- v"
    ).ok
    assert value(journeys, "address(v) == address_in_r('m')") == "True"
    assert journeys.r("m2 <- reticulate::py_to_r(v)").ok
    assert value(journeys, "address(v) == address_in_r('m2')") == "False"


# --- journeys


@pytest.mark.parametrize(
    ("kind", "memory", "lost"),
    [
        ("matrix", "shared", "nothing"),
        ("matrices", "shared", "nothing"),
        ("one", "copied", "nothing"),
        ("factor", "copied", "its class: comes home as character; its levels"),
        ("missing", "copied", "its NA: comes home as TRUE"),
        ("function", "a handle", "its class: comes home as Python's function"),
        ("module", "the same object", "nothing"),
    ],
)
def test_the_table_shows_what_r_values_share_and_lose(journeys, kind, memory, lost):
    found = value(journeys, f"list(trips_from_r(seen).loc['{kind}'])[2:]")
    assert ast.literal_eval(found) == [memory, lost]


def test_a_lost_value_is_noticed(journeys):
    """The table really compares the values before and after the journey."""
    assert journeys.r("home$matrix[1, 1] <- 5").ok
    assert value(journeys, "trips_from_r(seen).loc['matrix'].iloc[-1]") == "'its value'"
    assert journeys.r("home$matrix <- kinds$matrix").ok
    assert value(journeys, "trips_from_r(seen).loc['matrix'].iloc[-1]") == "'nothing'"


def test_a_value_that_rpy2_refuses_has_a_row(journeys):
    assert journeys.run(
        "import math, numpy as np\n"
        "from rpy2.robjects import default_converter, numpy2ri, pandas2ri\n"
        "both = default_converter + numpy2ri.converter + pandas2ri.converter\n"
        "table = trips_by_rpy2({'array': np.eye(2), 'small': 7, 'large': 2**40,\n"
        "    'module': math}, both)"
    ).ok
    assert value(journeys, "list(table['in R'] == 'refused')") == (
        "[False, False, True, True]"
    )
    assert value(journeys, "list(table.loc['array'])[2:]") == "['copied', 'nothing']"
    # No variable is left behind in R.
    assert journeys.r('cat(exists(".crossing"))').stdout.strip() == "FALSE"


FRAME = pd.DataFrame({"n": [1, 2]}, index=["1", "2"])


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        (1.5, 1.5, "nothing"),
        (1, 1.0, "its type: comes home as float"),
        (np.arange(3.0), np.arange(3.0), "nothing"),
        (np.arange(3.0), np.zeros(3), "its value"),
        (np.zeros((2, 3)), np.zeros((3, 2)), "its value"),
        (np.arange(3), np.arange(3.0), "comes home as float64"),
        (float("nan"), float("nan") + 1, "nothing"),
        (np.array([1.0, np.nan]), np.array([1.0, np.nan]), "nothing"),
        (np.array([1.0, np.nan]), np.array([np.nan, 1.0]), "its value"),
        (pd.Categorical(["a"]), pd.Categorical(["a"]), "nothing"),
        (pd.Categorical(["a"]), pd.Categorical(["b"]), "its value"),
        (FRAME, FRAME.astype("int32"), "n: comes home as int32"),
        (FRAME, FRAME + 1, "n: its value"),
        (FRAME, FRAME.reset_index(drop=True), "its row names"),
    ],
)
def test_the_loss_of_a_python_value_is_named(before, after, lost):
    assert _lost_in_python(before, after) == lost


# --- costs


def test_a_cost_is_the_median_of_seven_means_after_a_warm_up(monkeypatch):
    """The n-th repeat after the warm-up takes n milliseconds per call."""
    made = []

    def repeat(call, number, repeat):
        for _ in range(number * repeat):
            call()
        return [9e9, *(number * 1e-3 * (i + 1) for i in range(repeat - 1))]

    monkeypatch.setattr(crossings.timeit, "repeat", repeat)
    cost = microseconds(lambda: made.append(1), number=3)
    assert len(made) == 3 * 8
    assert cost == pytest.approx(4000)


@pytest.mark.parametrize(
    ("cost", "shown"),
    [
        (0.0512, "0.051 µs"),
        (9.96, "10 µs"),
        (12.6, "13 µs"),
        (99.6, "100 µs"),
        (1250, "1.2 ms"),
        (123_400, "123 ms"),
    ],
)
def test_costs_are_shown_with_two_digits(cost, shown):
    assert _cost(cost) == shown


# --- the map


def test_the_map_shows_and_says_who_calls_whom_and_each_cost():
    drawing = ElementTree.fromstring(Map(**COSTS).svg())
    space = "{http://www.w3.org/2000/svg}"
    assert drawing.get("role") == "img"
    assert [part.tag for part in drawing[:2]] == [f"{space}title", f"{space}desc"]
    said = drawing[1].text
    drawn = " ".join(drawing.itertext()).replace(said, "")
    for name in ("kernel", "rpy2", "R", "reticulate", "Python", "Keras", "TensorFlow"):
        assert re.search(rf"\b{name}\b", drawn), name
    said_in_order = [said.index(f"({_cost(COSTS[name])}") for name in IN_WORDS]
    assert said_in_order == sorted(said_in_order)
    assert all(_cost(cost) in drawn for cost in COSTS.values())


def test_a_page_that_does_not_trust_svg_gets_a_picture():
    shown = Map(**COSTS)._repr_mimebundle_()
    assert set(shown) == {"image/svg+xml", "image/png", "text/plain"}
    assert shown["image/png"].startswith("iVBOR")
    assert shown["text/plain"] == Map(**COSTS).description
