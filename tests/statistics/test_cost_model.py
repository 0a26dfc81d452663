"""The cost model finds known costs, and says what it cannot know.

R's own tests compare it with lme4; `simulation.py` counts what its intervals hold.
"""

import math

import numpy as np
import pandas as pd
import pytest
from made_up import COSTS, MEMORY, SPREAD, made_up_study
from sidebyside.statistics import CannotSay, cost_model
from sidebyside.statistics.pairs import columns_of, from_columns

JOB = {"epochs": 20, "batches": 300, "python": 60, "array_mb": 50}
ALIKE = dict.fromkeys(SPREAD, 0.0)


@pytest.fixture(scope="module")
def runs():
    return made_up_study()


@pytest.fixture(scope="module")
def model(runs):
    return cost_model(runs)


@pytest.mark.parametrize(
    ("outcome", "costs", "near"),
    [
        ("process_seconds", COSTS, 0.02),
        ("cpu_seconds", COSTS, 0.02),
        ("peak_memory_mb", MEMORY, 0.2),
    ],
)
def test_known_costs_are_found(outcome, costs, near):
    study = made_up_study(spread=ALIKE, noise=1e-4, outside=1e-3)
    found = cost_model(study, outcome=outcome)
    table = found.coefficients.set_index("cost")
    assert table["estimate"].to_dict() == pytest.approx(costs, rel=near)
    for name, (_, low, high) in table[["estimate", "low", "high"]].T.items():
        assert low < costs[name] < high


def test_networks_and_machines_that_differ_are_seen():
    study = made_up_study(
        networks=7, machines=7, blocks=3, between_machines=2, noise=0.01
    )
    table = cost_model(study).coefficients.set_index("cost")
    for name, sd in SPREAD.items():
        if sd:
            assert sd / 3 < table.loc[name, "networks"] < sd * 3
            assert 2 * sd / 3 < table.loc[name, "machines"] < 2 * sd * 3
    # One machine has no such numbers, and the cost of a megabyte never has.
    one = cost_model(made_up_study(blocks=4)).coefficients
    assert one["machines"].isna().all() and table.loc["per_mb"].isna().sum() == 2


def test_the_control_costs_nothing():
    arms = ("python", "r", "python-again")
    found = cost_model(made_up_study(arms=arms), "python-again")
    table = found.coefficients
    assert ((table["low"] < 0) & (table["high"] > 0)).all()
    assert "Python again takes" in found.text


def test_a_prediction_adds_the_costs_up(model):
    costs = model.coefficients.set_index("cost")["estimate"]
    seconds = costs @ pd.Series(
        {"start": 1, "per_mb": 50, "per_epoch": 20, "per_batch": 20 * 300}
    )
    found = model.predict(**JOB)
    assert found.difference.estimate == pytest.approx(seconds)
    assert found.ratio == pytest.approx([1 + x / 60 for x in found.difference])
    # At the estimate, both sides are equally probable.
    even = model.predict(**JOB, margin=seconds / 60)
    assert even.beyond == pytest.approx(0.5)
    assert model.predict(**JOB, margin=0).beyond > even.beyond
    # No time is negative.
    assert model.predict(**JOB | {"python": 1e-3}).ratio.low >= 0


@pytest.mark.parametrize("share", [0.02, 0.05, 0.3])
def test_the_length_is_that_at_which_the_share_is_reached(model, share):
    job = {"epoch_seconds": 4.0, "batches": 100}
    start = model.pairs.groupby("network")["python_outside"].mean().mean()
    for end, length in enumerate(model.length_for_share(share, **job)):
        if math.isfinite(length):
            epochs = (length - start) / 4
            cost = model.predict(epochs, 100, length).difference[end]
            # A single epoch may be long enough.
            below = epochs == pytest.approx(1) and cost / length < share
            assert below or cost / length == pytest.approx(share)
        else:
            assert model.predict(1e6, 100, 4e6).difference[end] / 4e6 > share
    assert model.length_for_share(1e-4, **job).high == math.inf


def test_the_text_has_the_numbers(model, runs):
    table = model.coefficients.set_index("cost")
    assert f"{table.loc['start', 'estimate']:.3g} s for the start" in str(model)
    assert f"{1000 * table.loc['per_epoch', 'estimate']:.3g} ms for each ep" in str(
        model
    )
    length = model.length_for_share()
    assert ("never" in model.text) == math.isinf(length.high)
    # After many epochs, the start does not count.
    usual = model.pairs.groupby("network")[["python_epoch", "batches"]].mean()
    seconds, batches = usual.median()
    later = model.predict(10**9, batches, 10**9 * seconds).ratio
    ends = f"{later.low:.3f} to {later.high:.3f}"
    assert f"takes {later.estimate:.3f} times as long" in model.text
    assert ends in model.text and ends in model.answer
    assert f"R takes {table.loc['start', 'estimate']:.3g} s more" in model.answer
    assert f"{length.low:.3g} s" in model.text
    assert "One machine cannot show" in model.text and "84 pairs" in model.text


def test_a_callback_has_its_own_cost():
    """Networks without one do not pay for it."""
    study = made_up_study(per_call=0.01, spread=ALIKE, noise=1e-4, outside=1e-3)
    found = cost_model(study)
    table = found.coefficients.set_index("cost")
    costs = COSTS | {"per_call": 0.01}
    assert table["estimate"].to_dict() == pytest.approx(costs, rel=0.03)
    assert np.isnan(table.loc["per_call", "networks"])
    without, with_it = (found.predict(**JOB, calls=x) for x in (0, 301))
    more = with_it.difference.estimate - without.difference.estimate
    assert more == pytest.approx(20 * 301 * table.loc["per_call", "estimate"])
    with_it = found.length_for_share(0.05, 4.0, 100, calls=101)
    assert with_it.estimate > found.length_for_share(0.05, 4.0, 100).estimate
    assert "for each call of a callback" in found.text
    # Memory has no such cost.
    memory = cost_model(study, outcome="peak_memory_mb")
    assert memory.predict(**JOB, calls=301) == memory.predict(**JOB)


def test_memory_has_its_own_units_and_no_length(runs):
    found = cost_model(runs, outcome="peak_memory_mb")
    start, per_mb = found.coefficients["estimate"]
    assert f"peak memory, R needs {start:.3g} MB for the start" in found.text
    assert f"{per_mb:.3g} MB for each megabyte of arrays" in found.text
    assert "less than 1 %" not in found.text
    # Memory does not grow with the epochs.
    jobs = [found.predict(epochs, 300, 1000, 50) for epochs in (1, 1000)]
    assert jobs[0] == jobs[1]
    assert jobs[0].difference.estimate == pytest.approx(start + 50 * per_mb)
    with pytest.raises(CannotSay, match="a model of peak memory, and only"):
        found.length_for_share()


def test_processor_time_has_all_four_costs(runs):
    found = cost_model(runs, outcome="cpu_seconds")
    assert "Beyond Python's processor time, R needs" in found.text
    assert found.coefficients["cost"].tolist() == list(COSTS)
    # One fit of four costs has fewer degrees of freedom than two fits of two.
    assert [fit.df for fit in found.fits] == [3]


def test_what_is_missing_is_left_out_and_said(runs, model):
    spoilt = runs.copy()
    of_r = (spoilt["arm"] == "r") & (spoilt["network"] == "network-1")
    spoilt.loc[of_r & (spoilt["block"] == 2), "batches"] = np.nan
    spoilt.loc[of_r & (spoilt["block"] == 3), "state"] = "crashed"
    hit = spoilt.index[of_r & (spoilt["block"] == 4)]
    spoilt["epoch_seconds"] = [
        () if i in hit else x for i, x in spoilt["epoch_seconds"].items()
    ]
    found = cost_model(spoilt)
    assert len(found.pairs) == len(model.pairs) - 3
    assert "1 of 84 blocks" in found.text and "2 of 83 pairs" in found.text


@pytest.mark.parametrize("value", [0.0, 70.0, np.nan, None])
def test_without_sizes_a_megabyte_has_no_cost(runs, value):
    found = cost_model(runs.assign(array_mb=value))
    assert found.fits[0].names == ("start",) and "megabyte is not known" in found.text
    with pytest.raises(CannotSay, match="no cost for each megabyte"):
        found.predict(**JOB)
    assert found.predict(**JOB | {"array_mb": 0}).ratio.estimate > 1


def test_a_table_may_come_from_r_or_have_other_types(runs, model):
    for own in (
        from_columns(columns_of(runs)),
        runs.convert_dtypes(),
        runs.astype({"network": "category", "backend": "category"}),
        runs.drop(columns="backend"),
        runs[::-1],
    ):
        found = cost_model(own).coefficients["estimate"]
        assert found.tolist() == pytest.approx(model.coefficients["estimate"].tolist())


def two_networks(runs):
    return runs[runs["network"].isin(["network-1", "network-2"])]


SPOILT = {
    "an ordinary campaign": (
        lambda x: x.drop(columns="network"),
        "column network.*make",
    ),
    "no names": (
        lambda x: x.assign(network=""),
        "pairs of 0 networks, expected at lea",
    ),
    "two networks": (two_networks, r"pairs of 2 networks \(network-1 and network-2\)"),
    "one block": (lambda x: x[x["block"] < 2], "7 pairs of runs of 7 networks, exp"),
    "one batch size": (
        lambda x: x.assign(batches=100),
        "has 100 batches.*Measure two batch sizes",
    ),
    "no batches": (lambda x: x.assign(batches=np.nan), "84 of 84 pairs without"),
    "backends": (
        lambda x: x.assign(backend=np.where(x["block"] % 2, "jax", "tensorflow")),
        "several values of backend .jax, tensorflow",
    ),
    "devices": (
        lambda x: x.assign(device=np.where(x["network"] < "network-3", "cpu", "gpu")),
        "several values of device .cpu, gpu",
    ),
    "made up": (
        lambda x: x.assign(
            process_seconds=10.0, epochs=1, epoch_seconds=[(5.0,)] * len(x)
        ),
        "exactly the same in all pairs",
    ),
    "no R": (lambda x: x[x["arm"] != "r"], "'r' has no completed run"),
    "no table": (lambda x: [], "type list, expected a pandas.DataFrame"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_bad_runs_get_a_sentence(runs, case):
    spoil, said = SPOILT[case]
    with pytest.raises(CannotSay, match=said) as problem:
        cost_model(spoil(runs))
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize("value", [0, -1, np.nan, np.inf, "x", None])
@pytest.mark.parametrize("name", [*JOB])
def test_a_job_is_made_of_numbers(model, name, value):
    if (name, value) != ("array_mb", 0):
        with pytest.raises(CannotSay, match=f"^{name} is .* number above 0"):
            model.predict(**JOB | {name: value})


@pytest.mark.parametrize("calls", [-1, np.nan, np.inf, "x", None, 1])
def test_calls_are_a_number_that_the_model_knows(model, calls):
    words = "no cost for each call" if calls == 1 else "^calls is .* number above 0"
    with pytest.raises(CannotSay, match=words):
        model.predict(**JOB, calls=calls)


@pytest.mark.parametrize("arm", ["python", "julia", 7, None, ["r"]])
def test_an_arm_is_one_of_the_others(runs, arm):
    with pytest.raises(CannotSay, match=r"^The arm is .*, expected one of r, python-a"):
        cost_model(runs, arm)


@pytest.mark.parametrize("outcome", ["fit_seconds", "memory", 7, None])
def test_an_outcome_is_one_that_the_model_knows(runs, outcome):
    with pytest.raises(CannotSay, match=r"^The outcome is .*, expected one of process"):
        cost_model(runs, outcome=outcome)


def test_processor_time_needs_a_network_more(runs):
    three = runs[runs["network"].isin(["network-1", "network-2", "network-3"])]
    assert cost_model(three).fits
    with pytest.raises(CannotSay, match=r"pairs of 3 networks .* at least 4"):
        cost_model(three, outcome="cpu_seconds")


@pytest.mark.parametrize("machines", [1, 2, 3])
def test_another_machine_takes_three(machines):
    found = cost_model(made_up_study(machines=machines, blocks=4))
    if machines < 3:
        with pytest.raises(CannotSay, match=f"come from {machines} machine"):
            found.predict(**JOB, new_machine=True)
        assert "nothing is predicted for another one" in found.text
    else:
        new = found.predict(**JOB, new_machine=True).ratio
        known = found.predict(**JOB).ratio
        assert new.estimate == known.estimate and new.high >= known.high
        assert "another one" not in found.text
