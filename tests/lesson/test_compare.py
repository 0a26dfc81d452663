"""What a check finds out about a value of R and a value of Python."""

from types import SimpleNamespace

import IPython
import numpy as np
import pytest
from sidebyside import Different
from sidebyside.lesson import compare as parity
from sidebyside.lesson.compare import agreement, compare


class Model:
    """What agreement() asks of a Keras model."""

    def __init__(self, *weights):
        self.weights = [np.asarray(w, dtype="float32") for w in weights]

    def get_weights(self):
        return self.weights

    def count_params(self):
        return sum(w.size for w in self.weights)


def history(**metrics):
    """What Keras's fit() returns, as far as agreement() asks."""
    return SimpleNamespace(history=metrics)


# --- numbers and arrays


@pytest.mark.parametrize(
    ("in_r", "in_python"),
    [
        (np.arange(6.0).reshape(2, 3), np.arange(6).reshape(2, 3)),
        (np.array([1, 2], dtype="int32"), np.array([1, 2], dtype="uint8")),
        (np.array([True, False]), np.array([True, False])),
        ([1.0, 2.5], np.array([1.0, 2.5])),
        (np.zeros((0, 3)), np.zeros((0, 3))),
    ],
)
def test_equal_arrays_agree_whatever_their_type(in_r, in_python):
    found = agreement("x", in_r, in_python)
    assert found.agrees
    assert found.verdict == "equal to the last digit"


def test_a_vector_of_one_from_r_is_a_number():
    assert agreement("x", np.array([3.0]), 3).agrees
    assert agreement("x", 3.0, np.array([[3.0]])).agrees


def test_one_value_more_is_not_a_number():
    assert not agreement("x", np.array([3.0, 3.0]), 3).agrees


def test_rs_double_is_rounded_to_pythons_float32():
    """R has no 32-bit numbers: the same number looks different in double."""
    in_python = np.array([0.1, 1 / 3], dtype="float32")
    assert agreement("x", np.array([0.1, 1 / 3]), in_python).agrees


def test_rounding_forgives_nothing_that_float32_can_tell_apart():
    in_python = np.array([0.1], dtype="float32")
    neighbour = np.nextafter(in_python, np.float32(1)).astype(float)
    assert not agreement("x", neighbour, in_python).agrees


def test_the_last_digit_of_a_double_counts():
    found = agreement("x", 0.1 + 0.2, 0.3)
    assert not found.agrees
    assert found.verdict == "differ, by up to 5.55e-17"


def test_the_tolerance_counts_and_is_named():
    found = agreement("x", [1.0, 2.0], [1.0, 2.001], tolerance=0.01)
    assert found.agrees
    assert found.verdict == "equal within 0.01"
    assert not agreement("x", [1.0, 2.0], [1.0, 2.1], tolerance=0.01).agrees


def test_with_a_tolerance_the_verdict_does_not_depend_on_the_last_bits():
    """Releases of R differ in them, and the notebooks' outputs are compared."""
    for in_python in (1.0, np.nextafter(1.0, 2)):
        found = agreement("x", 1.0, in_python, tolerance=1e-9)
        assert found.verdict == "equal within 1e-09"


@pytest.mark.parametrize("tolerance", [-1, float("nan"), float("inf")])
def test_a_tolerance_that_is_none_is_refused(tolerance):
    with pytest.raises(ValueError, match="tolerance"):
        agreement("x", 1.0, 1.0, tolerance=tolerance)


@pytest.mark.parametrize("shape", [(6,), (3, 2), (1, 2, 3)])
def test_another_shape_is_named(shape):
    in_python = np.arange(6).reshape(2, 3)
    found = agreement("x", np.arange(6).reshape(shape), in_python)
    assert not found.agrees
    assert found.verdict == "R has " + " x ".join(map(str, shape))
    assert found.what == "2 x 3 int64"


def test_missing_values_in_both_places_agree():
    assert agreement("x", [1.0, np.nan], [1.0, np.nan]).agrees
    assert agreement("x", np.nan, np.nan).agrees


@pytest.mark.parametrize(
    ("in_r", "in_python"),
    [
        ([1.0, np.nan], [1.0, 2.0]),
        ([1.0, 2.0], [1.0, np.nan]),
        ([np.nan, 1.0], [1.0, np.nan]),
        (np.nan, 1.0),
    ],
)
def test_a_missing_value_in_one_of_them_never_agrees(in_r, in_python):
    assert not agreement("x", in_r, in_python, tolerance=1e9).agrees


def test_infinities_agree_only_with_themselves():
    assert agreement("x", [np.inf, 1.0], [np.inf, 1.0]).agrees
    assert not agreement("x", [np.inf], [-np.inf], tolerance=1e9).agrees
    assert not agreement("x", [np.inf], [1.0], tolerance=1e9).agrees


def test_arrays_are_compared_to_their_end(monkeypatch):
    """Pieces of 4 values: a difference in the last piece is still found."""
    monkeypatch.setattr(parity, "_PIECE", 4)
    in_r, in_python = np.zeros((11, 3)), np.zeros((11, 3))
    assert agreement("x", in_r, in_python).agrees
    in_r[10, 2] = 1e-300
    assert not agreement("x", in_r, in_python).agrees


# --- texts


def test_texts_are_compared_and_shown():
    assert agreement("x", "a", "a").agrees
    found = agreement("x", "double", "float")
    assert not found.agrees
    assert found.verdict == "R 'double', Python 'float'"


def test_a_text_and_a_number_differ():
    assert not agreement("x", "1", 1).agrees


def test_a_long_text_is_not_shown_whole():
    found = agreement("x", "a" * 500, "b")
    assert not found.agrees
    assert len(found.verdict) < 80


@pytest.mark.parametrize("texts", [["a", "b"], np.array(["a", "b"]), [1.5, 2.5]])
def test_a_text_and_several_values_differ(texts):
    assert not agreement("x", "a", texts).agrees
    assert not agreement("x", texts, "a").agrees


def test_one_text_in_a_list_is_the_text():
    assert agreement("x", "a", ["a"]).agrees
    assert agreement("x", np.array(["a"]), "a").agrees
    assert not agreement("x", "a", ["b"]).agrees


@pytest.mark.parametrize("longest", ["b", "much longer"])
def test_arrays_of_texts_are_described_without_their_length(longest):
    """It would differ from machine to machine where the texts are paths."""
    assert agreement("x", ["a", longest], np.array(["a", longest])).what == "2 text"


def test_arrays_of_texts_are_compared_value_by_value():
    assert agreement("x", ["a", "b"], np.array(["a", "b"])).agrees
    found = agreement("x", ["a", "c"], np.array(["a", "b"]))
    assert not found.agrees
    assert found.verdict == "[2]: R 'c', Python 'b'"


# --- mappings, histories, models


def test_a_list_of_r_and_a_dict_agree_in_any_order():
    in_r = {"loss": [0.5, 0.25], "accuracy": [0.5, 0.75]}
    in_python = {"accuracy": [0.5, 0.75], "loss": [0.5, 0.25]}
    found = agreement("scores", in_r, in_python)
    assert found.agrees
    assert found.what == "accuracy, loss, 2 each"


def test_the_part_that_differs_is_named():
    found = agreement("s", {"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 3.0})
    assert not found.agrees
    assert found.verdict == "$b: differ, by up to 1"


def test_other_names_are_named():
    found = agreement("s", {"a": 1.0}, {"a": 1.0, "b": 2.0})
    assert not found.agrees
    assert found.verdict == "R lacks b"


def test_a_history_is_compared_by_its_metrics():
    """R sends its history as a list of metrics, Python has Keras's object."""
    metrics = {"loss": [0.5, 0.25]}
    assert agreement("h", metrics, history(loss=[0.5, 0.25])).agrees
    assert not agreement("h", metrics, history(loss=[0.5, 0.26])).agrees


def test_a_tensor_is_compared_as_an_array():
    tensor = SimpleNamespace(numpy=lambda: np.array([1.0, 2.0]))
    assert agreement("x", [1.0, 2.0], tensor).agrees


def test_models_with_the_same_weights_agree():
    found = agreement("model", Model([1, 2], [3]), Model([1, 2], [3]))
    assert found.agrees
    assert found.what == "model, 3 parameters"


def test_one_other_weight_is_found():
    found = agreement("model", Model([1, 2], [3]), Model([1, 2], [3.5]))
    assert not found.agrees
    assert found.verdict == "[2]: differ, by up to 0.5"


def test_models_of_another_size_differ():
    found = agreement("model", Model([1, 2]), Model([1, 2], [3]))
    assert not found.agrees
    assert "R has 2 parameters" in found.verdict


# --- compare(), which looks the variables up


@pytest.fixture
def variables(monkeypatch):
    """Two dicts that stand for R's and the notebook's variables."""
    in_r, in_python = {}, {}

    class Session:
        def has_variable(self, name):
            return name in in_r

        def call(self, function, name):
            assert function == "describe_to_python"
            parity.receive(name, {"kind": "python", "values": in_r[name]})

    shell = SimpleNamespace(user_ns=in_python)
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    monkeypatch.setattr("sidebyside.kernel.rsession.current", Session)
    return in_r, in_python


def test_compare_prints_one_aligned_line_a_variable(variables, capsys):
    for side in variables:
        side.update(x=np.zeros((2, 3)), longer=1.0)
    compare("x", "longer")
    assert capsys.readouterr().out == (
        "x       2 x 3 float64      equal to the last digit\n"
        "longer  one value float64  equal to the last digit\n"
    )


def test_compare_raises_with_the_variables_that_differ_only(variables, capsys):
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


def test_differ_turns_the_question_round(variables, capsys):
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


def test_a_variable_that_r_does_not_have_is_a_sentence(variables):
    variables[1]["x"] = 1
    with pytest.raises(NameError, match=r"no R variable 'x'. Run the R half"):
        compare("x")


def test_a_variable_that_python_does_not_have_is_a_sentence(variables):
    variables[0]["x"] = 1
    with pytest.raises(NameError, match=r"no Python variable 'x'. Run the Py"):
        compare("x")


def test_what_r_sent_is_not_kept(variables):
    """A data set that was compared must not stay in memory."""
    for side in variables:
        side["x"] = np.zeros(3)
    compare("x")
    assert parity._received == {}


def test_compare_without_a_name_is_an_error():
    with pytest.raises(TypeError, match="at least one variable"):
        compare()


def test_outside_a_notebook_compare_says_what_to_use(variables, monkeypatch):
    variables[0]["x"] = 1
    monkeypatch.setattr(IPython, "get_ipython", lambda: None)
    with pytest.raises(RuntimeError, match=r"compare.agreement"):
        compare("x")
