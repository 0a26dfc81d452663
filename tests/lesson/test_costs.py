"""The timing of quick calls: numbers of measurements, and turns of the languages.

In the kernel we time only functions that sleep, and check only the lower limit.
"""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sidebyside import PYTHON, R
from sidebyside.lesson import costs
from sidebyside.lesson.costs import AT_LEAST, Turns, cost, enough_calls, strip

# --- one language


def test_measurements_are_per_call_and_as_many_as_requested(monkeypatch):
    """With a fake clock, on which the n-th call takes n seconds."""
    now, calls = [100.0], []
    monkeypatch.setattr(costs.time, "perf_counter", lambda: now[0])

    def f():
        calls.append(1)
        now[0] += len(calls)

    assert cost(f, times=3, calls=4) == pytest.approx([2.5, 6.5, 10.5])
    assert len(calls) == 12


def test_without_a_number_of_calls_enough_are_made(monkeypatch):
    monkeypatch.setattr(costs, "_seconds", lambda f, calls: calls * 2e-6)
    calls = enough_calls(None)
    assert AT_LEAST <= calls * 2e-6 <= 3 * AT_LEAST
    assert cost(len, times=2) == pytest.approx([2e-6, 2e-6])


def test_a_slow_function_is_called_once(monkeypatch):
    monkeypatch.setattr(costs, "_seconds", lambda f, calls: calls * 1.0)
    assert enough_calls(None) == 1


def test_a_pause_of_the_machine_does_not_make_a_function_slow(monkeypatch):
    pauses = [2 * AT_LEAST]

    def seconds(f, calls):
        return pauses.pop() if pauses else calls * 1e-6

    monkeypatch.setattr(costs, "_seconds", seconds)
    assert enough_calls(None) * 1e-6 >= AT_LEAST


@pytest.mark.parametrize("wrong", [{"times": 0}, {"calls": 0}, {"calls": -1}])
def test_zero_measurements_are_refused(wrong):
    with pytest.raises(ValueError, match="expected 1 or more"):
        cost(lambda: None, **wrong)


# --- what was found


FOUND = Turns("f", np.array([0.2, 0.4, 0.9]), np.array([0.1, 0.2, 0.3]))


def test_medians_and_their_ratio():
    assert FOUND.medians == (0.4, 0.2)
    assert FOUND.ratio == 2


def test_every_measurement_is_a_point_and_every_median_a_bar():
    fig, ax = plt.subplots()
    try:
        strip(ax, {"one": FOUND, "other": FOUND}, unit="ms", log=True)
        points = [x for x in ax.lines if x.get_marker() == "o"]
        bars = [x for x in ax.lines if x.get_marker() == "None"]
        assert [x.get_color() for x in points] == [R, PYTHON] * 2
        assert list(points[0].get_xdata()) == [200, 400, 900]
        assert [x.get_xdata()[0] for x in bars] == [400, 200] * 2
        assert ax.get_xscale() == "log"
        assert ax.yaxis_inverted()  # the first row is the highest
        assert ax.get_xlabel() == "milliseconds"
        assert [x.get_text() for x in ax.get_yticklabels()] == ["one", "other"]
        legend = [x.get_text() for x in ax.get_legend().get_texts()]
        assert legend == ["R", "Python"]
    finally:
        plt.close(fig)


def test_without_log_the_axis_begins_at_zero():
    fig, ax = plt.subplots()
    try:
        strip(ax, {"one": FOUND})
        ax.plot([7], [0], "D")  # a later point is not cut off
        low, high = ax.get_xlim()
        assert low == 0
        assert high > 7
        assert ax.get_xlabel() == "seconds"
    finally:
        plt.close(fig)


# --- by turns, in a kernel with R

TURNS = """
import time
from sidebyside.lesson.costs import by_turns
seen, prepared = [], []
def turn(*arguments):
    prepared.append(arguments)
    def f():
        seen.append(time.time())
        time.sleep(0.01)
    return f
"""

TURNS_IN_R = """
seen <- c()
prepared <- list()
turn <- function(...) {
  prepared[[length(prepared) + 1]] <<- list(...)
  function() {
    seen <<- c(seen, as.numeric(Sys.time()))
    Sys.sleep(0.01)
  }
}
"""


@pytest.fixture
def turns(kernel):
    for reply in (kernel.run(TURNS), kernel.r(TURNS_IN_R)):
        assert reply.ok, reply.shown
    return kernel


def test_the_languages_take_turns_at_going_first(turns):
    turns.run("found = by_turns('turn', times=4, calls=1)")
    reply = turns.run(
        "from sidebyside.lesson.compare import from_r\n"
        "order = sorted([(x, 'R') for x in from_r('seen')]\n"
        "               + [(x, 'P') for x in seen])\n"
        "''.join(name for _, name in order)"
    )
    assert reply.ok, reply.shown
    assert reply.text == "'RPPRRPPR'"


def test_both_clocks_measure_seconds_per_call(turns):
    reply = turns.run(
        "found = by_turns('turn', times=2, calls=3)\n"
        "print(found.name, found.r.shape, found.python.shape)\n"
        "print(min(found.r) >= 0.01, min(found.python) >= 0.01, len(seen))"
    )
    assert reply.ok, reply.shown
    assert reply.stdout == "turn (2,) (2,)\nTrue True 6\n"


def test_without_a_number_of_calls_each_language_finds_its_own(turns):
    quick = "quick <- function() {calls <<- 0; function() calls <<- calls + 1}"
    turns.r(quick)
    turns.run(
        "calls = []\ndef quick(): return lambda: (calls.append(1), time.sleep(0.001))\n"
        "found = by_turns('quick', times=1)"
    )
    in_python, in_r = turns.run("len(calls)").text, turns.r("cat(calls)").stdout
    assert 3 < int(in_python) < 200 < int(in_r)


def test_each_language_prepares_once_with_the_same_arguments(turns):
    given = "7, 0.5, 'a \"b\" \\\\', True"
    reply = turns.run(f"by_turns('turn', {given}, times=2, calls=1)\nprepared")
    assert reply.text == f"[({given})]"
    assert turns.r("cat(length(prepared))").stdout == "1"
    reply = turns.r("identical(prepared[[1]], list(7L, 0.5, 'a \"b\" \\\\', TRUE))")
    assert "TRUE" in reply.stdout + reply.text


def test_a_missing_function_is_named(kernel):
    kernel.run("from sidebyside.lesson.costs import by_turns")
    kernel.r("only_in_r <- function() function() 1")
    kernel.run("def only_in_python(): return lambda: 1")
    reply = kernel.run("by_turns('only_in_python')")
    assert "no R variable 'only_in_python'" in reply.shown
    reply = kernel.run("by_turns('only_in_r')")
    assert "no Python variable 'only_in_r'" in reply.shown


def test_an_error_of_r_has_rs_message(kernel):
    kernel.run("def fails(): return lambda: 1")
    kernel.r('fails <- function() function() stop("no such fruit")')
    reply = kernel.run("by_turns('fails', calls=1)")
    assert "R's fails() failed" in reply.shown
    assert "no such fruit" in reply.shown
