"""Comparisons of a value of R with a value of Python."""

from types import SimpleNamespace

import IPython
import numpy as np
import pandas as pd
import pytest
from sidebyside import Different
from sidebyside.lesson import compare as parity
from sidebyside.lesson.compare import agreement, compare

LAST = "equal to the last digit"
OFF_BY_ONE = "; ".join(f"${name}: differ, by up to 1" for name in "abc")


class Model:
    """A fake model with the methods that agreement() calls."""

    def __init__(self, *weights):
        self.weights = [np.asarray(w, dtype="float32") for w in weights]

    def get_weights(self):
        return self.weights

    def count_params(self):
        return sum(w.size for w in self.weights)


ARRAY = np.arange(6).reshape(2, 3)
SCORES = {"loss": [0.5, 0.25], "accuracy": [0.5, 0.75]}


@pytest.mark.parametrize(
    ("in_r", "in_python", "what", "verdict"),
    [
        (ARRAY + 0.0, ARRAY, "2 x 3 int64", "equal to the last digit"),
        (ARRAY.ravel(), ARRAY, "2 x 3 int64", "R has 6"),
        (ARRAY[None], ARRAY, "2 x 3 int64", "R has 1 x 2 x 3"),
        (0.1 + 0.2, 0.3, "one value float64", "differ, by up to 5.55e-17"),
        ("double", "float", "text", "R 'double', Python 'float'"),
        # Without the length of the longest text, which depends on the machine.
        (["a", "c"], np.array(["a", "b"]), "2 text", "[2]: R 'c', Python 'b'"),
        (["a"] * 2, ["a"] * 2, "2 text", "equal"),
        ([], np.zeros(0, int), "0 int64", "equal"),
        (dict(reversed(SCORES.items())), SCORES, "loss, accuracy, 2 each", LAST),
        ({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 3.0}, "a, b", "$b: differ, by up to 1"),
        ({"a": 1.0}, {"b": 2.0, "c": 1}, "b, c", "R lacks b, c; Python lacks a"),
        ({"a": [1, "a"]}, {"a": [1, 2]}, "a, 2 each", "$a[2]: R 'a', Python 2"),
        (
            pd.DataFrame({"a": [1, 2, 3]}),
            0,
            "one value int64",
            "R has data frame, 3 x 1",
        ),
        ({"a": 1, "b": 1, "c": 1}, dict.fromkeys("abc", 2), "a, b, c", OFF_BY_ONE),
        (1, [[1], "a"], "list of 2", "R has one value int64"),
        (None, 0, "one value int64", "R has nothing"),
        (Model([1, 2], [3]), Model([1, 2], [3]), "model, 3 parameters", LAST),
        (
            Model([1, 2], [3]),
            Model([1, 2], [3.5]),
            "model, 3 parameters",
            "[2]: differ, by up to 0.5",
        ),
        (
            Model([1, 2]),
            Model([1, 2], [3]),
            "model, 3 parameters",
            "R has model, 2 parameters",
        ),
    ],
)
def test_the_verdict_describes_what_was_found(in_r, in_python, what, verdict):
    found = agreement("x", in_r, in_python)
    assert (found.what, found.verdict) == (what, verdict)
    assert found.agrees == verdict.startswith("equal")


@pytest.mark.parametrize("in_python", [1.0, np.nextafter(1.0, 2), 1.0 + 1e-9])
def test_with_a_tolerance_the_verdict_names_the_tolerance(in_python):
    """Versions of R differ in the last bits, and notebooks' outputs are compared."""
    found = agreement("x", {"a": 1.0}, {"a": in_python}, tolerance=2e-9)
    assert found.verdict == "equal within 2e-09"


@pytest.mark.parametrize("tolerance", [-1, float("nan"), float("inf"), "0.1", None])
def test_a_bad_tolerance_is_refused(tolerance):
    with pytest.raises(ValueError, match="tolerance"):
        agreement("x", 1.0, 1.0, tolerance=tolerance)


def test_a_long_text_is_not_shown_whole():
    assert len(agreement("x", "a" * 500, "b").verdict) < 80


# --- compare(), which looks the variables up


@pytest.fixture
def variables(monkeypatch):
    """Two dicts that replace R's and the notebook's variables."""
    in_r, in_python = {}, {}

    class Session:
        def has_variable(self, name):
            return name in in_r

        def variables(self):
            return list(in_r)

        def call(self, function, name):
            assert function == "describe_to_python"
            parity.receive(name, {"kind": "python", "values": in_r[name]})

    shell = SimpleNamespace(user_ns=in_python)
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    monkeypatch.setattr("sidebyside.kernel.rsession.current", Session)
    monkeypatch.setattr("sidebyside.kernel.rsession.is_started", lambda: True)
    return in_r, in_python


def test_compare_prints_one_aligned_line_per_variable(variables, capsys):
    for side in variables:
        side.update(x=np.zeros((2, 3)), longer=1.0)
    compare("x", "longer")
    assert capsys.readouterr().out == (
        "x       2 x 3 float64      equal to the last digit\n"
        "longer  one value float64  equal to the last digit\n"
    )


def test_the_error_of_compare_names_only_the_variables_that_differ(variables, capsys):
    in_r, in_python = variables
    in_r.update(same=1.0, other=2.0)
    in_python.update(same=1.0, other=3.0)
    with pytest.raises(Different) as raised:
        compare("same", "other")
    message = str(raised.value)
    assert "Expected the same in R and Python" in message
    assert "other" in message
    assert "same  " not in message
    assert capsys.readouterr().out == ""


def test_differ_requires_different_values(variables, capsys):
    in_r, in_python = variables
    in_r.update(same=1.0, other=2.0)
    in_python.update(same=1.0, other=3.0)
    compare("other", differ=True)
    assert "differ, by up to 1" in capsys.readouterr().out
    with pytest.raises(Different, match=r"Expected different(.|\n)*same"):
        compare("same", "other", differ=True)


def test_compare_passes_the_tolerance_on(variables):
    in_r, in_python = variables
    in_r["x"], in_python["x"] = 1.0, 1.1
    compare("x", tolerance=0.2)
    with pytest.raises(Different):
        compare("x", tolerance=0.05)


def test_a_variable_that_r_does_not_have_is_named(variables):
    variables[1]["x"] = 1
    with pytest.raises(NameError, match=r"no R variable 'x'. Run the R half"):
        compare("x")


def test_a_variable_that_python_does_not_have_is_named(variables):
    variables[0]["x"] = 1
    with pytest.raises(NameError, match=r"no Python variable 'x'. Run the Py"):
        compare("x")


def test_values_from_r_are_not_kept(variables):
    """A data set that was compared must not stay in memory."""
    for side in variables:
        side["x"] = np.zeros(3)
    compare("x")
    assert parity._received == {}


def test_compare_without_a_name_is_an_error():
    with pytest.raises(TypeError, match="needs the name of a variable"):
        compare()


def test_outside_a_notebook_compare_says_what_to_use(variables, monkeypatch):
    variables[0]["x"] = 1
    monkeypatch.setattr(IPython, "get_ipython", lambda: None)
    with pytest.raises(RuntimeError, match=r"compare.agreement"):
        compare("x")
